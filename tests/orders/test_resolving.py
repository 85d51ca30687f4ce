"""Two people end an order nobody is sure of; nothing is ever sent again by it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from procurement.bookkeeping import postings
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Lane, Order, Resolution
from procurement.orders.services.placing import place_order
from procurement.orders.services.resolving import confirm_outcome, decline_outcome, propose_outcome
from procurement.staff.models import User
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
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY)
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
    both = person("bo_both", "support", "finance")
    propose_outcome(by=both, order=lost, verdict="not_placed", remote_id="", reason=WHY)

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
    proposal = propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY)

    with pytest.raises(IntegrityError), transaction.atomic():
        Resolution.objects.filter(pk=proposal.pk).update(state="confirmed", decided_by=support)

    assert Resolution.objects.get().state == "open"


def test_a_thin_proposal_and_a_second_one_are_refused(lost: Order, support: User, manager: User) -> None:
    for verdict, remote_id, reason in (("placed", "", WHY), ("not_placed", "", "no"), ("maybe", "", WHY)):
        with pytest.raises(Refused):
            propose_outcome(by=support, order=lost, verdict=verdict, remote_id=remote_id, reason=reason)
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY)

    with pytest.raises(StaleState):
        propose_outcome(by=manager, order=lost, verdict="not_placed", remote_id="", reason=WHY)

    assert Resolution.objects.count() == 1


def test_the_pages_lead_from_proposal_to_verdict(client: Client, lost: Order, support: User, finance: User) -> None:
    page = f"/orders/{lost.pk}/"
    client.force_login(support)
    shown = client.get(page).content.decode()
    assert "What became of it?" in shown
    form = {"once": "0" * 31 + "1", "verdict": "not_placed", "remote_id": "", "reason": WHY}
    client.post(f"{page}outcome/propose/", form)
    client.force_login(finance)
    assert "Confirm: the supplier did not take it" in client.get(page).content.decode()

    client.post(f"{page}outcome/confirm/", {"once": "0" * 31 + "2"})

    lost.refresh_from_db()
    assert lost.state == "place_failed"
    assert "What became of it?" not in client.get(page).content.decode()


def test_finance_may_disagree_and_the_order_stays_unconfirmed(lost: Order, support: User, finance: User) -> None:
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY)

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
