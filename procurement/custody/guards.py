"""What two administrators agree to destroy, held in the database: proposed first, then confirmed by a settled administrator."""

from __future__ import annotations

from procurement.staff.permissions import Permission
from procurement.staff.roles import roles_with
from procurement.triggers import Rule, never_changes, never_deleted, no_settled_role

DESTRUCTIONS = "custody_destruction"
KEEPERS = [role.name for role in roles_with(Permission.KEY_MANAGE)]

RULES = (
    Rule(
        DESTRUCTIONS,
        "INSERT",
        "NEW.state <> 'proposed' OR NEW.decided_by_id IS NOT NULL",
        "it is proposed before it is confirmed",
    ),
    *never_deleted(DESTRUCTIONS),
    never_changes(
        DESTRUCTIONS, "key_id", '"values"', "proposed_by_id", "proposed_at", says="what was proposed never changes"
    ),
    Rule(
        DESTRUCTIONS,
        "UPDATE",
        "OLD.state <> 'proposed' AND (NEW.state <> OLD.state OR NEW.decided_by_id {isnt} OLD.decided_by_id)",
        "a decision is final",
    ),
    Rule(
        DESTRUCTIONS,
        "UPDATE",
        f"NEW.state = 'confirmed' AND OLD.state <> 'confirmed' AND {no_settled_role(*KEEPERS)}",
        "only a settled administrator confirms",
    ),
)
