"""The checker itself: silent over a good history, and naming each rule by its number when a row breaks it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.work.models import DueWork, Loop
from tests.orders.conftest import Shop, run_until_settled
from tests.simulation.invariants import broken_invariants

pytestmark = pytest.mark.django_db(transaction=True)


def broken(shop: Shop, *, quiescent: bool = False) -> list[str]:
    found = broken_invariants(shop.sandbox.orders(), quiescent=quiescent, supplier_requests=shop.sandbox.requests())
    return [sentence.partition(":")[0] for sentence in found]


def bought(shop: Shop, code: str) -> Order:
    order = drafting.submit_order(by=None, order=shop.order(None, code))
    return run_until_settled(order)


@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_a_good_history_breaks_nothing(shop: Shop, code: str) -> None:
    order = bought(shop, code)
    DueWork.objects.filter(ref=str(order.pk)).delete()
    assert order.state == "codes_stored"
    assert broken(shop, quiescent=True) == []


def test_an_order_waiting_for_its_turn_breaks_nothing(shop: Shop) -> None:
    drafting.submit_order(by=None, order=shop.order(None))
    assert broken(shop, quiescent=True) == []


@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_a_second_paid_order_is_named(shop: Shop, code: str) -> None:
    order = bought(shop, code)
    remote = next(row for row in shop.sandbox.orders(supplier=code) if row["order_id"] == order.remote_id)
    again = remote | {"order_id": "twice", "idempotency_key": None}
    found = broken_invariants([remote, again], quiescent=False)
    assert f"I1: {order} was bought 2 times: {order.remote_id}, twice" in found


def test_an_order_of_theirs_that_nobody_made_is_named_with_its_money(shop: Shop) -> None:
    body = {"region": "US", "denomination": 50, "quantity": 1}
    shop.sandbox.api("psnb2b").post("orders", json=body).raise_for_status()
    assert broken(shop, quiescent=True) == ["I2", "T2"]


def test_a_lost_hold_a_written_state_and_a_stuck_attempt_are_named(shop: Shop) -> None:
    order = drafting.submit_order(by=None, order=shop.order(None))
    Order.objects.filter(pk=order.pk).update(state="cancelled")
    assert set(broken(shop)) == {"I3", "I6"}

    Order.objects.filter(pk=order.pk).update(state="approved")
    Attempt.objects.update(state="sending", deadline=timezone.now() - timedelta(minutes=5))
    Loop.objects.create(name="alive", last_seen_at=timezone.now())
    assert "I5" in broken(shop)


def test_work_that_nobody_will_do_is_named(shop: Shop) -> None:
    order = drafting.submit_order(by=None, order=shop.order(None))
    DueWork.objects.all().delete()
    assert broken(shop, quiescent=True) == ["I10"]
    assert place_order(str(order.pk)) is None


def test_more_arrivals_than_allowed_are_named(shop: Shop) -> None:
    now = timezone.now()
    seen = [
        {
            "supplier": "psnb2b",
            "method": "POST",
            "path": "/psnb2b/api/v1/orders",
            "at": (now + timedelta(seconds=n)).isoformat(),
        }
        for n in range(11)
    ]
    assert broken_invariants([], quiescent=False, supplier_requests=seen[:10]) == []
    assert "11 order POSTs" in broken_invariants([], quiescent=False, supplier_requests=seen)[0]
