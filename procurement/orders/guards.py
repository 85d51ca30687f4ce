# ruff: noqa: S608 (every name in these statements is a constant of this package)
"""Four eyes in the database: no path approves one's own order, or lets an order out without the approval it needs.

The services refuse the same in words; these rules hold for the shell, for bulk writes and for raw SQL as well.
"""

from __future__ import annotations

from procurement.approvals.services import DEFAULT_ORDER_LIMIT_MINOR
from procurement.staff.permissions import Permission
from procurement.staff.roles import roles_with
from procurement.triggers import Rule, never_changes, never_deleted, no_settled_role

ASKED, ORDERS, ATTEMPTS, ENDS = "approvals_approvalrequest", "orders_order", "orders_attempt", "orders_resolution"

APPROVERS = [role.name for role in roles_with(Permission.ORDER_APPROVE)]
JUDGES = [role.name for role in roles_with(Permission.RECONCILIATION_RUN)]
# What makes somebody an author of an order, for ever, whatever roles they have later.
AUTHORED = "'order.drafted', 'order.quantity_changed', 'order.repriced', 'order.submitted'"

approves = "NEW.state = 'approved' AND OLD.state <> 'approved'"
the_approval = (
    f"EXISTS (SELECT 1 FROM {ASKED} asked WHERE asked.id = NEW.approval_id AND asked.state = 'approved'"
    " AND {uuid:asked.subject_id} = NEW.id)"
)


def over_the_limit(order: str) -> str:
    """Whether one order alone asks for a second person, by the limits of now."""
    limit = f"(SELECT order_limit_minor FROM approvals_approvalrule WHERE currency = {order}.cost_currency)"
    return f"{order}.unit_cost_minor * {order}.quantity > COALESCE({limit}, {DEFAULT_ORDER_LIMIT_MINOR})"


RULES = (
    Rule(
        ASKED,
        "INSERT",
        "NEW.state <> 'open' OR NEW.decided_by_id IS NOT NULL OR NEW.decided_at IS NOT NULL",
        "an approval is asked for before it is given",
    ),
    *never_deleted(ASKED),
    never_changes(
        ASKED,
        *("subject_kind", "subject_id", "content", "content_hash", "amount_minor", "currency", "rule"),
        *("requested_by_id", "requested_at", "expires_at"),
        says="what was asked never changes",
    ),
    Rule(
        ASKED,
        "UPDATE",
        "OLD.state <> 'open' AND (NEW.state <> OLD.state OR NEW.decided_by_id {isnt} OLD.decided_by_id"
        " OR NEW.decided_at {isnt} OLD.decided_at)",
        "a decision is final",
    ),
    Rule(ASKED, "UPDATE", f"{approves} AND NEW.decided_by_id IS NULL", "somebody approves it"),
    Rule(ASKED, "UPDATE", "NEW.state = 'open' AND NEW.decided_by_id IS NOT NULL", "who decides it decides it"),
    Rule(ASKED, "UPDATE", f"{approves} AND NEW.decided_at > NEW.expires_at", "it has expired"),
    Rule(
        ASKED,
        "UPDATE",
        f"{approves} AND EXISTS (SELECT 1 FROM {ORDERS} one WHERE NEW.subject_kind = 'orders.order'"
        " AND one.id = {uuid:NEW.subject_id} AND one.requested_by_id = NEW.decided_by_id)",
        "nobody approves their own order",
    ),
    Rule(
        ASKED,
        "UPDATE",
        f"{approves} AND EXISTS (SELECT 1 FROM audit_auditevent done WHERE done.subject_kind = NEW.subject_kind"
        f" AND done.subject_id = NEW.subject_id AND done.actor_id = NEW.decided_by_id AND done.action IN ({AUTHORED}))",
        "nobody approves what they wrote themselves",
    ),
    Rule(ASKED, "UPDATE", f"{approves} AND {no_settled_role(*APPROVERS)}", "only a settled role approves"),
    Rule(
        ORDERS,
        "INSERT",
        "NEW.state IN ('pending_approval', 'approved', 'placing')",
        "an order begins as a draft",
    ),
    Rule(
        ORDERS,
        "UPDATE",
        "OLD.requested_by_id IS NOT NULL AND NEW.requested_by_id {isnt} OLD.requested_by_id",
        "who asked for it never changes",
    ),
    Rule(
        ORDERS,
        "UPDATE",
        f"{approves} AND (NEW.approval_id IS NOT NULL OR OLD.approval_id IS NOT NULL OR {over_the_limit('NEW')})"
        f" AND NOT {the_approval}",
        "it goes out with the approval it needs",
    ),
    Rule(
        ORDERS,
        "UPDATE",
        "OLD.state = 'pending_approval' AND NEW.state NOT IN ('pending_approval', 'draft', 'approved', 'rejected',"
        f" 'cancelled', 'expired') AND NOT {the_approval}",
        "it waits for its approval",
    ),
    Rule(
        ATTEMPTS,
        "INSERT",
        f"EXISTS (SELECT 1 FROM {ORDERS} one LEFT JOIN {ASKED} asked ON asked.id = one.approval_id"
        f" WHERE one.id = NEW.order_id AND (asked.state <> 'approved' OR (asked.id IS NULL AND {over_the_limit('one')})))",
        "nothing is sent without the approval it needs",
    ),
    Rule(
        ENDS, "INSERT", "NEW.state <> 'open' OR NEW.decided_by_id IS NOT NULL", "it is proposed before it is confirmed"
    ),
    *never_deleted(ENDS),
    never_changes(
        ENDS,
        *("order_id", "verdict", "remote_id", "requester_id", "proposed_by_id", "proposed_at"),
        says="what was proposed never changes",
    ),
    Rule(
        ENDS,
        "UPDATE",
        "OLD.state <> 'open' AND (NEW.state <> OLD.state OR NEW.decided_by_id {isnt} OLD.decided_by_id)",
        "a decision is final",
    ),
    Rule(
        ENDS,
        "UPDATE",
        f"NEW.state = 'confirmed' AND OLD.state <> 'confirmed' AND {no_settled_role(*JUDGES)}",
        "only a settled role confirms",
    ),
)
