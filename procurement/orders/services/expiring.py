"""What the clock ends: questions nobody answered, and approvals that were not used in time."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from procurement.approvals import services as approvals
from procurement.approvals.services import APPROVAL_LIFE
from procurement.bookkeeping import postings
from procurement.errors import StaleState
from procurement.orders.models import Order
from procurement.orders.services.outcomes import free_lane
from procurement.orders.states import ATTEMPT, ORDER
from procurement.states import transition


def expire_stale() -> int:
    """Expire every order whose question or approval is older than 24 hours and not being sent; how many were."""
    limit = timezone.now() - APPROVAL_LIFE
    asked = Order.objects.filter(state="pending_approval", approval__requested_at__lt=limit)
    unused = Order.objects.filter(state="approved", approved_at__lt=limit, attempts__state="ready")
    return sum(expire(order) for order in [*asked.select_related("approval"), *unused.select_related("approval")])


def is_stale(order: Order) -> bool:
    """Whether an approval is older than 24 hours and was not used: nothing may be sent on it any more."""
    return order.approved_at is not None and order.approved_at < timezone.now() - APPROVAL_LIFE


def expire(order: Order) -> bool:
    """End one order; False when somebody acted on it at the same moment."""
    try:
        with transaction.atomic():
            attempt = order.attempts.filter(state="ready").first()
            if order.state == "approved" and attempt is None:
                return False
            if order.approval and order.approval.state == "open":
                approvals.withdraw(by=None, request=order.approval)
            transition(order, "expired", by=None, machine=ORDER)
            if attempt:
                transition(attempt, "void", by=None, machine=ATTEMPT)
                free_lane(attempt)
                postings.release_order(order_id=str(order.pk), reason="The approval expired before it was sent")
    except StaleState:
        return False
    return True
