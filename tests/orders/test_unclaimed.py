"""Supplier's orders that none of ours carries: noted once, read, bound, adopted or dismissed; never a silent second purchase."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Order, UnclaimedOrder
from procurement.orders.services import unclaimed
from procurement.orders.services.placing import place_order
from procurement.orders.services.resolving import confirm_outcome, propose_outcome
from procurement.orders.services.timing import held_by
from procurement.orders.services.unclaimed import (
    confirm_end,
    decline_end,
    follow_unclaimed,
    note_listed,
    note_unclaimed,
    ordered_again,
    propose_end,
)
from procurement.orders.tasks import follow_hint_task
from procurement.staff.models import User
from procurement.suppliers.clients import client_for
from procurement.suppliers.models import SupplierAccount
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]
WHY = "The supplier's ticket 4711 says so."


@pytest.fixture
def elsewhere(shop: Shop) -> str:
    """The id of an order that somebody placed at PSN:B2B without us."""
    return buy_elsewhere(shop)


def buy_elsewhere(shop: Shop, quantity: int = 2) -> str:
    with shop.sandbox.api("psnb2b") as api:
        answer: httpx.Response = api.post("orders", json={"region": "US", "denomination": 50, "quantity": quantity})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def seen(account: SupplierAccount, remote_id: str, seen_by: str = "event") -> UnclaimedOrder:
    row = note_unclaimed(account=account, remote_id=remote_id, seen_by=seen_by)
    assert row is not None
    follow_unclaimed(str(row.pk))
    row.refresh_from_db()
    return row


@pytest.fixture
def surprise(shop: Shop, submitted: Submitted, support: User, finance: User) -> tuple[Order, UnclaimedOrder]:
    """Two people said that an order was not placed; then its event came."""
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(order.pk))
    order.refresh_from_db()
    propose_outcome(by=support, order=order, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    confirm_outcome(by=finance, order=order)
    order.refresh_from_db()
    assert order.state == "place_failed"
    return order, seen(order.account, str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"]))


# Noted once, and read


@pytest.mark.requirement("R58")
def test_an_event_of_an_unknown_order_opens_one_incident_however_often_it_comes(shop: Shop, elsewhere: str) -> None:
    account = shop.accounts["psnb2b"]
    for _ in range(3):
        follow_hint_task(f"{account.pk}:{elsewhere}")

    row = UnclaimedOrder.objects.get()
    assert (row.remote_id, row.state, row.get_seen_by_display()) == (elsewhere, "open", "a webhook")
    assert AuditEvent.objects.filter(action="unclaimed.opened").count() == 1


def test_what_is_known_of_it_is_read_at_the_supplier(shop: Shop, elsewhere: str) -> None:
    row = seen(shop.accounts["psnb2b"], elsewhere)

    assert (row.region, row.denomination, row.quantity, row.currency) == ("US", Decimal(50), 2, "USD")
    assert row.total_minor
    assert row.created_at is not None
    assert row.second_of is None


def test_an_order_the_supplier_does_not_know_is_asked_for_a_day_and_stays_open(shop: Shop) -> None:
    row = note_unclaimed(account=shop.accounts["psnb2b"], remote_id="psb_none", seen_by="person")
    assert row is not None

    again = follow_unclaimed(str(row.pk))
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        last = follow_unclaimed(str(row.pk))

    row.refresh_from_db()
    assert again is not None
    assert last is None
    assert (row.state, row.read_at) == ("open", None)
    assert row.problem


def test_an_order_of_ours_is_never_unclaimed(shop: Shop, submitted: Submitted) -> None:
    order = run_until_settled(submitted("psnb2b"))

    assert note_unclaimed(account=order.account, remote_id=order.remote_id, seen_by="event") is None
    assert not UnclaimedOrder.objects.exists()


def test_it_is_bound_by_itself_when_the_late_answer_names_it(shop: Shop, submitted: Submitted) -> None:
    order = run_until_settled(submitted("psnb2b"))
    row = UnclaimedOrder.objects.create(account=order.account, remote_id=order.remote_id, seen_by="event")

    follow_unclaimed(str(row.pk))

    row.refresh_from_db()
    assert (row.state, row.order) == ("bound", order)


@pytest.mark.requirement("R88")
def test_the_suppliers_list_shows_what_nobody_ordered_here_and_nothing_that_is_under_way(
    shop: Shop, submitted: Submitted
) -> None:
    lost = submitted("alpha")
    shop.sandbox.arm("alpha", "answer_lost")
    place_order(str(lost.pk))
    body = {
        "product_id": lost.product.external_id,
        "quantity": 1,
        "client_order_id": "SOMEBODY-1",
        "idempotency_key": "k" * 20,
    }
    with shop.sandbox.api("alpha") as api:
        foreign = api.post("orders", json=body).json()["order_id"]
    now = timezone.now()
    listed = client_for(lost.account).list_orders(now - timedelta(hours=1), now + timedelta(hours=1))
    assert listed is not None
    assert len(listed) == 2

    note_listed(lost.account, listed)

    assert list(UnclaimedOrder.objects.values_list("remote_id", "seen_by")) == [(foreign, "list")]


# A late surprise


@pytest.mark.requirement("R26")
def test_an_order_that_turns_up_after_not_placed_is_named_as_a_possible_second_purchase(
    surprise: tuple[Order, UnclaimedOrder],
) -> None:
    order, row = surprise

    assert (row.state, row.second_of) == ("open", order)
    assert AuditEvent.objects.get(action="unclaimed.second_purchase").facts["order"] == str(order)
    order.refresh_from_db()
    assert order.state == "place_failed"


@pytest.mark.requirement("R26")
def test_what_was_ordered_again_is_held_while_it_is_not_sent(
    shop: Shop, surprise: tuple[Order, UnclaimedOrder], submitted: Submitted
) -> None:
    _order, row = surprise
    again = submitted("psnb2b")

    with time_machine.travel(timezone.now() + timedelta(seconds=20)):
        assert place_order(str(again.pk)) is not None

    again.refresh_from_db()
    assert again.state == "approved"
    assert held_by(again) == row
    assert ordered_again(row) == [again]
    assert len(shop.sandbox.requests(supplier="psnb2b", method="POST")) == 1


def test_another_sku_is_not_held(shop: Shop, surprise: tuple[Order, UnclaimedOrder], submitted: Submitted) -> None:
    order, _row = surprise
    other = submitted("alpha")
    other.sku_id = order.sku_id + 1

    assert held_by(other) is None


@pytest.mark.requirement("R26", "R83")
def test_an_adopted_order_brings_its_codes_stands_in_the_books_and_replaces_what_waits(
    shop: Shop, surprise: tuple[Order, UnclaimedOrder], submitted: Submitted, support: User, finance: User
) -> None:
    order, row = surprise
    again = submitted("psnb2b")

    propose_end(by=support, row=row, proposal="adopted", reason=WHY)
    adopted = confirm_end(by=finance, row=row)

    assert adopted is not None
    run_until_settled(adopted)
    again.refresh_from_db()
    row.refresh_from_db()
    assert (adopted.state, adopted.remote_id, adopted.sku) == ("codes_stored", row.remote_id, order.sku)
    assert (row.state, row.order) == ("adopted", adopted)
    assert adopted.total_cost_minor == row.total_minor
    assert postings.settled_balance("psnb2b", "USD") == 5000_00 - (row.total_minor or 0)
    assert again.state == "cancelled"
    assert len(shop.sandbox.requests(supplier="psnb2b", method="POST")) == 1


@pytest.mark.requirement("R26")
def test_both_purchases_stand_in_the_books_when_the_second_was_sent_already(
    shop: Shop, submitted: Submitted, support: User, finance: User
) -> None:
    first = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(first.pk))
    first.refresh_from_db()
    propose_outcome(by=support, order=first, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    confirm_outcome(by=finance, order=first)
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        second = run_until_settled(submitted("psnb2b"))
    lost_id = next(
        one["order_id"] for one in shop.sandbox.orders(supplier="psnb2b") if one["order_id"] != second.remote_id
    )

    with time_machine.travel(timezone.now() + timedelta(minutes=3)):
        row = seen(first.account, lost_id)

    assert (row.second_of, ordered_again(row)) == (first, [second])
    propose_end(by=support, row=row, proposal="adopted", reason=WHY)
    adopted = confirm_end(by=finance, row=row)
    assert adopted is not None
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        run_until_settled(adopted)
    spent = (second.total_cost_minor or 0) + (adopted.total_cost_minor or 0)
    assert postings.settled_balance("psnb2b", "USD") == 5000_00 - spent
    assert (second.state, adopted.state) == ("codes_stored", "codes_stored")
    assert adopted.codes.count() == second.codes.count() == 2


# Two people


def test_dismissing_takes_two_people_and_lets_what_waits_go(
    shop: Shop, surprise: tuple[Order, UnclaimedOrder], submitted: Submitted, support: User, finance: User
) -> None:
    _order, row = surprise
    again = submitted("psnb2b")
    propose_end(by=support, row=row, proposal="dismissed", reason=WHY)
    confirm_end(by=finance, row=row)

    assert (row.state, row.decided_by) == ("dismissed", finance)
    assert held_by(again) is None


def test_nobody_ends_it_alone_or_for_their_own_order(
    surprise: tuple[Order, UnclaimedOrder], buyer: User, support: User, person: Callable[..., User]
) -> None:
    order, row = surprise
    both = person("bo_both", "manager", "finance")
    buyer_too = order.requested_by
    assert buyer_too is not None
    propose_end(by=both, row=row, proposal="dismissed", reason=WHY)

    with pytest.raises(NotAllowed, match="another person"):
        confirm_end(by=both, row=row)
    for somebody in (buyer_too, support):
        with pytest.raises(NotAllowed):
            confirm_end(by=somebody, row=row)

    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("open", None)


def test_the_requester_says_nothing_of_it_whatever_their_roles(
    shop: Shop, submitted: Submitted, support: User, finance: User, person: Callable[..., User], elsewhere: str
) -> None:
    all_roles = person("ada_all", "manager", "finance")
    row = seen(shop.accounts["psnb2b"], elsewhere)
    mine = Order.objects.create(**{**copy_of(submitted("alpha")), "requested_by": all_roles})
    UnclaimedOrder.objects.filter(pk=row.pk).update(second_of=mine)
    row.refresh_from_db()

    with pytest.raises(NotAllowed, match="You asked for"):
        propose_end(by=all_roles, row=row, proposal="dismissed", reason=WHY)

    row.refresh_from_db()
    assert row.proposal == ""


def copy_of(order: Order) -> dict[str, Any]:
    names = [
        field.name for field in Order._meta.fields if field.name not in ("id", "client_order_id", "state", "version")
    ]
    return {name: getattr(order, name) for name in names} | {"client_order_id": "ORDER-COPY"}


def test_the_database_refuses_an_end_by_one_person(surprise: tuple[Order, UnclaimedOrder], support: User) -> None:
    _order, row = surprise
    for values in ({"proposed_by": support, "decided_by": support}, {"proposed_by": None, "decided_by": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            UnclaimedOrder.objects.filter(pk=row.pk).update(state="dismissed", **values)

    row.refresh_from_db()
    assert row.state == "open"


def test_a_declined_proposal_leaves_it_open_for_another(
    surprise: tuple[Order, UnclaimedOrder], support: User, finance: User
) -> None:
    _order, row = surprise
    propose_end(by=support, row=row, proposal="dismissed", reason=WHY)
    with pytest.raises(StaleState):
        propose_end(by=support, row=row, proposal="adopted", reason=WHY)

    decline_end(by=finance, row=row)

    assert (row.state, row.proposal, row.proposed_by) == ("open", "", None)
    with pytest.raises(StaleState):
        confirm_end(by=finance, row=row)


def test_what_can_not_be_adopted_says_why(shop: Shop, support: User, elsewhere: str) -> None:
    account = shop.accounts["psnb2b"]
    unread = note_unclaimed(account=account, remote_id="psb_none", seen_by="person")
    assert unread is not None
    with pytest.raises(Refused, match="was not read"):
        propose_end(by=support, row=unread, proposal="adopted", reason=WHY)
    row = seen(account, elsewhere)
    Mapping.objects.all().update(state="retired")
    with pytest.raises(Refused, match="Map its product first"):
        propose_end(by=support, row=row, proposal="adopted", reason=WHY)
    for proposal, reason in (("dismissed", "no"), ("bound", WHY)):
        with pytest.raises(Refused):
            propose_end(by=support, row=row, proposal=proposal, reason=reason)

    assert not UnclaimedOrder.objects.exclude(proposal="").exists()


def test_an_order_nobody_asked_for_is_adopted_under_the_mapping_of_its_product(
    shop: Shop, support: User, finance: User, elsewhere: str
) -> None:
    row = seen(shop.accounts["psnb2b"], elsewhere)
    propose_end(by=support, row=row, proposal="adopted", reason=WHY)

    order = confirm_end(by=finance, row=row)

    assert order is not None
    assert (order.mapping, order.requested_by, order.state) == (shop.mappings["psnb2b"], None, "placed")
    assert run_until_settled(order).state == "codes_stored"


def test_it_is_not_read_while_the_account_may_not_be_asked(
    shop: Shop, elsewhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = shop.accounts["psnb2b"]
    row = note_unclaimed(account=account, remote_id=elsewhere, seen_by="event")
    assert row is not None
    SupplierAccount.objects.filter(pk=account.pk).update(blocked_until=timezone.now() + timedelta(minutes=5))
    monkeypatch.setattr(unclaimed, "client_for", lambda *_: pytest.fail("asked"))

    again = follow_unclaimed(str(row.pk))

    assert again is not None
    assert again > timezone.now() + timedelta(minutes=4)
