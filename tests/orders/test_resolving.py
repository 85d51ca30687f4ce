"""Two people end an order nobody is sure of; nothing is ever sent again by it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ledger import guards
from ledger.money import parse_amount
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Lane, Order, Resolution
from procurement.orders.services.placing import place_order
from procurement.orders.services.resolving import confirm_outcome, decline_outcome, propose_outcome
from procurement.staff.models import User
from procurement.work.runner import run_due
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]
WHY = "The balance did not move in half an hour."


@pytest.fixture
def lost(shop: Shop, submitted: Submitted) -> Order:
    """An order at PSN:B2B whose answer was lost after the supplier took it."""
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(order.pk))
    order.refresh_from_db()
    assert order.state == "unknown"
    return order


@pytest.mark.requirement("R26")
def test_not_placed_frees_the_money_and_the_lane_and_sends_nothing(
    shop: Shop, lost: Order, support: User, finance: User
) -> None:
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    confirm_outcome(by=finance, order=lost)

    lost.refresh_from_db()
    assert lost.state == "place_failed"
    assert lost.attempts.get().state == "not_placed"
    assert postings.free_balance("psnb2b", "USD") == 5000_00
    assert Lane.objects.get(account=lost.account).holder is None
    assert len(shop.sandbox.orders(supplier="psnb2b")) == 1


def test_binding_to_the_suppliers_order_brings_its_codes(shop: Shop, lost: Order, support: User, finance: User) -> None:
    remote_id = str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"])
    propose_outcome(
        by=support, order=lost, verdict="placed", remote_id=remote_id, reason="The supplier's ticket names it."
    )
    confirm_outcome(by=finance, order=lost)
    lost.refresh_from_db()

    run_until_settled(lost)

    assert (lost.state, lost.remote_id) == ("codes_stored", remote_id)
    assert postings.settled_balance("psnb2b", "USD") == 5000_00 - (lost.total_cost_minor or 0)


def test_a_supplier_order_of_another_size_or_another_order_of_ours_is_refused(
    shop: Shop, lost: Order, submitted: Submitted, support: User, finance: User
) -> None:
    other = run_until_settled(submitted("alpha", 3))
    Order.objects.filter(pk=other.pk).update(account=lost.account)
    propose_outcome(by=support, order=lost, verdict="placed", remote_id=other.remote_id, reason=WHY)

    with pytest.raises(Refused, match="belongs to another order"):
        confirm_outcome(by=finance, order=lost)

    lost.refresh_from_db()
    assert lost.state == "unknown"


def test_nobody_confirms_their_own_proposal_or_judges_their_own_order(
    lost: Order, buyer: User, support: User, person: Callable[..., User]
) -> None:
    both = person("bo_both", "manager", "finance")
    propose_outcome(by=both, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)

    with pytest.raises(NotAllowed, match="another person"):
        confirm_outcome(by=both, order=lost)
    with pytest.raises(NotAllowed):
        confirm_outcome(by=buyer, order=lost)
    with pytest.raises(NotAllowed):
        confirm_outcome(by=support, order=lost)

    lost.refresh_from_db()
    assert lost.state == "unknown"
    assert postings.free_balance("psnb2b", "USD") < 5000_00


def test_the_database_refuses_a_verdict_of_one_person(lost: Order, support: User) -> None:
    proposal = propose_outcome(
        by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True
    )

    with (
        guards.lifted(connection, {"orders_resolution"}),
        pytest.raises(IntegrityError, match="an_outcome_needs_a_second_person"),
        transaction.atomic(),
    ):
        Resolution.objects.filter(pk=proposal.pk).update(state="confirmed", decided_by=support)

    assert Resolution.objects.get().state == "open"


def test_a_thin_proposal_and_a_second_one_are_refused(lost: Order, support: User, manager: User) -> None:
    for verdict, remote_id, reason in (("placed", "", WHY), ("not_placed", "", "no"), ("maybe", "", WHY)):
        with pytest.raises(Refused):
            propose_outcome(by=support, order=lost, verdict=verdict, remote_id=remote_id, reason=reason)
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)

    with pytest.raises(StaleState):
        propose_outcome(by=manager, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)

    assert Resolution.objects.count() == 1


def test_finance_may_disagree_and_the_order_stays_unconfirmed(lost: Order, support: User, finance: User) -> None:
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)

    decline_outcome(by=finance, order=lost)

    lost.refresh_from_db()
    assert lost.state == "unknown"
    assert Resolution.objects.get().state == "declined"


def test_an_accepted_contradiction_goes_on_to_its_codes(
    shop: Shop, submitted: Submitted, support: User, finance: User
) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "wrong_amount", cents=100)
    run_until_settled(order)
    assert order.state == "manual_review"
    propose_outcome(
        by=support, order=order, verdict="accepted", remote_id="", reason="The supplier's price list says so."
    )

    confirm_outcome(by=finance, order=order)
    order.refresh_from_db()
    run_until_settled(order)

    assert order.state == "codes_stored"
    assert order.total_cost_minor == order.max_total_minor + 100


# What the evidence must bear out


def watched(order: Order, minutes: int = 20) -> None:
    """The desk read the balance for a while."""
    start = timezone.now()
    for minute in range(1, minutes + 1, 6):
        with time_machine.travel(start + timedelta(minutes=minute)):
            run_due(kinds=["order.investigate"])


@pytest.fixture
def untaken(shop: Shop, submitted: Submitted) -> Order:
    """An order at PSN:B2B that the supplier never took, and nobody knows it."""
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "error_before_accept")
    place_order(str(order.pk))
    order.refresh_from_db()
    assert order.state == "unknown"
    return order


@pytest.mark.requirement("R26")
def test_not_placed_against_the_evidence_is_refused_until_somebody_says_that_they_know(
    lost: Order, support: User, finance: User
) -> None:
    with pytest.raises(Refused, match="was read 0 times"):
        propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY)
    assert not Resolution.objects.exists()

    proposal = propose_outcome(
        by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True
    )

    assert "was read 0 times" in proposal.against
    assert AuditEvent.objects.get(action="order.outcome_proposed").facts["against"] == proposal.against


@pytest.mark.requirement("R26")
def test_a_balance_that_stood_still_for_a_quarter_needs_no_acknowledgement(
    untaken: Order, support: User, finance: User
) -> None:
    watched(untaken)

    proposal = propose_outcome(by=support, order=untaken, verdict="not_placed", remote_id="", reason=WHY)
    confirm_outcome(by=finance, order=untaken)

    untaken.refresh_from_db()
    assert proposal.against == ""
    assert untaken.state == "place_failed"
    assert postings.free_balance("psnb2b", "USD") == 5000_00


@pytest.mark.requirement("R26", "R83")
def test_paid_without_goods_is_owed_to_us_in_the_books_and_opens_the_lane(
    shop: Shop, lost: Order, submitted: Submitted, support: User, finance: User
) -> None:
    watched(lost, 2)
    propose_outcome(by=support, order=lost, verdict="paid_no_goods", remote_id="", reason=WHY)
    confirm_outcome(by=finance, order=lost)

    lost.refresh_from_db()
    charged = parse_amount(shop.sandbox.orders(supplier="psnb2b")[0]["total"], "USD")
    assert (lost.state, lost.attempts.get().state) == ("placed_no_id", "placed_no_id")
    assert postings.unreceived(str(lost.pk)) == charged
    assert postings.settled_balance("psnb2b", "USD") == postings.free_balance("psnb2b", "USD") == 5000_00 - charged
    assert Lane.objects.get(account=lost.account).holder is None
    with time_machine.travel(timezone.now() + timedelta(seconds=20)):
        assert run_until_settled(submitted("psnb2b", 1)).state == "codes_stored"


@pytest.mark.requirement("R26", "R83")
def test_goods_that_turn_up_make_it_a_purchase_once(shop: Shop, lost: Order, support: User, finance: User) -> None:
    watched(lost, 2)
    remote_id = shop.sandbox.orders(supplier="psnb2b")[0]["order_id"]
    with time_machine.travel(timezone.now() + timedelta(minutes=5)):
        for verdict, named in (("paid_no_goods", ""), ("placed", remote_id)):
            propose_outcome(by=support, order=lost, verdict=verdict, remote_id=named, reason=WHY)
            confirm_outcome(by=finance, order=lost)
            lost.refresh_from_db()
        run_until_settled(lost)

    assert lost.state == "codes_stored"
    assert postings.unreceived(str(lost.pk)) == 0
    assert postings.settled_balance("psnb2b", "USD") == 5000_00 - (lost.total_cost_minor or 0)


@pytest.mark.requirement("R72")
def test_money_that_came_back_ends_it(lost: Order, support: User, finance: User) -> None:
    watched(lost, 2)
    for verdict in ("paid_no_goods", "refunded"):
        propose_outcome(by=support, order=lost, verdict=verdict, remote_id="", reason=WHY)
        confirm_outcome(by=finance, order=lost)
        lost.refresh_from_db()

    assert lost.state == "refunded"
    assert postings.unreceived(str(lost.pk)) == 0
    assert postings.settled_balance("psnb2b", "USD") == postings.free_balance("psnb2b", "USD") == 5000_00


def test_paid_without_goods_is_said_once(lost: Order, support: User, finance: User) -> None:
    watched(lost, 2)
    propose_outcome(by=support, order=lost, verdict="paid_no_goods", remote_id="", reason=WHY)
    confirm_outcome(by=finance, order=lost)
    lost.refresh_from_db()

    with pytest.raises(Refused, match="verdicts offered"):
        propose_outcome(by=support, order=lost, verdict="paid_no_goods", remote_id="", reason=WHY)
    with pytest.raises(Refused, match="verdicts offered"):
        propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY)

    assert lost.resolutions.count() == 1


@pytest.mark.requirement("R26")
def test_an_order_that_people_were_called_to_can_still_be_ended(untaken: Order, support: User, finance: User) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        run_due(kinds=["order.investigate"])
    untaken.refresh_from_db()
    assert untaken.state == "manual_review"

    propose_outcome(by=support, order=untaken, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    confirm_outcome(by=finance, order=untaken)

    untaken.refresh_from_db()
    assert untaken.state == "place_failed"
    assert Lane.objects.get(account=untaken.account).holder is None


def test_another_region_or_face_value_is_not_this_order(shop: Shop, lost: Order, support: User, finance: User) -> None:
    with shop.sandbox.api("psnb2b") as api:
        other = api.post("orders", json={"region": "US", "denomination": 20, "quantity": lost.quantity}).json()["id"]
    propose_outcome(by=support, order=lost, verdict="placed", remote_id=other, reason=WHY)

    with pytest.raises(Refused, match="ordered 50 USD, the supplier says 20"):
        confirm_outcome(by=finance, order=lost)

    lost.refresh_from_db()
    assert (lost.state, lost.remote_id) == ("unknown", "")


def test_the_database_refuses_the_requester_as_judge(lost: Order, support: User, finance: User) -> None:
    assert lost.requested_by is not None
    with pytest.raises(IntegrityError), transaction.atomic():
        Resolution.objects.create(
            order=lost, verdict="not_placed", reason=WHY, requester=lost.requested_by, proposed_by=lost.requested_by
        )
    proposal = propose_outcome(
        by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True
    )
    with (
        guards.lifted(connection, {"orders_resolution"}),
        pytest.raises(IntegrityError, match="a_requester_confirms_no_outcome"),
        transaction.atomic(),
    ):
        Resolution.objects.filter(pk=proposal.pk).update(state="confirmed", decided_by=lost.requested_by)

    assert list(Resolution.objects.values_list("state", flat=True)) == ["open"]


def test_a_proposal_that_the_order_outgrew_is_not_confirmed(lost: Order, support: User, finance: User) -> None:
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    with guards.lifted(connection, {"orders_resolution"}):
        Resolution.objects.update(verdict="accepted")

    with pytest.raises(StaleState, match="moved on"):
        confirm_outcome(by=finance, order=lost)

    lost.refresh_from_db()
    assert lost.state == "unknown"
