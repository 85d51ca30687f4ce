"""What the database says of pairs: the rules find the same whether they look at every order or only at those left over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.orders.models import Delivery, Order
from procurement.reconciliation import pairs
from procurement.reconciliation.models import Day, SupplierRecord
from procurement.reconciliation.pairs import read_pairs
from procurement.reconciliation.window import Window
from tests.reconciliation.conftest import DAY, NEXT, NOON, SOON, START, Scene, all_rows, moment, named

# One thing that the supplier says otherwise than of an order that agrees; the last three agree all the same.
THERE: dict[str, dict[str, Any]] = {
    "total": {"total": 4600},
    "no total": {"total": None},
    "currency": {"currency": "EUR"},
    "no currency": {"currency": ""},
    "refund": {"refunded": 100},
    "failed": {"status": "failed"},
    "refunded": {"status": "refunded", "refunded": None},
    "under way": {"status": "processing", "delivered_quantity": 0},
    "fewer": {"delivered_quantity": 1},
    "the day before": {"created_at": START - timedelta(hours=3)},
    "no time": {"created_at": None},
    "another's reference": {"client_order_id": "held"},
    "no reference": {"client_order_id": ""},
    "no refund stated": {"refunded": None},
    "no codes stated": {"delivered_quantity": None},
}
# The same of our side.
HERE: dict[str, dict[str, Any]] = {
    "paid back": {"refunded_minor": 100},
    "partial": {"state": "partial", "delivered_quantity": 1},
    "failed here": {"state": "supplier_failed"},
    "delivered here": {"state": "delivered"},
    "none delivered": {"delivered_quantity": 0},
}


@pytest.fixture
def varied(scene: Scene) -> Scene:
    """A day with orders that differ in one thing each, and some that agree."""
    scene.buy("agrees", 3000)
    for number, (label, changes) in enumerate(THERE.items()):
        scene.restate(scene.buy(label, 4500, NOON + timedelta(minutes=number)), **changes)
    for number, (label, changes) in enumerate(HERE.items()):
        order = scene.buy(label, 4500, NOON + timedelta(hours=1, minutes=number))
        Order.objects.filter(pk=order.pk).update(**changes)
    unknown = scene.order("unknown", 900)
    scene.book(unknown, 900, NOON)
    unlisted = scene.order("unlisted", 700, state="draft", remote_id="")
    Order.objects.filter(pk=unlisted.pk).update(state="placing")
    scene.hold(unlisted, 700, NOON)
    held = scene.order("held", 800, state="unknown", remote_id="")
    scene.hold(held, 800, NOON)
    scene.there(scene.order("second", 600, state="place_failed", remote_id=""), 600, NOON, client_order_id="agrees")
    scene.there(scene.order("stranger", 500, state="place_failed", remote_id=""), 500, NOON, client_order_id="SHOP-1")
    extra = scene.buy("more files", 4500, NOON + timedelta(hours=2))
    Delivery.objects.create(order=extra, count=1, checksum="d" * 64, fetched_at=NOON)
    beyond = scene.order("beyond the funds", 150_000)
    scene.there(beyond, 150_000, NOON + timedelta(hours=3))
    scene.book(beyond, 150_000, NOON + timedelta(hours=3))
    with moment(NOON + SOON):
        facts = {"account_code": "alpha", "currency": "USD", "order_id": "no-order", "label": "no order"}
        postings.purchase(**facts, amount_minor=5)
    scene.says(at=NEXT + timedelta(seconds=1))
    return scene


def outcome(row: Day) -> tuple[Any, ...]:
    return row.state, row.matched, row.matched_minor, row.in_flight, row.in_flight_minor, row.unread, named(row)


@pytest.mark.requirement("R93", "R97", "R98")
def test_rules_find_nothing_in_what_the_database_says_agrees(varied: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    row = varied.run()
    found, rows = outcome(row), all_rows(row)
    with monkeypatch.context() as patched:
        patched.setattr(pairs, "apart_sql", lambda apart: ("1 = 0", []))
        everything = varied.run(at=NEXT + timedelta(minutes=9))
    assert (outcome(everything), all_rows(everything)) == (found, rows)
    assert {reference for _, reference, _ in found[-1]} >= {"total", "unknown", "held", "r-stranger", "partial"}


def test_only_what_is_equal_in_every_column_is_not_looked_at(varied: Scene) -> None:
    varied.run()
    window = Window(varied.account, "USD", DAY, timezone.now())
    found = read_pairs(window, ())
    agreeing = ("agrees", "beyond the funds", "no reference", "no refund stated", "no codes stated")
    apart = Order.objects.filter(pk__in=found.differing).values_list("client_order_id", flat=True)
    assert set(apart) == {*THERE, *HERE, "more files", "unknown"} - {*agreeing}
    assert (found.agreed, found.agreed_minor, found.unread) == (5, 3000 + 150_000 + 3 * 4500, 0)
    assert {"r-second", "r-stranger", "r-total"} <= {*found.listed}
    assert not {f"r-{label}" for label in agreeing} & {*found.listed}


def test_an_order_that_something_else_speaks_against_is_looked_at(
    varied: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    varied.run()
    window = Window(varied.account, "USD", DAY, timezone.now())
    before, apart = read_pairs(window, ()), str(Order.objects.get(client_order_id="agrees").pk)
    after = read_pairs(window, {apart})
    assert {*after.differing} - {*before.differing} == {apart}
    assert (before.agreed - after.agreed, before.agreed_minor - after.agreed_minor) == (1, 3000)
    monkeypatch.setattr(pairs, "MOST_APART", 0)
    assert (read_pairs(window, {apart}).agreed, read_pairs(window, ()).agreed) == (0, before.agreed)


def test_an_order_the_supplier_knows_no_more_is_looked_at_whatever_it_said_before(scene: Scene) -> None:
    order = scene.buy("ORD-1")
    scene.run()
    SupplierRecord.objects.update(missing=True)
    found = read_pairs(Window(scene.account, "USD", DAY, timezone.now()), ())
    assert (found.agreed, found.differing, found.listed) == (0, [str(order.pk)], [])


def test_books_that_are_not_open_have_no_pairs_but_what_the_supplier_lists(scene: Scene) -> None:
    scene.there(scene.order("stranger", 500, state="place_failed", remote_id=""), 500, NOON, currency="EUR")
    scene.run()
    found = read_pairs(Window(scene.account, "EUR", DAY, timezone.now()), ())
    assert (found.agreed, found.unread, found.differing, found.listed) == (0, 0, [], ["r-stranger"])
