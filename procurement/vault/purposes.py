"""What sealing keys are for. Purposes never share a key."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    CODE = "code"
    BIDX = "bidx"
    SUPPLIER_API = "supplier_api"
    WEBHOOK = "webhook"
    WIRE_LOG = "wire_log"
    EVIDENCE = "evidence"
    TOTP = "totp"
    AUDIT_MAC = "audit_mac"
