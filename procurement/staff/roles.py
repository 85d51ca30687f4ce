"""Roles as described classes: what each is for and what it may do. docs/permissions.md is generated from here."""

from __future__ import annotations

from collections.abc import Collection

from procurement.staff.permissions import Permission as P


class Role:
    """One job at the desk. A person may hold several that do not exclude each other (`EXCLUSIVE`); nobody approves their
    own request whatever they hold."""

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
            P.CODE_DELIVER,
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
            P.CODE_DELIVER,
            P.CODE_RELEASE,
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
    description = (
        "Connects supplier accounts, keeps keys and webhooks, imports the catalogue, invites people. Opens no code."
    )
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
        | {P.AUDIT_VIEW, P.KEY_MANAGE, P.KEY_VIEW, P.PEOPLE_MANAGE}
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
        | {P.LEDGER_VIEW, P.RECONCILIATION_VIEW, P.WEBHOOK_VIEW, P.AUDIT_VIEW, P.KEY_VIEW}
    )


ROLES: dict[str, type[Role]] = {role.name: role for role in (Support, Buyer, Manager, Finance, Admin, Auditor)}

# Of each group a person holds one role at most; the database refuses a second one. Who buys does not approve, who files
# claims does not book what they bring, and neither an administrator nor an auditor does anything else.
EXCLUSIVE = (("admin", "auditor", "buyer", "manager"), ("admin", "auditor", "finance", "support"))


def clashes(names: Collection[str]) -> str:
    """Two roles of `names` that one person may not hold together, in words; empty if all go together."""
    for group in EXCLUSIVE:
        held = [ROLES[name].label for name in group if name in names]
        if len(held) > 1:
            return f"{held[0]} and {held[1]}"
    return ""


def roles_with(permission: P) -> list[type[Role]]:
    """The roles that hold `permission`, for sentences that say whom to ask."""
    return [role for role in ROLES.values() if permission in role.permissions]
