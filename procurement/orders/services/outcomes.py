"""What each outcome of a paid POST means for order, attempt, lane and money: one transaction each."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Lane, Order
from procurement.orders.states import ATTEMPT, ORDER
from procurement.states import transition
from procurement.suppliers.clients.types import Placed
from procurement.work.services import make_due

FIRST_CHECK = timedelta(seconds=5)


def free_lane(attempt: Attempt) -> None:
    Lane.objects.filter(holder=attempt).update(holder=None, taken_at=None)


def contradiction(order: Order, outcome: Placed) -> str:
    """How the supplier's answer differs from what was asked; empty if it fits. A replay of another order shows here."""
    told = outcome.external_id or order.product.external_id
    if told != order.product.external_id:
        return f"ordered {order.product.external_id}, the supplier confirmed {told}"
    if outcome.quantity is not None and outcome.quantity != order.quantity:
        return f"ordered {order.quantity}, the supplier confirmed {outcome.quantity}"
    if outcome.currency and outcome.currency != order.cost_currency:
        return f"agreed in {order.cost_currency}, the supplier charged in {outcome.currency}"
    if outcome.total is not None and outcome.total > order.max_total_minor:
        agreed, charged = (postings.amount_text(m, order.cost_currency) for m in (order.max_total_minor, outcome.total))
        return f"agreed to at most {agreed}, the supplier charged {charged}"
    return ""


def settle_cost(order: Order, total_minor: int | None, currency: str = "") -> int | None:
    """Book the true cost against the hold, once; a total in another currency is left to the person who reviews it."""
    if total_minor is None or (currency and currency != order.cost_currency):
        return order.total_cost_minor
    postings.purchase(
        account_code=order.account.code,
        currency=order.cost_currency,
        order_id=str(order.pk),
        label=order.client_order_id,
        amount_minor=total_minor,
    )
    return total_minor


def mark_placed(order: Order, attempt: Attempt, outcome: Placed) -> None:
    """The supplier took it and named its id: book the cost, free the lane, look for the codes soon (R30)."""
    misfit = contradiction(order, outcome)
    with transaction.atomic():
        free_lane(attempt)
        transition(
            attempt,
            "placed",
            by=None,
            machine=ATTEMPT,
            source="supplier",
            answered_at=timezone.now(),
            verdict=f"Placed as {outcome.remote_id}",
            facts={"remote_id": outcome.remote_id},
        )
        transition(
            order,
            "placed",
            by=None,
            machine=ORDER,
            source="supplier",
            facts={"remote_id": outcome.remote_id},
            remote_id=outcome.remote_id,
            remote_status=outcome.raw_status,
            placed_at=timezone.now(),
            problem="",
            total_cost_minor=settle_cost(order, outcome.total, outcome.currency),
        )
        if misfit:
            transition(order, "manual_review", by=None, machine=ORDER, facts={"why": misfit}, problem=misfit)
        make_due("order.check", str(order.pk), at=timezone.now() + FIRST_CHECK)


def mark_not_placed(order: Order, attempt: Attempt, sentence: str) -> None:
    """Nothing was bought: the failed attempt stays on record, the money is free again (R29)."""
    with transaction.atomic():
        free_lane(attempt)
        ended = "void" if attempt.state == "ready" else "not_placed"
        now = timezone.now()
        transition(attempt, ended, by=None, machine=ATTEMPT, verdict=sentence, answered_at=now, facts={"why": sentence})
        transition(order, "place_failed", by=None, machine=ORDER, problem=sentence, facts={"why": sentence})
        postings.release_order(order_id=str(order.pk), reason=sentence)


def back_to_draft(order: Order, attempt: Attempt, sentence: str, *, before: str, after: str) -> None:
    """The price rose above what was approved: the attempt is void, the money free, and the buyer asks again (R15)."""
    with transaction.atomic():
        free_lane(attempt)
        transition(attempt, "void", by=None, machine=ATTEMPT, verdict=sentence, facts={"why": sentence})
        facts = {"before": before, "after": after}
        transition(
            order, "draft", by=None, machine=ORDER, problem=sentence, approval=None, approved_at=None, facts=facts
        )
        postings.release_order(order_id=str(order.pk), reason=sentence)


def mark_unknown(order: Order, attempt: Attempt, sentence: str, *, taken: bool = False) -> None:
    """Nobody knows what the supplier did, or (`taken`) it said yes without an id: the money stays held, the lane stays
    taken, and nothing is sent again by itself (R26, R30)."""
    state = "placed_no_id" if taken else "unknown"
    with transaction.atomic():
        transition(attempt, state, by=None, machine=ATTEMPT, verdict=sentence, facts={"why": sentence})
        transition(order, state, by=None, machine=ORDER, problem=sentence, facts={"why": sentence})
