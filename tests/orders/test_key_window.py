"""How long the same key may go again, how it spreads, and what stops it for good."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from procurement.errors import Refused
from procurement.orders.models import Order
from procurement.orders.services import outcomes, placing
from procurement.orders.services.placing import place_order
from procurement.orders.services.timing import RESEND_DELAYS, resend_delay
from procurement.suppliers.clients.types import Placed, Unknown
from procurement.suppliers.key_window import check_key_window, key_window
from procurement.suppliers.models import SupplierAccount
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


@pytest.mark.requirement("R21")
@pytest.mark.parametrize("hours", [-1, 25, 1.5, "6", True, None])
def test_a_window_that_is_no_whole_number_of_hours_up_to_a_day_is_refused(hours: object) -> None:
    with pytest.raises(Refused, match="from 0 to 24"):
        check_key_window({"key_window_hours": hours})
    assert key_window(SupplierAccount(settings={"key_window_hours": hours})) == timedelta(0)


def test_the_window_is_six_hours_unless_the_account_says_otherwise() -> None:
    check_key_window({})
    check_key_window({"key_window_hours": 24})

    assert key_window(SupplierAccount(settings={})) == timedelta(hours=6)
    assert key_window(SupplierAccount(settings={"key_window_hours": 24})) == timedelta(hours=24)


def lose(shop: Shop, order: Order, times: int = 1) -> datetime | None:
    """The supplier refuses nothing and answers nothing: a 503 before it looks."""
    shop.sandbox.arm("alpha", "error_before_accept", count=times)
    return place_order(str(order.pk))


@pytest.mark.requirement("R21", "R31")
def test_inside_the_window_the_same_bytes_go_again_and_buy_once(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "answer_lost")
    again = place_order(str(order.pk))
    assert again is not None

    with time_machine.travel(again + timedelta(seconds=10)):
        place_order(str(order.pk))

    order.refresh_from_db()
    posts = shop.sandbox.requests(supplier="alpha", method="POST")
    assert order.state == "placed"
    assert len(posts) == 2
    assert len(shop.sandbox.orders(supplier="alpha")) == 1


@pytest.mark.parametrize(("hours", "after"), [(1, timedelta(hours=1, minutes=1)), (0, timedelta(seconds=10))])
def test_after_the_window_nothing_goes_again_and_people_decide(
    shop: Shop, submitted: Submitted, hours: int, after: timedelta
) -> None:
    order = submitted("alpha")
    SupplierAccount.objects.filter(pk=order.account_id).update(settings={"key_window_hours": hours})
    lose(shop, order, 2)

    with time_machine.travel(timezone.now() + after):
        assert place_order(str(order.pk)) is None

    order.refresh_from_db()
    assert order.state == "unknown"
    assert len(shop.sandbox.requests(supplier="alpha", method="POST")) == 1


def test_repetitions_spread_over_the_whole_of_their_delay() -> None:
    for tries, longest in enumerate([*RESEND_DELAYS, RESEND_DELAYS[-1]], 1):
        seconds = [resend_delay(tries).total_seconds() for _ in range(300)]
        assert 1 <= min(seconds) <= max(longest / 10, 2)
        assert longest * 0.9 <= max(seconds) <= longest


@pytest.mark.requirement("R21", "R31")
def test_a_replay_that_names_another_quantity_stops_and_orders_nothing_more(
    shop: Shop, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = submitted("alpha")
    again = lose(shop, order)
    assert again is not None
    told = Placed("ord_other", "processing", "processing", quantity=order.quantity + 1, replayed=True)
    monkeypatch.setattr(placing, "client_for", lambda account: Answering(told))

    with time_machine.travel(again + timedelta(seconds=10)):
        assert place_order(str(order.pk)) is None

    order.refresh_from_db()
    assert order.state == "manual_review"
    assert f"ordered {order.quantity}, the supplier confirmed {order.quantity + 1}" in order.problem
    with time_machine.travel(again + timedelta(hours=1)):
        assert place_order(str(order.pk)) is None
    assert len(shop.sandbox.requests(supplier="alpha", method="POST")) == 1


@pytest.mark.requirement("R21")
def test_a_replay_of_another_order_of_ours_stops_and_binds_nothing(
    shop: Shop, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_until_settled(submitted("alpha"))
    order = submitted("alpha", 1)
    monkeypatch.setattr(placing, "client_for", lambda account: Answering(Placed(first.remote_id, "processing")))

    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        place_order(str(order.pk))

    order.refresh_from_db()
    assert (order.state, order.remote_id) == ("manual_review", "")
    assert str(first) in order.problem
    assert order.attempts.get().state == "unknown"


def test_a_conflict_is_unconfirmed_and_found_out_about_a_minute_later(
    shop: Shop, submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = submitted("alpha")
    due: list[str] = []
    monkeypatch.setattr(placing, "client_for", lambda account: Answering(Unknown("conflict", "It has one already.")))
    monkeypatch.setattr(outcomes, "make_due", lambda kind, ref, at=None: due.append(kind))

    assert place_order(str(order.pk)) is not None

    order.refresh_from_db()
    assert order.state == "unknown"
    assert due == ["order.investigate"]


class Answering:
    """A supplier with keys that gives one answer to every order; it is never asked anything else."""

    idempotent = True
    lists_orders = True

    def __init__(self, outcome: Any) -> None:
        self.outcome = outcome

    def place_order(self, body: bytes, subject: tuple[str, str]) -> Any:
        return self.outcome
