"""A manager's decision on an order: approve, reject, send back."""

from __future__ import annotations

from django.db import transaction

from procurement.approvals import services as approvals
from procurement.approvals.models import ApprovalRequest
from procurement.errors import Refused, StaleState
from procurement.orders.models import Order
from procurement.orders.services.approved import approval_content
from procurement.orders.services.placing import release_for_placing
from procurement.orders.states import ORDER
from procurement.staff.models import User
from procurement.states import transition


def open_request(order: Order) -> ApprovalRequest:
    """The open question about this order; StaleState if it was answered or taken back."""
    if order.approval is None or order.state != "pending_approval":
        raise StaleState(f"This order is “{order.status.label}” now and waits for no decision. Nothing was changed.")
    return order.approval


def approve_order(*, by: User, order: Order, shown_hash: str, reason: str = "") -> None:
    """Approve exactly what was shown; holds the money and queues the order, all in one transaction (R15, R35, R90).

    Raises NotAllowed for one's own request, StaleState when anything changed, Refused when the balance no longer suffices.
    """
    request = open_request(order)
    if approvals.content_hash(approval_content(order)) != request.content_hash:
        raise StaleState("The order changed since approval was asked. Nothing was approved. Send it back to the buyer.")
    if order.product.cost_minor is None or order.product.cost_minor > order.unit_cost_minor:
        raise Refused(
            "The price rose since this was asked. Nothing was approved. Send it back, so that the buyer asks again."
        )
    with transaction.atomic():
        approvals.decide(by=by, request=request, verdict="approved", shown_hash=shown_hash, reason=reason)
        release_for_placing(by=by, order=order, reason=reason)


def reject_order(*, by: User, order: Order, shown_hash: str, reason: str) -> None:
    """Refuse for good, with a reason the buyer reads."""
    request = open_request(order)
    with transaction.atomic():
        approvals.decide(by=by, request=request, verdict="rejected", shown_hash=shown_hash, reason=reason)
        transition(order, "rejected", by=by, machine=ORDER, reason=reason)


def send_back_order(*, by: User, order: Order, shown_hash: str, reason: str) -> None:
    """Give it back to the buyer as a draft, with a reason."""
    request = open_request(order)
    with transaction.atomic():
        approvals.decide(by=by, request=request, verdict="sent_back", shown_hash=shown_hash, reason=reason)
        transition(order, "draft", by=by, machine=ORDER, event="order.sent_back", reason=reason, approval=None)
