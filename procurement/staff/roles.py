"""Roles as described classes: what each is for and what it may do. docs/permissions.md is generated from here."""

from __future__ import annotations

from procurement.staff.permissions import Permission as P


class Role:
    """One job at the desk. A person may hold several; nobody approves their own request whatever they hold."""

    name: str
    label: str
    description: str
    permissions: frozenset[P]


class Support(Role):
    name = "support"
    label = "Support agent"
    description = (
        "Finds a customer's code, sees whose fault it is, files the claim and sends the message. Sees no cost."
    )
    permissions = frozenset(
        {P.ORDER_VIEW, P.CASE_VIEW, P.CASE_WORK, P.CLAIM_FILE, P.CODE_REVEAL, P.CATALOG_VIEW, P.MAPPING_VIEW}
    )


class Buyer(Role):
    name = "buyer"
    label = "Buyer"
    description = "Orders codes for storefront SKUs and drafts mappings."
    permissions = frozenset(
        {
            P.ORDER_VIEW,
            P.COST_VIEW,
            P.ORDER_CREATE,
            P.CASE_VIEW,
            P.CLAIM_FILE,
            P.CATALOG_VIEW,
            P.CATALOG_REFRESH,
        }
        | {P.MAPPING_VIEW, P.MAPPING_DRAFT, P.SKU_IMPORT, P.BALANCE_VIEW, P.ACCOUNT_VIEW, P.LEDGER_VIEW}
    )


class Manager(Role):
    name = "manager"
    label = "Manager"
    description = "Approves what others ask for, activates mappings others drafted, looks after exceptions."
    permissions = frozenset(
        {
            P.ORDER_VIEW,
            P.COST_VIEW,
            P.ORDER_CREATE,
            P.ORDER_APPROVE,
            P.APPROVAL_VIEW,
            P.CASE_VIEW,
            P.CASE_WORK,
            P.CLAIM_FILE,
        }
        | {
            P.CODE_REVEAL,
            P.CODE_REVEAL_BY_ORDER,
            P.CATALOG_VIEW,
            P.CATALOG_REFRESH,
            P.MAPPING_VIEW,
            P.MAPPING_DRAFT,
            P.MAPPING_ACTIVATE,
            P.SKU_IMPORT,
        }
        | {P.BALANCE_VIEW, P.ACCOUNT_VIEW, P.LEDGER_VIEW, P.DEPOSIT_CONFIRM}
        | {P.RECONCILIATION_VIEW, P.RECONCILIATION_SIGN}
        | {P.WEBHOOK_VIEW, P.AUDIT_VIEW}
    )


class Finance(Role):
    name = "finance"
    label = "Finance"
    description = "Keeps the ledger, records deposits, reconciles each day with the suppliers."
    permissions = frozenset(
        {
            P.ORDER_VIEW,
            P.COST_VIEW,
            P.APPROVAL_VIEW,
            P.CASE_VIEW,
            P.CATALOG_VIEW,
            P.MAPPING_VIEW,
            P.BALANCE_VIEW,
            P.ACCOUNT_VIEW,
        }
        | {P.LEDGER_VIEW, P.DEPOSIT_RECORD, P.DEPOSIT_CONFIRM}
        | {P.RECONCILIATION_VIEW, P.RECONCILIATION_RUN, P.RECONCILIATION_SIGN}
        | {P.WEBHOOK_VIEW, P.AUDIT_VIEW}
    )


class Admin(Role):
    name = "admin"
    label = "Administrator"
    description = "Connects supplier accounts, keeps keys and webhooks, imports the catalogue. Opens no code."
    permissions = frozenset(
        {P.ORDER_VIEW, P.COST_VIEW, P.APPROVAL_VIEW, P.CATALOG_VIEW, P.CATALOG_REFRESH, P.MAPPING_VIEW, P.MAPPING_DRAFT}
        | {
            P.MAPPING_ACTIVATE,
            P.SKU_IMPORT,
            P.BALANCE_VIEW,
            P.ACCOUNT_VIEW,
            P.ACCOUNT_MANAGE,
            P.WEBHOOK_VIEW,
            P.WEBHOOK_REPLAY,
        }
        | {P.AUDIT_VIEW}
    )


class Auditor(Role):
    name = "auditor"
    label = "Auditor"
    description = "Reads everything but codes; changes nothing."
    permissions = frozenset(
        {
            P.ORDER_VIEW,
            P.COST_VIEW,
            P.APPROVAL_VIEW,
            P.CASE_VIEW,
            P.CATALOG_VIEW,
            P.MAPPING_VIEW,
            P.BALANCE_VIEW,
            P.ACCOUNT_VIEW,
        }
        | {P.LEDGER_VIEW, P.RECONCILIATION_VIEW, P.WEBHOOK_VIEW, P.AUDIT_VIEW}
    )


ROLES: dict[str, type[Role]] = {role.name: role for role in (Support, Buyer, Manager, Finance, Admin, Auditor)}


def roles_with(permission: P) -> list[type[Role]]:
    """The roles that hold `permission`, for sentences that say whom to ask."""
    return [role for role in ROLES.values() if permission in role.permissions]
