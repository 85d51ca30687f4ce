"""Placing against the running sandbox: one paid order for each approved one, whatever the answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.errors import DomainError
from procurement.orders.models import Attempt, Code, Lane, Order
from procurement.orders.services.drafting import cancel_order
from procurement.orders.services.expiring import expire_stale
from procurement.orders.services.placing import place_order, take_lane
from procurement.staff.models import User
from procurement.suppliers.models import Exchange
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def at_supplier(shop: Shop, order: Order) -> list[dict[str, object]]:
    return shop.sandbox.orders(supplier=order.account.code)


@pytest.mark.requirement("R18", "R20", "R27", "R59", "R60", "R66", "R85")
@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_small_order_goes_through_to_sealed_codes(shop: Shop, submitted: Submitted, code: str) -> None:
    order = submitted(code)
    assert order.state == "approved"

    run_until_settled(order)

    assert order.remote_id
    assert (order.state, order.delivered_quantity) == ("codes_stored", 2)
    stored = list(Code.objects.filter(order=order))
    assert [code.state for code in stored] == ["stored", "stored"]
    assert all(b"TST0" not in bytes(code.sealed) for code in stored)
    assert postings.settled_balance(code, "USD") == 5000_00 - (order.total_cost_minor or 0)
    assert postings.free_balance(code, "USD") == postings.settled_balance(code, "USD")
    attempt = order.attempts.get()
    exchange = Exchange.objects.get(subject_kind="orders.attempt", subject_id=str(attempt.pk))
    assert exchange.request_id
    assert exchange.status == 201


@pytest.mark.requirement("R21", "R22", "R24")
def test_lost_answer_at_alpha_is_sent_again_with_the_same_bytes_and_bought_once(
    shop: Shop, submitted: Submitted
) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "answer_lost")

    again = place_order(str(order.pk))
    order.refresh_from_db()
    assert order.state == "unknown"
    assert again is not None
    with time_machine.travel(again + timedelta(seconds=30)):
        place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "placed"
    assert order.attempts.count() == 1
    assert len(at_supplier(shop, order)) == 1
    assert postings.settled_balance("alpha", "USD") == 5000_00 - (order.total_cost_minor or 0)


@pytest.mark.requirement("R21", "R26")
@pytest.mark.parametrize("refusal", ["key_revoked", "rate_limit_now"])
def test_a_no_to_a_repetition_leaves_the_order_unconfirmed(
    shop: Shop, submitted: Submitted, buyer: User, refusal: str
) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "answer_lost")
    again = place_order(str(order.pk))
    assert again is not None
    shop.sandbox.arm("alpha", refusal, where="order")

    with time_machine.travel(again + timedelta(seconds=30)):
        place_order(str(order.pk))
        order.refresh_from_db()
        assert (order.state, order.attempts.get().state) == ("unknown", "unknown")
        with pytest.raises(DomainError):
            cancel_order(by=buyer, order=order, reason="Not needed any more")

    order.refresh_from_db()
    assert order.state == "unknown"
    assert len(at_supplier(shop, order)) == 1
    assert postings.free_balance("alpha", "USD") == 5000_00 - order.max_total_minor


@pytest.mark.parametrize("ending", ["cancelled", "expired"])
def test_an_order_that_ends_before_it_is_sent_leaves_the_lane_free(
    shop: Shop, submitted: Submitted, buyer: User, ending: str
) -> None:
    """Its worker took the lane and died before the second commit."""
    order = submitted("psnb2b")
    attempt = order.attempts.get()
    assert take_lane(order.account, attempt)

    if ending == "cancelled":
        cancel_order(by=buyer, order=order, reason="Not needed any more")
    else:
        with time_machine.travel(timezone.now() + timedelta(hours=25)):
            assert expire_stale() == 1

    order.refresh_from_db()
    assert order.state == ending
    assert Lane.objects.get(account=order.account).holder is None
    assert not take_lane(order.account, attempt)
    assert Lane.objects.get(account=order.account).holder is None


@pytest.mark.requirement("R26", "R31")
@pytest.mark.parametrize("fault", ["answer_lost", "error_after_accept", "html_502", "truncated_json"])
def test_lost_answer_at_psnb2b_is_never_sent_again(shop: Shop, submitted: Submitted, fault: str) -> None:
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", fault)

    assert place_order(str(order.pk)) is None
    order.refresh_from_db()
    assert order.state in {"unknown", "placed_no_id"}
    for hours in (1, 5):
        with time_machine.travel(timezone.now() + timedelta(hours=hours)):
            assert place_order(str(order.pk)) is None

    assert len(at_supplier(shop, order)) == 1
    assert Lane.objects.get(account=order.account).holder == order.attempts.get()
    assert postings.free_balance("psnb2b", "USD") == 5000_00 - order.max_total_minor


@pytest.mark.requirement("R26")
def test_an_unconfirmed_order_keeps_the_lane_so_nothing_else_is_sent_there(shop: Shop, submitted: Submitted) -> None:
    first, second = submitted("psnb2b"), submitted("psnb2b", 3)
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(first.pk))

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        assert place_order(str(second.pk)) is not None

    second.refresh_from_db()
    assert second.state == "approved"
    assert len(at_supplier(shop, second)) == 1


@pytest.mark.requirement("R29")
def test_a_refused_order_frees_its_money_and_stays_on_record(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "stock_gone")

    place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "place_failed"
    assert order.problem
    assert Attempt.objects.get(order=order).state == "not_placed"
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert at_supplier(shop, order) == []


@pytest.mark.requirement("R43")
def test_rate_limited_order_waits_as_long_as_told(shop: Shop, submitted: Submitted) -> None:
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "rate_limit_now", seconds=40, where="order")

    again = place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "approved"
    assert again is not None
    assert again >= timezone.now() + timedelta(seconds=38)
    assert at_supplier(shop, order) == []


@pytest.mark.requirement("R15")
def test_a_price_above_the_approved_one_sends_the_order_back_to_the_buyer(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    order.product.cost_minor = order.unit_cost_minor + 1
    order.product.save()

    place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "draft"
    assert "moved" in order.problem
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert at_supplier(shop, order) == []


def test_a_dead_worker_leaves_an_unconfirmed_order_never_a_ready_one(shop: Shop, submitted: Submitted) -> None:
    order = submitted("psnb2b")
    now = timezone.now()
    attempt = order.attempts.get()
    Attempt.objects.filter(pk=attempt.pk).update(state="sending", sent_at=now, deadline=now + timedelta(seconds=60))
    Order.objects.filter(pk=order.pk).update(state="placing")

    assert place_order(str(order.pk)) == now + timedelta(seconds=90)
    with time_machine.travel(now + timedelta(seconds=91)):
        assert place_order(str(order.pk)) is None

    order.refresh_from_db()
    assert order.state == "unknown"
    assert at_supplier(shop, order) == []
