"""Noting what was asked of a supplier's support about an unconfirmed order, and what it answered: evidence, no verdict."""

from __future__ import annotations

from procurement.audit.services import record
from procurement.errors import Refused, StaleState
from procurement.orders.models import Order
from procurement.orders.states import UNCONFIRMED
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission


def note_supplier_contact(*, by: User, order: Order, ticket: str, answer: str) -> None:
    """Keep the ticket of a question, or the supplier's answer to it, in the order's history.

    Raises StaleState for an order that is decided, Refused without a ticket.
    """
    check_can(by, Permission.CASE_WORK, Permission.RECONCILIATION_RUN)
    if order.state not in UNCONFIRMED:
        raise StaleState(f"This order is “{order.status.label}” and asks for nothing any more. Nothing was noted.")
    ticket, answer = " ".join(ticket.split())[:100], " ".join(answer.split())[:500]
    if not ticket:
        raise Refused("Write the supplier's ticket number, or how you asked. Nothing was noted.")
    event = "order.supplier_answered" if answer else "order.supplier_asked"
    record(event, by=by, subject=order, reason=answer, ticket=ticket)
