"""Following a placed order: an authenticated read decides; webhooks and the clock only make a read due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.bookkeeping.balances import expected_at
from procurement.orders.models import Order
from procurement.orders.services.outcomes import settle_cost
from procurement.orders.services.receiving import fetch_codes
from procurement.orders.states import AWAITED, ORDER
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.problems import SupplierProblem, Throttled
from procurement.suppliers.clients.types import RemoteOrder
from procurement.suppliers.services import read_balance

# How often a waiting order is asked about, by its age; a webhook makes the next look come at once.
POLL_PLAN = (
    (timedelta(seconds=15), timedelta(seconds=5)),
    (timedelta(seconds=60), timedelta(seconds=15)),
    (timedelta(minutes=10), timedelta(seconds=60)),
    (timedelta(hours=6), timedelta(minutes=5)),
)
POLL_AT_LAST = timedelta(minutes=30)
# Codes that did not come with the others come rarely, and then with a webhook.
POLL_FOR_THE_REST = timedelta(hours=6)
REFUND_PATIENCE = timedelta(hours=24)
LATE_CODES_PATIENCE = timedelta(days=7)
# Which of the supplier's words may follow which: a smaller rank never moves an order back (R57).
RANK = {"processing": 0, "paid": 1, "partly_delivered": 2, "delivered": 2}
READABLE = (*AWAITED, "partial", "codes_stored")
RANK_OF_STATE = {"placed": 0, "paid": 1, "delivered": 2, "partial": 2, "codes_stored": 2}


def next_look(order: Order) -> datetime:
    """When to ask about this order again."""
    now = timezone.now()
    age = now - (order.placed_at or order.created_at)
    if order.state == "partial" and age > timedelta(hours=1):
        return now + POLL_FOR_THE_REST
    return now + next((pause for limit, pause in POLL_PLAN if age < limit), POLL_AT_LAST)


def check_order(order_id: str, source: str = "poll") -> datetime | None:
    """Ask the supplier about one order and do what follows; returns when to ask again, or None when nothing is awaited."""
    order = Order.objects.select_related("account", "product").get(pk=order_id)
    if order.state not in READABLE:
        return None
    try:
        return read_order(order, source)
    except Throttled as wait:
        return wait.retry_at or next_look(order)
    except SupplierProblem as problem:
        Order.objects.filter(pk=order.pk).update(problem=problem.sentence[:500])
        return problem.retry_at or next_look(order)


def read_order(order: Order, source: str) -> datetime | None:
    """The same, for an order at hand; raises SupplierProblem when the supplier can't be asked now."""
    remote = client_for(order.account).read_order(order.remote_id)
    apply_reading(order, remote, source)
    if order.state in {"delivered", "partial"}:
        fetch_codes(order, complete=remote.status != "partly_delivered")
    if order.state == "supplier_failed":
        settle_refund(order, remote, source)
    elif order.state == "partial" and remote.refunded is None and not order.refunded_minor:
        settle_missing(order)
    still_late = order.state == "partial" and not order.refunded_minor and timezone.now() < order_age_limit(order)
    return next_look(order) if order.state in AWAITED or still_late else None


def order_age_limit(order: Order) -> datetime:
    """Until when missing codes are asked for; after that only a person or a webhook looks again."""
    return (order.placed_at or order.created_at) + LATE_CODES_PATIENCE


def apply_reading(order: Order, remote: RemoteOrder, source: str) -> None:
    """Move the order as far as the supplier's reading allows, and never backwards (R32, R33, R34, R57)."""
    with transaction.atomic():
        news = remote.raw_status != order.remote_status
        note(order, checked_at=timezone.now(), remote_status=remote.raw_status)
        conflict = conflict_of(order, remote)
        if conflict:
            review(order, conflict, source)
            return
        if order.total_cost_minor is None and remote.total is not None:
            note(order, total_cost_minor=settle_cost(order, remote.total, remote.currency))
        if remote.status in {"failed", "refunded"}:
            after_failure(order, remote, source)
        elif remote.status == "unrecognised":
            if news:
                record(
                    "order.conflict",
                    by=None,
                    subject=order,
                    source=source,
                    what=f"unknown status “{remote.raw_status}”",
                )
        elif RANK[remote.status] > RANK_OF_STATE.get(order.state, 9):
            advance(order, remote, source)
        if remote.refunded and order.state in {"delivered", "partial", "codes_stored"} and not order.refunded_minor:
            book_refund(order, remote.refunded)


def note(order: Order, **values: Any) -> None:
    """Write plain facts about the order (never its state)."""
    Order.objects.filter(pk=order.pk).update(**values)
    for name, value in values.items():
        setattr(order, name, value)


