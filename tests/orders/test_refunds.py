"""Money that comes back is booked only when it can be shown to have come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from procurement.bookkeeping import postings
from procurement.orders.models import Order
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


@pytest.mark.requirement("R72")
@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_a_failed_order_is_refunded_once_and_the_balance_is_as_before(
    shop: Shop, submitted: Submitted, code: str
) -> None:
    order = submitted(code)
    shop.sandbox.arm(code, "order_fails")

    run_until_settled(order)

    assert order.state == "refunded"
    assert order.refunded_minor == order.total_cost_minor
    assert postings.settled_balance(code, "USD") == 5000_00


@pytest.mark.requirement("R72")
@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_codes_that_never_came_are_refunded_in_part(shop: Shop, submitted: Submitted, code: str) -> None:
    order = submitted(code, 4)
    shop.sandbox.arm(code, "part_delivery")

    run_until_settled(order, steps=30)

    assert order.state == "partial"
    assert order.refunded_minor * 2 == order.total_cost_minor
    assert postings.settled_balance(code, "USD") == 5000_00 - order.refunded_minor


def test_a_failure_without_money_back_is_never_booked_as_refunded(shop: Shop, submitted: Submitted) -> None:
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "order_fails", refund=False)

    run_until_settled(order, steps=6)

    assert order.state == "supplier_failed"
    assert postings.settled_balance("psnb2b", "USD") == 5000_00 - (order.total_cost_minor or 0)
