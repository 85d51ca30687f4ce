"""Following a placed order: an authenticated read decides; webhooks and the clock only make a read due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.bookkeeping.balances import expected_at
from procurement.orders.fitting import misfits, overcharge
from procurement.orders.models import Order
from procurement.orders.services.outcomes import settle_cost
from procurement.orders.services.receiving import fetch_codes
from procurement.orders.services.timing import when_free
from procurement.orders.states import AWAITED, ORDER
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.problems import SupplierProblem, Throttled
from procurement.suppliers.clients.types import RemoteOrder
from procurement.suppliers.services import read_balance

# How often a waiting order is asked about, by its age: 5, 10, 20, 40 and 60 seconds after the look before, then every
# five minutes for six hours. A webhook makes the next look come at once, so this is for events that are late (R54).
POLL_PLAN = (
    (timedelta(seconds=5), timedelta(seconds=5)),
    (timedelta(seconds=15), timedelta(seconds=10)),
    (timedelta(seconds=35), timedelta(seconds=20)),
    (timedelta(seconds=75), timedelta(seconds=40)),
    (timedelta(seconds=135), timedelta(seconds=60)),
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
MOVES = frozenset((move.source, move.target) for move in ORDER.moves)
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
    wait = when_free(order.account, paying=False)
    if wait is not None:
        return wait
    try:
        return read_order(order, source)
    except SupplierProblem as problem:
        if not isinstance(problem, Throttled):
            note(order, problem=problem.sentence[:500])
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
    return next_look(order) if is_awaited(order) else None


def is_awaited(order: Order) -> bool:
    """Whether it is asked about by the clock: until it settles, and for missing codes for seven days."""
    if order.state == "partial":
        return not order.refunded_minor and timezone.now() < (order.placed_at or order.created_at) + LATE_CODES_PATIENCE
    return order.state in AWAITED


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
        elif news and RANK[remote.status] < RANK_OF_STATE.get(order.state, 0):
            set_back(order, remote, source)
        if remote.refunded and order.state in {"delivered", "partial", "codes_stored"} and not order.refunded_minor:
            book_refund(order, remote.refunded)


def note(order: Order, **values: Any) -> None:
    """Write plain facts about the order (never its state)."""
    Order.objects.filter(pk=order.pk).update(**values)
    for name, value in values.items():
        setattr(order, name, value)


def conflict_of(order: Order, remote: RemoteOrder) -> str:
    """What in the reading can't be true of this order; empty if it fits. An adopted order goes by another id of ours there."""
    remote = replace(remote, client_order_id="")
    expected = order.total_cost_minor if order.total_cost_minor is not None else order.max_total_minor
    found = [*misfits(order, remote, "now says"), overcharge(order, remote, expected, "now says")]
    return next(filter(None, found), "")


def set_back(order: Order, remote: RemoteOrder, source: str) -> None:
    """A supplier going back on its word moves nothing: once it is noted, the second time people look (row 27, R57)."""
    note(order, setbacks=order.setbacks + 1)
    what = f"“{remote.raw_status}” after it was “{order.status.label}”"
    if order.setbacks > 1 and (order.state, "manual_review") in MOVES:
        review(order, f"the supplier went back on its word twice, now to {what}", source)
    else:
        record("order.conflict", by=None, subject=order, source=source, what=what)


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
