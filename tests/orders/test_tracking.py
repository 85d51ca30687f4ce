"""Following a placed order: only an authenticated read moves it, only forwards, and money back is booked once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.orders.models import Order
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import POLL_PLAN, apply_reading, check_order, next_look
from procurement.orders.tasks import follow_hint_task, sweep_orders
from procurement.suppliers.clients.types import RemoteOrder
from procurement.suppliers.models import WebhookEvent
from procurement.suppliers.receiving import hint_ref
from procurement.work.models import DueWork
from tests.orders.conftest import Shop, run_until_settled, work_for
from tests.world import deliver_events

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


@pytest.fixture
def placed(shop: Shop, submitted: Submitted) -> Callable[..., Order]:
    """An order the supplier took and has not delivered."""

    def make(code: str = "alpha", fault: str = "late_delivery", **params: Any) -> Order:
        order = submitted(code)
        shop.sandbox.arm(code, fault, **params)
        place_order(str(order.pk))
        order.refresh_from_db()
        assert order.state == "placed"
        return order

    return make


def reading(order: Order, **facts: Any) -> RemoteOrder:
    """What the supplier might say of this order."""
    usual = RemoteOrder(order.remote_id, "processing", "processing", quantity=order.quantity, currency="USD")
    return replace(usual, **facts)


@pytest.mark.requirement("R32", "R34")
def test_an_unknown_status_word_is_an_exception_and_not_a_crash(placed: Callable[..., Order]) -> None:
    order = placed()

    for _ in range(2):
        apply_reading(order, reading(order, status="unrecognised", raw_status="reticulating"), "poll")

    order.refresh_from_db()
    assert (order.state, order.remote_status) == ("placed", "reticulating")
    assert AuditEvent.objects.get(action="order.conflict").facts["what"] == "unknown status “reticulating”"


@pytest.mark.requirement("R57")
@pytest.mark.parametrize("late", ["processing", "paid"])
def test_a_late_reading_never_moves_an_order_backwards(shop: Shop, submitted: Submitted, late: str) -> None:
    order = run_until_settled(submitted("psnb2b"))

    apply_reading(order, reading(order, status=late, raw_status=late), "poll")

    order.refresh_from_db()
    assert (order.state, order.codes.count()) == ("codes_stored", 2)


@pytest.mark.requirement("R57")
def test_a_supplier_that_goes_back_on_its_word_twice_stops_for_people(shop: Shop, submitted: Submitted) -> None:
    order = run_until_settled(submitted("psnb2b"))
    steps = [
        ("paid", "codes_stored"),
        ("paid", "codes_stored"),
        ("delivered", "codes_stored"),
        ("paid", "manual_review"),
    ]

    for status, state in steps:
        apply_reading(order, reading(order, status=status, raw_status=status), "poll")
        assert order.state == state

    assert order.setbacks == 2
    assert "went back on its word twice" in order.problem
    assert AuditEvent.objects.filter(action="order.conflict").count() == 1
    assert order.codes.count() == 2


@pytest.mark.requirement("R26", "R33")
@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"quantity": 3}, "ordered 2, the supplier now says 3"),
        ({"currency": "EUR"}, "agreed in USD, the supplier now says EUR"),
        ({"total": 10**9}, "the supplier now says 10,000,000.00 USD"),
        ({"external_id": "psn-tr-50"}, "the supplier now says psn-tr-50"),
        ({"region": "TR"}, "ordered US, the supplier now says TR"),
        ({"denomination": Decimal("20.00")}, "ordered 50 USD, the supplier now says 20"),
    ],
)
def test_a_reading_that_contradicts_the_order_stops_for_people(
    placed: Callable[..., Order], facts: dict[str, Any], why: str
) -> None:
    order = placed()
    booked = postings.settled_balance("alpha", "USD")

    apply_reading(order, reading(order, status="delivered", raw_status="completed", **facts), "poll")

    order.refresh_from_db()
    assert order.state == "manual_review"
    assert why in order.problem
    assert place_order(str(order.pk)) is None
    assert postings.settled_balance("alpha", "USD") == booked


@pytest.mark.requirement("R33", "R34", "R54")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_each_change_of_status_is_kept_with_its_time_and_origin(
    shop: Shop, submitted: Submitted, supplier: str
) -> None:
    order = run_until_settled(submitted(supplier))

    moves = AuditEvent.objects.filter(subject_id=str(order.pk), action__in=["order.placed", "order.delivered"])
    assert [(event.action, event.source) for event in moves.order_by("id")] == [
        ("order.placed", "supplier"),
        ("order.delivered", "poll"),
    ]


@pytest.mark.requirement("R72", "R83")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_a_failed_order_is_paid_back_once(shop: Shop, submitted: Submitted, supplier: str) -> None:
    order = submitted(supplier)
    shop.sandbox.arm(supplier, "order_fails")
    run_until_settled(order)

    assert order.state == "refunded"
    assert (order.refunded_minor, order.codes.count()) == (order.total_cost_minor, 0)
    assert postings.settled_balance(supplier, "USD") == 5000_00
    assert postings.free_balance(supplier, "USD") == 5000_00
    assert check_order(str(order.pk)) is None


@pytest.mark.requirement("R72", "R26")
def test_a_failed_order_without_a_refund_goes_to_people_after_a_day(shop: Shop, submitted: Submitted) -> None:
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "order_fails", refund=False)
    run_until_settled(order, steps=3)
    assert order.state == "supplier_failed"

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        check_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "manual_review"
    assert "no full refund was seen" in order.problem
    assert postings.settled_balance("psnb2b", "USD") == 5000_00 - (order.total_cost_minor or 0)


@pytest.mark.requirement("R26", "R57")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_delivered_then_failed_is_for_people_and_keeps_the_codes(
    shop: Shop, submitted: Submitted, supplier: str
) -> None:
    order = run_until_settled(submitted(supplier))
    assert order.state == "codes_stored"

    apply_reading(order, reading(order, status="failed", raw_status="failed"), "webhook")

    order.refresh_from_db()
    assert (order.state, order.codes.count()) == ("manual_review", 2)
    assert order.refunded_minor == 0


@pytest.mark.requirement("R52", "R55", "R33")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_webhooks_alone_bring_an_order_to_its_codes(shop: Shop, submitted: Submitted, supplier: str) -> None:
    order = submitted(supplier)
    place_order(str(order.pk))
    DueWork.objects.filter(kind="order.check").update(due_at=timezone.now() + timedelta(days=1))

    assert set(deliver_events(shop)) == {200}
    work_for(20, "order.hint", "order.check")

    order.refresh_from_db()
    assert order.state == "codes_stored"
    assert set(WebhookEvent.objects.values_list("result", flat=True)) == {"applied"}
    assert AuditEvent.objects.get(subject_id=str(order.pk), action="order.delivered").source == "webhook"


@pytest.mark.requirement("R53")
def test_an_event_that_comes_three_times_changes_nothing_twice(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "webhook_three_times")
    place_order(str(order.pk))

    assert deliver_events(shop) == [200, 200, 200]
    work_for(20, "order.hint", "order.check")

    order.refresh_from_db()
    event = WebhookEvent.objects.get()
    assert (event.duplicates, order.state, order.codes.count()) == (2, "codes_stored", 2)


@pytest.mark.requirement("R58")
def test_a_hint_before_the_reply_waits_for_it(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    Order.objects.filter(pk=order.pk).update(state="placing")
    account = order.account

    again = follow_hint_task(hint_ref(account.pk, "ord_not_known_yet"))

    assert again is not None
    assert again > timezone.now()
    assert not AuditEvent.objects.filter(action="order.delivered").exists()


@pytest.mark.requirement("R58")
def test_a_webhook_before_the_reply_leads_to_one_delivered_order(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "webhook_before_reply")
    place_order(str(order.pk))

    assert set(deliver_events(shop)) == {200}
    work_for(20, "order.hint", "order.check")

    order.refresh_from_db()
    assert (order.state, order.codes.count()) == ("codes_stored", 2)
    assert len(shop.sandbox.orders(supplier="alpha")) == 1


@pytest.mark.requirement("R58")
def test_an_event_of_an_unknown_order_is_kept_and_changes_nothing(shop: Shop) -> None:
    account = shop.accounts["alpha"]
    event = WebhookEvent.objects.create(
        account=account,
        remote_order_id="ord_foreign",
        dedupe_key="id:1",
        result="being_handled",
        size=1,
        body_sha256="0",
    )

    assert follow_hint_task(hint_ref(account.pk, "ord_foreign")) is None

    event.refresh_from_db()
    assert event.result == "order_not_found"
    assert not Order.objects.exists()


@pytest.mark.requirement("R47", "R48", "R49")
@pytest.mark.parametrize("fault", ["bad_signature", "old_timestamp"])
def test_a_forged_or_old_event_moves_no_order(shop: Shop, submitted: Submitted, fault: str) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", fault)
    place_order(str(order.pk))

    assert deliver_events(shop) == [401]

    order.refresh_from_db()
    assert order.state == "placed"
    assert WebhookEvent.objects.get().result in {"bad_signature", "too_old"}
    assert not DueWork.objects.filter(kind="order.hint").exists()


@pytest.mark.requirement("R54")
def test_waiting_orders_are_asked_about_less_often_as_they_age(placed: Callable[..., Order]) -> None:
    order = placed()
    assert order.placed_at is not None
    pauses = []
    for age, _ in POLL_PLAN:
        with time_machine.travel(order.placed_at + age - timedelta(seconds=1), tick=False):
            pauses.append((next_look(order) - timezone.now()).total_seconds())

    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (5, 300)


@pytest.mark.requirement("R54")
def test_an_order_that_lost_its_place_in_the_queue_gets_it_back(placed: Callable[..., Order]) -> None:
    order = placed()
    DueWork.objects.all().delete()

    sweep_orders()

    assert DueWork.objects.filter(kind="order.check", ref=str(order.pk)).exists()


def test_a_supplier_that_is_down_is_asked_again_and_the_order_keeps_its_state(
    shop: Shop, placed: Callable[..., Order]
) -> None:
    order = placed()
    shop.sandbox.arm("alpha", "error_before_accept", where="read")

    assert check_order(str(order.pk)) is not None

    order.refresh_from_db()
    assert order.state == "placed"
    assert order.problem
