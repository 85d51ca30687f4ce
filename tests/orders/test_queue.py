"""Sixteen orders at once: the limits make them wait, and none is lost, doubled or refused for waiting."""

from __future__ import annotations

import heapq
from collections import Counter
from datetime import datetime, timedelta

import pytest
import time_machine
from django.db.models import QuerySet
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Order
from procurement.orders.queries import place_in_queue
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import check_order
from procurement.suppliers.models import Exchange
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
ORDERS = 16


def drive(orders: list[Order], clock: time_machine.Traveller, steps: int = 3000) -> None:
    """Do each order's step when it is due, moving a frozen clock from one due time to the next."""
    agenda = [(timezone.now(), number, str(order.pk)) for number, order in enumerate(orders)]
    heapq.heapify(agenda)
    for _ in range(steps):
        if not agenda:
            return
        at, number, pk = heapq.heappop(agenda)
        clock.move_to(max(at, timezone.now()))
        again = step(pk)
        if again is not None:
            heapq.heappush(agenda, (again, number, pk))
    raise AssertionError(f"{len(agenda)} orders were still due after {steps} steps")


def step(pk: str) -> datetime | None:
    state = Order.objects.values_list("state", flat=True).get(pk=pk)
    if state in {"approved", "placing", "unknown"}:
        again = place_order(pk)
        placed = Order.objects.filter(pk=pk, state="placed").exists()
        return timezone.now() + timedelta(seconds=5) if placed else again
    return check_order(pk)


@pytest.mark.requirement("R39", "R40", "R44", "R45", "R22")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_sixteen_orders_approved_at_once_are_all_delivered_once(shop: Shop, supplier: str) -> None:
    start = timezone.now()
    with time_machine.travel(start, tick=False) as clock:
        orders = [shop.order(None, supplier, 1, f"ORDER-{2000 + number}") for number in range(ORDERS)]
        for order in orders:
            drafting.submit_order(by=None, order=order)
            clock.shift(0.001)
        orders[-1].refresh_from_db()
        assert place_in_queue(orders[-1]) == ORDERS
        drive(orders, clock)
        took = (timezone.now() - start).total_seconds()

    assert Counter(Order.objects.values_list("state", flat=True)) == {"codes_stored": ORDERS}
    assert Counter(Attempt.objects.values_list("state", "number")) == {("placed", 1): ORDERS}
    bought = [row["order_id"] for row in shop.sandbox.orders(supplier=supplier)]
    assert sorted(bought) == sorted(Order.objects.values_list("remote_id", flat=True))
    assert took > ORDERS / 10 * 60 - 60
    assert most_in_a_minute(Exchange.objects.filter(method="POST", path__endswith="orders")) <= 10
    assert most_in_a_minute(Exchange.objects.all()) <= 60
    cost = sum(order.total_cost_minor or 0 for order in Order.objects.all())
    assert postings.settled_balance(supplier, "USD") == postings.free_balance(supplier, "USD") == 5000_00 - cost


def most_in_a_minute(exchanges: QuerySet[Exchange]) -> int:
    """The most calls begun within any sixty seconds."""
    times = sorted(exchanges.values_list("started_at", flat=True))
    minute = timedelta(seconds=60)
    return max(sum(1 for other in times if at <= other < at + minute) for at in times)