def conflict_of(order: Order, remote: RemoteOrder) -> str:
    """What in the reading can't be true of this order; empty if it fits."""
    if remote.quantity is not None and remote.quantity != order.quantity:
        return f"ordered {order.quantity}, the supplier now says {remote.quantity}"
    if remote.currency and remote.currency != order.cost_currency:
        return f"agreed in {order.cost_currency}, the supplier now says {remote.currency}"
    expected = order.total_cost_minor if order.total_cost_minor is not None else order.max_total_minor
    if remote.total is not None and remote.total > expected:
        was, now = (postings.amount_text(minor, order.cost_currency) for minor in (expected, remote.total))
        return f"agreed to {was}, the supplier now says {now}"
    return ""


def review(order: Order, why: str, source: str) -> None:
    """Stop at manual review: from here only people move it."""
    transition(order, "manual_review", by=None, machine=ORDER, source=source, problem=why, facts={"why": why})


def advance(order: Order, remote: RemoteOrder, source: str) -> None:
    """Forward: the supplier took the money, or delivered."""
    if remote.status == "paid":
        transition(order, "paid", by=None, machine=ORDER, source=source)
        return
    now = timezone.now()
    transition(order, "delivered", by=None, machine=ORDER, source=source, delivered_at=now, available_at=now)
    if order.total_cost_minor is None:
        # A supplier that never names a total is booked at the agreed cost; a difference shows in reconciliation.
        note(order, total_cost_minor=settle_cost(order, order.max_total_minor))


def after_failure(order: Order, remote: RemoteOrder, source: str) -> None:
    """The supplier says it failed. Goods in hand make that a contradiction for people; else the money is awaited (pitfall 25)."""
    if order.state in {"delivered", "partial", "codes_stored"}:
        review(order, "delivered before, and now the supplier says it failed", source)
    elif order.state in {"placed", "paid"}:
        why = remote.failure_reason or "no reason given"
        transition(order, "supplier_failed", by=None, machine=ORDER, source=source, problem=why, facts={"why": why})


def settle_refund(order: Order, remote: RemoteOrder, source: str) -> None:
    """Book the refund the supplier states, or that its balance shows; without either, a review after a day (R72)."""
    paid = order.total_cost_minor or 0
    refunded = paid if remote.status == "refunded" and remote.refunded is None else remote.refunded
    if refunded is None and (not paid or gain_unexplained(order) == paid):
        refunded = paid
    with transaction.atomic():
        if refunded is not None and refunded >= paid:
            if paid:
                book_refund(order, refunded)
            else:
                postings.release_order(order_id=str(order.pk), reason="The supplier failed before charging")
            facts = {"amount": postings.amount_text(refunded, order.cost_currency)}
            transition(order, "refunded", by=None, machine=ORDER, source=source, facts=facts)
        elif timezone.now() - (order.placed_at or order.created_at) > REFUND_PATIENCE:
            review(order, "no full refund was seen 24 hours after the supplier failed", source)


def book_refund(order: Order, amount_minor: int) -> None:
    """Credit a refund to the account, once for each order and amount."""
    postings.refund(
        account_code=order.account.code,
        currency=order.cost_currency,
        order_id=str(order.pk),
        label=order.client_order_id,
        amount_minor=amount_minor,
    )
    note(order, refunded_minor=amount_minor)


def gain_unexplained(order: Order) -> int | None:
    """How much more the supplier's balance exceeds our ledger now than just before this order was sent, in minor units.

    The only trace of a refund where no field states one. None when the balance before was never read. Other refunds not
    yet booked count in it too, so only an exact match proves anything.
    """
    attempt = order.attempts.filter(state="placed").first()
    if attempt is None or attempt.balance_before_minor is None or attempt.sent_at is None:
        return None
    code, currency = order.account.code, order.cost_currency
    reading = read_balance(order.account)
    now = next((balance.available for balance in reading.balances if balance.currency == currency), None)
    if now is None:
        return None
    just_before = attempt.sent_at - timedelta(microseconds=1)
    before = attempt.balance_before_minor - expected_at(code, currency, just_before)
    return now - postings.settled_balance(code, currency) - before


def settle_missing(order: Order) -> None:
    """Codes that never came and whose price is back in the supplier's balance: book the refund (R72)."""
    missing = order.quantity - order.delivered_quantity
    paid = order.total_cost_minor or 0
    worth = paid * missing // order.quantity
    if worth * order.quantity == paid * missing and worth > 0 and gain_unexplained(order) == worth:
        with transaction.atomic():
            book_refund(order, worth)
