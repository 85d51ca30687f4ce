"""Both suppliers over real HTTP: what was bought agrees, and what goes wrong there is named here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from ledger.money import parse_amount
from procurement.orders.models import Order
from procurement.orders.services.placing import place_order
from procurement.reconciliation.models import Day
from procurement.reconciliation.services import reconcile_day
from procurement.suppliers.services import read_balance
from tests.orders.conftest import Shop, run_until_settled, sandbox_server, shop, submitted
from tests.reconciliation.conftest import named

__all__ = ["sandbox_server", "shop", "submitted"]

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]
both = pytest.mark.parametrize("code", ["alpha", "psnb2b"])


def run(shop: Shop, code: str, minutes: int = 5) -> Day:
    """Compare the day as it stands after everything the test did, some of which it did in the near future."""
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False):
        return reconcile_day(by=None, account=shop.accounts[code], currency="USD", day=timezone.now().date())


@both
@pytest.mark.requirement("R91", "R92", "R93", "R95")
def test_what_was_bought_agrees_by_order_and_balance(shop: Shop, submitted: Submitted, code: str) -> None:
    orders = [run_until_settled(submitted(code)) for _ in range(2)]
    row = run(shop, code)
    cost = sum(order.total_cost_minor or 0 for order in orders)
    assert (row.state, named(row), row.matched, row.matched_minor) == ("agrees", [], 2, cost)
    assert (row.difference_minor, row.ours_minor) == (0, 5000_00 - cost)


@both
@pytest.mark.requirement("R88", "R98")
def test_an_order_somebody_else_placed_is_found(shop: Shop, submitted: Submitted, code: str) -> None:
    """By the list where there is one, else by the balance and the minutes in which it parted."""
    read_balance(shop.accounts[code])
    product = shop.mappings[code].product
    keyed = {"product_id": product.external_id, "client_order_id": "X-1", "idempotency_key": "k" * 20, "quantity": 1}
    bodies = {"alpha": keyed, "psnb2b": {"region": "US", "denomination": 50, "quantity": 1}}
    answer = shop.sandbox.api(code).post("orders", json=bodies[code])
    assert answer.status_code == 201, answer.text
    row = run(shop, code)
    cost = parse_amount(str(shop.sandbox.orders(supplier=code)[0]["total"]), "USD")
    kind, reference = ("missing_here", answer.json().get("order_id")) if code == "alpha" else ("balance", "balance")
    assert named(row) == [(kind, reference, -cost)]
    if code == "psnb2b":
        assert "in which nothing of ours moved" in row.differences.get().sentence


@both
@pytest.mark.requirement("R26", "R98")
def test_an_order_whose_answer_was_lost_is_unconfirmed_and_explains_the_balance(
    shop: Shop, submitted: Submitted, code: str
) -> None:
    order = submitted(code)
    shop.sandbox.arm(code, "answer_lost")
    place_order(str(order.pk))
    row = run(shop, code)
    assert named(row) == [("unconfirmed", order.client_order_id, -order.max_total_minor)]
    made = shop.sandbox.orders(supplier=code)[0]
    assert row.difference_minor == -parse_amount(str(made["total"]), "USD")


@both
def test_a_failed_order_without_its_money_awaits_the_refund(shop: Shop, submitted: Submitted, code: str) -> None:
    order = submitted(code)
    shop.sandbox.arm(code, "order_fails", refund=False)
    order = run_until_settled(order, steps=4)
    assert order.state == "supplier_failed"
    row = run(shop, code)
    assert named(row) == [("refund_awaited", order.client_order_id, order.total_cost_minor)]


@both
def test_a_balance_that_is_off_is_a_difference_of_its_own(shop: Shop, submitted: Submitted, code: str) -> None:
    run_until_settled(submitted(code))
    shop.sandbox.arm(code, "balance_off", cents=-75)
    assert named(run(shop, code)) == [("balance", "balance", -75)]


@both
@pytest.mark.requirement("R97")
def test_a_supplier_that_is_down_changes_nothing(shop: Shop, submitted: Submitted, code: str) -> None:
    run_until_settled(submitted(code))
    before = run(shop, code)
    shop.sandbox.arm(code, "error_before_accept", count=5, where="any")
    row = run(shop, code, minutes=6)
    assert (row.state, row.checked_at, row.theirs_minor) == ("agrees", before.checked_at, before.theirs_minor)
    assert row.problem
