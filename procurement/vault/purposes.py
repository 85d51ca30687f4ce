"""What sealing keys are for, and how one stands. Purposes never share a key."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum

# A key in use, one being replaced by another beside it, one that only opens, one that is gone.
ACTIVE, BESIDE, DECRYPT_ONLY, DESTROYED = "active", "beside", "decrypt_only", "destroyed"


class Purpose(StrEnum):
    CODE = "code"
    BIDX = "bidx"
    SUPPLIER_API = "supplier_api"
    WEBHOOK = "webhook"
    WIRE_LOG = "wire_log"
    EVIDENCE = "evidence"
    TOTP = "totp"
    AUDIT_MAC = "audit_mac"


def month_of(at: datetime) -> str:
    """The calendar month (UTC) of a moment, as a key names it: 2026-11."""
    day = at.astimezone(UTC)
    return f"{day.year:04}-{day.month:02}"
