"""Codes come in: each once, sealed, checked against what was ordered, and never lost because one of them is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.orders.models import Code, Delivery, Order
from procurement.orders.services.placing import place_order
from procurement.orders.services.receiving import fetch_codes
from procurement.orders.services.tracking import check_order
from procurement.suppliers.models import Exchange
from procurement.vault import Purpose, open_sealed
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def delivered(shop: Shop, submitted: Submitted, code: str, fault: str = "", quantity: int = 3, **params: Any) -> Order:
    """An order that ran to its end under a fault armed at its supplier."""
    order = submitted(code, quantity)
    if fault:
        shop.sandbox.arm(code, fault, **params)
    # Long enough that codes which never come are given up: half an hour.
    return run_until_settled(order, steps=30 if fault == "duplicate_code" else 12)


def plain(code: Code) -> str:
    return open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context()).expose()


def states(order: Order) -> list[str]:
    return list(order.codes.order_by("position").values_list("state", flat=True))


def conflicts(order: Order) -> list[str]:
    return [
        event.facts["what"] for event in AuditEvent.objects.filter(action="order.conflict", subject_id=str(order.pk))
    ]


@pytest.mark.requirement("R4", "R60", "R65", "R66")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_each_code_keeps_what_a_claim_will_need(shop: Shop, submitted: Submitted, supplier: str) -> None:
    order = delivered(shop, submitted, supplier)

    assert (order.state, order.delivered_quantity) == ("codes_stored", 3)
    delivery = Delivery.objects.get(order=order)
    assert (delivery.count, len(delivery.checksum)) == (3, 64)
    for code in order.codes.all():
        assert (code.state, code.order, code.account) == ("stored", order, order.account)
        assert code.region in {"US", ""}
        assert code.available_at == order.available_at
        assert plain(code).endswith(code.last4)


@pytest.mark.requirement("R61")
def test_fetching_again_adds_nothing(shop: Shop, submitted: Submitted) -> None:
    order = delivered(shop, submitted, "alpha")
    before = set(order.codes.values_list("pk", "fingerprint"))
    Order.objects.filter(pk=order.pk).update(state="delivered")
    order.refresh_from_db()

    with time_machine.travel(timezone.now() + timedelta(minutes=1)):
        fetch_codes(order, complete=True)

    assert set(order.codes.values_list("pk", "fingerprint")) == before
    assert Delivery.objects.filter(order=order).count() == 1
    assert conflicts(order) == []


@pytest.mark.requirement("R66", "R74")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_a_code_of_another_region_is_set_aside(shop: Shop, submitted: Submitted, supplier: str) -> None:
    order = delivered(shop, submitted, supplier, "wrong_region_code", region="TR")

    assert states(order) == ["wrong_region", "stored", "stored"]
    assert order.codes.get(position=1).region == "TR"
    assert "is for TR, ordered was US" in conflicts(order)[0]
    assert order.problem


@pytest.mark.requirement("R61")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_a_code_held_for_another_order_is_flagged_and_not_stored_twice(
    shop: Shop, submitted: Submitted, supplier: str
) -> None:
    first = delivered(shop, submitted, supplier)
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        second = delivered(shop, submitted, supplier, "duplicate_code")

    assert (second.state, second.delivered_quantity) == ("partial", 2)
    assert "is held for another order already" in conflicts(second)[0]
    assert Code.objects.count() == 5
    assert first.codes.count() == 3


@pytest.mark.requirement("R60", "R67")
def test_a_truncated_code_is_kept_as_invalid(shop: Shop, submitted: Submitted) -> None:
    order = delivered(shop, submitted, "psnb2b", "truncated_code")

    assert states(order) == ["stored", "stored", "invalid"]
    assert "is not 12 characters" in conflicts(order)[0]


@pytest.mark.requirement("R60", "R72", "R83")
def test_the_rest_of_a_part_delivery_is_paid_back_and_booked_once(shop: Shop, submitted: Submitted) -> None:
    order = delivered(shop, submitted, "alpha", "part_delivery", codes=1)
    assert (order.state, order.delivered_quantity) == ("partial", 1)
    check_order(str(order.pk))

    order.refresh_from_db()
    assert order.total_cost_minor is not None
    assert order.refunded_minor == 2 * order.unit_cost_minor
    assert postings.settled_balance("alpha", "USD") == 5000_00 - order.unit_cost_minor


@pytest.mark.requirement("R60", "R54")
def test_codes_that_come_later_complete_the_order(shop: Shop, submitted: Submitted) -> None:
    order = delivered(shop, submitted, "alpha", "part_delivery", codes=1, refund=False, rest_after=3600)
    assert (order.state, order.delivered_quantity) == ("partial", 1)

    shop.sandbox.set_clock(offset_seconds=3700)
    with time_machine.travel(timezone.now() + timedelta(seconds=3700)):
        assert check_order(str(order.pk)) is None

    order.refresh_from_db()
    assert (order.state, order.delivered_quantity) == ("codes_stored", 3)
    assert list(order.deliveries.order_by("pk").values_list("count", flat=True)) == [1, 2]
    assert list(order.codes.order_by("position").values_list("position", flat=True)) == [1, 2, 3]


@pytest.mark.requirement("R59")
def test_no_code_is_asked_for_before_the_order_is_complete(shop: Shop, submitted: Submitted) -> None:
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "late_delivery", seconds=3600)
    place_order(str(order.pk))
    with time_machine.travel(timezone.now() + timedelta(seconds=20)):
        assert check_order(str(order.pk)) is not None

    order.refresh_from_db()
    assert order.state == "paid"
    assert [row for row in shop.sandbox.requests() if "codes" in row["path"]] == []


@pytest.mark.requirement("R62", "R100")
def test_no_code_and_no_key_reaches_a_log_or_a_record(
    shop: Shop, submitted: Submitted, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        orders = [delivered(shop, submitted, code) for code in ("alpha", "psnb2b")]

    codes = [plain(code) for order in orders for code in order.codes.all()]
    secrets = [*codes, *(f"{code[:4]}-{code[4:8]}-{code[8:]}" for code in codes), "sandbox-alpha-key", "psnb2b-key"]
    kept = [
        caplog.text,
        *(str(row) for row in AuditEvent.objects.values()),
        *(str(row) for row in Exchange.objects.values()),
    ]
    kept += [str(row) for row in Order.objects.values()]
    assert len(codes) == 6
    assert [secret for secret in secrets for text in kept if secret in text] == []
