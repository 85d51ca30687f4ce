"""Every permission there is, as `resource:action`. Roles (`roles.py`) hand them out; nothing else does."""

from __future__ import annotations

from enum import StrEnum


class Permission(StrEnum):
    ACCOUNT_MANAGE = "account:manage"
    ACCOUNT_VIEW = "account:view"
    APPROVAL_VIEW = "approval:view"
    AUDIT_VIEW = "audit:view"
    BALANCE_VIEW = "balance:view"
    CASE_VIEW = "case:view"
    CASE_WORK = "case:work"
    CATALOG_REFRESH = "catalog:refresh"
    CATALOG_VIEW = "catalog:view"
    CLAIM_FILE = "claim:file"
    CODE_DELIVER = "code:deliver"
    CODE_RELEASE = "code:release"
    CODE_REVEAL = "code:reveal"
    CODE_REVEAL_BY_ORDER = "code:reveal_by_order"
    COST_VIEW = "cost:view"
    DEPOSIT_CONFIRM = "deposit:confirm"
    DEPOSIT_RECORD = "deposit:record"
    LEDGER_VIEW = "ledger:view"
    MAPPING_ACTIVATE = "mapping:activate"
    MAPPING_DRAFT = "mapping:draft"
    MAPPING_VIEW = "mapping:view"
    ORDER_APPROVE = "order:approve"
    ORDER_CREATE = "order:create"
    ORDER_VIEW = "order:view"
    PEOPLE_MANAGE = "people:manage"
    RECONCILIATION_RUN = "reconciliation:run"
    RECONCILIATION_SIGN = "reconciliation:sign"
    RECONCILIATION_VIEW = "reconciliation:view"
    SKU_IMPORT = "sku:import"
    WEBHOOK_REPLAY = "webhook:replay"
    WEBHOOK_VIEW = "webhook:view"
