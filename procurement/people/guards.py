# ruff: noqa: S608 (every name in these statements is a constant of this package)
"""What two administrators decide, held in the database: roles and limits change by a confirmed proposal alone.

A role without a grantor is one given on the server (`add_person`); it goes to people who have not acted yet, so that nobody
who is here helps themselves to one.
"""

from __future__ import annotations

from procurement.triggers import Rule, never_changes, never_deleted, no_settled_role

GRANTS, PROPOSALS, LIMITS = "staff_rolegrant", "people_proposal", "approvals_approvalrule"

confirmed_roles = (
    f"EXISTS (SELECT 1 FROM {PROPOSALS} said WHERE said.kind = 'roles' AND said.subject_id = NEW.user_id"
    " AND said.state = 'confirmed' AND said.decided_by_id = NEW.granted_by_id AND said.decided_at = NEW.granted_at"
    " AND CAST(said.after AS text) LIKE '%\"' || NEW.role || '\"%')"
)
confirmed_limits = (
    f"EXISTS (SELECT 1 FROM {PROPOSALS} said WHERE said.kind = 'approval_rule' AND said.about = NEW.currency"
    " AND said.state = 'confirmed' AND said.decided_by_id = NEW.changed_by_id AND said.decided_at = NEW.changed_at"
    " AND {json:said.after,order_limit_minor} = NEW.order_limit_minor"
    " AND {json:said.after,daily_limit_minor} = NEW.daily_limit_minor)"
)

RULES = (
    Rule(
        GRANTS,
        "INSERT",
        "NEW.granted_by_id IS NULL AND EXISTS (SELECT 1 FROM audit_auditevent done WHERE done.actor_id = NEW.user_id)",
        "two administrators give a role to somebody who is here",
    ),
    Rule(
        GRANTS,
        "INSERT",
        f"NEW.granted_by_id IS NOT NULL AND NOT {confirmed_roles}",
        "a role is given by a confirmed proposal",
    ),
    *never_deleted(GRANTS),
    never_changes(GRANTS, "user_id", "role", "granted_at", "granted_by_id", "settled_at", says="a grant never changes"),
    Rule(
        GRANTS,
        "UPDATE",
        "OLD.revoked_at IS NOT NULL AND NEW.revoked_at {isnt} OLD.revoked_at",
        "a revoked grant never comes back",
    ),
    Rule(
        PROPOSALS,
        "INSERT",
        "NEW.state <> 'open' OR NEW.decided_by_id IS NOT NULL OR NEW.decided_at IS NOT NULL",
        "it is proposed before it is confirmed",
    ),
    *never_deleted(PROPOSALS),
    never_changes(
        PROPOSALS,
        *("kind", "about", "subject_id", "before", "after", "proposed_by_id", "proposed_at", "expires_at"),
        says="what was proposed never changes",
    ),
    Rule(
        PROPOSALS,
        "UPDATE",
        "OLD.state <> 'open' AND (NEW.state <> OLD.state OR NEW.decided_by_id {isnt} OLD.decided_by_id"
        " OR NEW.decided_at {isnt} OLD.decided_at)",
        "a decision is final",
    ),
    Rule(
        PROPOSALS,
        "UPDATE",
        f"NEW.state = 'confirmed' AND OLD.state = 'open' AND {no_settled_role('admin')}",
        "only a settled administrator confirms",
    ),
    Rule(
        LIMITS,
        "INSERT",
        "NEW.changed_by_id IS NULL AND EXISTS (SELECT 1 FROM approvals_approvalrequest WHERE currency = NEW.currency)",
        "limits in use change by a confirmed proposal",
    ),
    Rule(
        LIMITS,
        "INSERT",
        f"NEW.changed_by_id IS NOT NULL AND NOT {confirmed_limits}",
        "limits change by a confirmed proposal",
    ),
    Rule(LIMITS, "UPDATE", f"NOT {confirmed_limits}", "limits change by a confirmed proposal"),
    *never_deleted(LIMITS),
)
