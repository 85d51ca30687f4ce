"""Work the orders ask for: placing, checking, and following a webhook's hint. Ids in, services called."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from procurement.orders.models import Order, UnclaimedOrder
from procurement.orders.services.expiring import expire_stale
from procurement.orders.services.investigating import investigate
from procurement.orders.services.outcomes import INVESTIGATE
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import READABLE, check_order, is_awaited, read_order
from procurement.orders.services.unclaimed import READ_UNCLAIMED, follow_unclaimed, note_unclaimed, unread_orders
from procurement.orders.states import AWAITED, UNCONFIRMED
from procurement.orders.watching import WATCH, unwatched, watch_reveal
from procurement.suppliers.clients import SupplierProblem, normal_status
from procurement.suppliers.clients.types import FAILED, REFUNDED, UNRECOGNISED
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.receiving import mark_event_applied, mark_event_unmatched, waiting_words
from procurement.work.models import DueWork
from procurement.work.registry import CODES, FIRST, POLLS, handler, periodic
from procurement.work.services import make_due

HINT_AGAIN = timedelta(seconds=30)
UNKNOWN_ORDER_PATIENCE = timedelta(minutes=2)


def account_of(ref: str) -> str:
    """The account of an order."""
    return str(Order.objects.values_list("account", flat=True).filter(pk=ref).first() or "")


def account_of_unclaimed(ref: str) -> str:
    return str(UnclaimedOrder.objects.values_list("account", flat=True).filter(pk=ref).first() or "")


@handler("order.place", rank=FIRST, account=account_of)
def place_order_task(ref: str) -> datetime | None:
    return place_order(ref)


@handler("order.check", rank=CODES, account=account_of)
def check_order_task(ref: str) -> datetime | None:
    return check_order(ref)


@handler(INVESTIGATE, rank=POLLS, account=account_of)
def investigate_task(ref: str) -> datetime | None:
    return investigate(ref)


@handler(READ_UNCLAIMED, rank=POLLS, account=account_of_unclaimed)
def follow_unclaimed_task(ref: str) -> datetime | None:
    return follow_unclaimed(ref)


@handler("order.hint", rank=CODES, account=lambda ref: ref.partition(":")[0])
def follow_hint_task(ref: str) -> datetime | None:
    """A webhook named a remote order: read it now. An event may come before our own reply is stored, so wait a little (R58)."""
    named, _, remote_id = ref.partition(":")
    account_id = uuid.UUID(named)
    order = (
        Order.objects.filter(account_id=account_id, remote_id=remote_id).select_related("account", "product").first()
    )
    if order is None:
        placing = Order.objects.filter(account_id=account_id, state__in=["placing", "unknown"])
        recent = placing.filter(approved_at__gte=timezone.now() - UNKNOWN_ORDER_PATIENCE)
        if recent.exists():
            return timezone.now() + timedelta(seconds=3)
        mark_event_unmatched(account_id, remote_id)
        account = SupplierAccount.objects.get(pk=account_id)
        note_unclaimed(account=account, remote_id=remote_id, seen_by="event")
        return None
    if order.state not in READABLE or not news_for(order):
        mark_event_applied(account_id, remote_id, note="Nothing new: the order had moved on already.")
        return None
    try:
        again = read_order(order, source="webhook")
    except SupplierProblem as problem:
        # Not applied before the supplier was really asked.
        return problem.retry_at or timezone.now() + HINT_AGAIN
    mark_event_applied(account_id, remote_id)
    if again is not None:
        make_due("order.check", str(order.pk), at=again)
    return None


def news_for(order: Order) -> bool:
    """Whether a waiting event could change the order. A backlog of old news must not use up the calls that fresh orders need."""
    if order.state != "codes_stored":
        return True
    words = waiting_words(order.account_id, order.remote_id)
    return any(normal_status(order.account.dialect, word) in {FAILED, REFUNDED, UNRECOGNISED} for word in words)


@periodic("orders.sweep", every=timedelta(minutes=1))
def sweep_orders() -> None:
    """Nothing that still moves may be without a due time: whatever lost its work row gets one again (I10)."""
    for kind, waiting in forgettable().items():
        known = set(DueWork.objects.filter(kind=kind).values_list("ref", flat=True))
        for pk in waiting:
            if str(pk) not in known:
                make_due(kind, str(pk))


def forgettable() -> dict[str, list[Any]]:
    """What must be due, by kind of work. A draft, a question and a verdict wait for people and for no clock."""
    orders = Order.objects.all()
    late = orders.filter(state="partial", refunded_minor=0)
    return {
        "order.place": list(orders.filter(state__in=("approved", "placing")).values_list("pk", flat=True)),
        "order.check": [
            *orders.filter(state__in=AWAITED).values_list("pk", flat=True),
            *(order.pk for order in late if is_awaited(order)),
        ],
        INVESTIGATE: list(orders.filter(state__in=UNCONFIRMED, remote_id="").values_list("pk", flat=True)),
        READ_UNCLAIMED: unread_orders(),
    }


@periodic("orders.expire", every=timedelta(minutes=5))
def expire_orders() -> None:
    """Approvals nobody used within 24 hours are void; the money they held is free again."""
    expire_stale()


@handler(WATCH, rank=FIRST)
def watch_reveal_task(ref: str) -> datetime | None:
    watch_reveal(ref)
    return None


@periodic("orders.watch_reveals", every=timedelta(minutes=1))
def watch_lost_reveals() -> None:
    """A reveal whose work was lost is watched all the same."""
    for ref in unwatched():
        make_due(WATCH, ref)
