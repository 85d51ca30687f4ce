"""A manager's decision: four eyes, over exactly what was shown, once, and with a reason where it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest, ApprovalRule
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.errors import DomainError, NotAllowed, Refused, StaleState
from procurement.orders.models import Attempt, Order
from procurement.orders.services.approving import approve_order, reject_order, send_back_order
from procurement.orders.services.drafting import submit_order, withdraw_order
from procurement.staff.models import User
from procurement.work.models import DueWork
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


@pytest.fixture
def waiting(submitted: Submitted) -> Order:
    """An order over the limit of one order, waiting for a manager."""
    order = submitted("alpha", 20)
    assert order.state == "pending_approval"
    return order


def hash_of(order: Order) -> str:
    assert order.approval is not None
    return order.approval.content_hash


def assert_nothing_happened(order: Order) -> None:
    """The order still waits, nothing is held, stored for sending, or due."""
    now = Order.objects.select_related("approval").get(pk=order.pk)
    assert now.approval is not None
    assert (now.state, now.approval.state, now.approval.decided_by) == ("pending_approval", "open", None)
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert not Attempt.objects.filter(order=order).exists()
    assert not DueWork.objects.filter(kind="order.place", ref=str(order.pk)).exists()


@pytest.mark.requirement("R35", "R90")
def test_approval_by_another_manager_holds_the_money_and_sends_the_order(
    shop: Shop, waiting: Order, manager: User
) -> None:
    approve_order(by=manager, order=waiting, shown_hash=hash_of(waiting))

    assert waiting.state == "approved"
    assert postings.free_balance("alpha", "USD") == 5000_00 - waiting.max_total_minor
    assert DueWork.objects.filter(kind="order.place", ref=str(waiting.pk)).exists()
    assert run_until_settled(waiting).state == "codes_stored"
    assert ApprovalRequest.objects.get().decided_by == manager


@pytest.mark.requirement("R35")
def test_requester_cannot_approve_own_order(shop: Shop, manager: User, second_manager: User) -> None:
    order = submit_order(by=manager, order=shop.order(manager, quantity=20))

    with pytest.raises(NotAllowed, match=r"You asked for this.*Max Manager.*Nothing was decided"):
        approve_order(by=manager, order=order, shown_hash=hash_of(order))

    assert_nothing_happened(order)


@pytest.mark.requirement("R35")
def test_the_database_itself_refuses_a_decision_by_the_requester(waiting: Order, buyer: User) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.update(state="approved", decided_by=buyer, decided_at=timezone.now())

    assert_nothing_happened(waiting)


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("role", ["buyer", "support", "finance", "admin", "auditor", ""])
def test_only_managers_decide(waiting: Order, person: Callable[..., User], role: str) -> None:
    other = person("other", *([role] if role else []))

    for decide in (approve_order, reject_order, send_back_order):
        with pytest.raises(NotAllowed, match=r"Nothing was"):
            decide(by=other, order=waiting, shown_hash=hash_of(waiting), reason="I should not")

    assert_nothing_happened(waiting)


@pytest.mark.requirement("R15")
def test_what_was_not_shown_is_not_approved(waiting: Order, manager: User) -> None:
    with pytest.raises(StaleState, match=r"changed since you opened this page"):
        approve_order(by=manager, order=waiting, shown_hash="0" * 64)

    assert_nothing_happened(waiting)


@pytest.mark.requirement("R15")
def test_an_order_that_changed_after_it_was_asked_is_not_approved(waiting: Order, manager: User) -> None:
    Order.objects.filter(pk=waiting.pk).update(quantity=21)
    waiting.refresh_from_db()

    with pytest.raises(StaleState, match=r"changed since approval was asked"):
        approve_order(by=manager, order=waiting, shown_hash=hash_of(waiting))

    assert_nothing_happened(waiting)


def test_second_manager_sees_the_decision_of_the_first(waiting: Order, manager: User, second_manager: User) -> None:
    other_view = Order.objects.select_related("approval", "account", "product").get(pk=waiting.pk)
    reject_order(by=manager, order=waiting, shown_hash=hash_of(waiting), reason="Too many at once")

    with pytest.raises(DomainError):
        approve_order(by=second_manager, order=other_view, shown_hash=hash_of(other_view))

    request = ApprovalRequest.objects.get()
    assert (request.state, request.decided_by) == ("rejected", manager)
    assert not Attempt.objects.exists()
    assert postings.free_balance("alpha", "USD") == 5000_00


@pytest.mark.parametrize("decide", [reject_order, send_back_order])
@pytest.mark.parametrize("reason", ["", "  ", "no"])
def test_a_refusal_needs_a_reason(waiting: Order, manager: User, decide: Callable[..., None], reason: str) -> None:
    with pytest.raises(Refused, match=r"Say why"):
        decide(by=manager, order=waiting, shown_hash=hash_of(waiting), reason=reason)

    assert_nothing_happened(waiting)


@pytest.mark.requirement("R29")
def test_a_rejected_order_stays_on_record_with_the_reason(waiting: Order, manager: User) -> None:
    reject_order(by=manager, order=waiting, shown_hash=hash_of(waiting), reason="Ask Alpha for a better price")

    waiting.refresh_from_db()
    assert waiting.state == "rejected"
    assert AuditEvent.objects.get(action="order.rejected").reason == "Ask Alpha for a better price"
    assert postings.free_balance("alpha", "USD") == 5000_00


def test_an_order_sent_back_can_be_asked_for_again(waiting: Order, manager: User, buyer: User) -> None:
    send_back_order(by=manager, order=waiting, shown_hash=hash_of(waiting), reason="Which customer is this for?")
    order = Order.objects.select_related("account", "product", "mapping__sku", "mapping__account").get(pk=waiting.pk)
    assert (order.state, order.approval) == ("draft", None)

    submit_order(by=buyer, order=order)

    assert [request.state for request in ApprovalRequest.objects.order_by("requested_at")] == ["sent_back", "open"]


def test_an_expired_request_is_not_approved(waiting: Order, manager: User) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=25)), pytest.raises(StaleState, match=r"has expired"):
        approve_order(by=manager, order=waiting, shown_hash=hash_of(waiting))

    assert_nothing_happened(waiting)


@pytest.mark.requirement("R15")
def test_an_order_is_not_approved_above_the_price_that_was_asked_for(waiting: Order, manager: User) -> None:
    waiting.product.cost_minor = waiting.unit_cost_minor + 1
    waiting.product.save()

    with pytest.raises(Refused, match=r"price rose"):
        approve_order(by=manager, order=waiting, shown_hash=hash_of(waiting))

    assert_nothing_happened(waiting)


@pytest.mark.requirement("R90")
def test_money_spent_meanwhile_refuses_the_approval_and_holds_nothing(
    shop: Shop, waiting: Order, manager: User
) -> None:
    spend = 5000_00 - waiting.max_total_minor + 1
    facts = {"account_code": "alpha", "currency": "USD", "order_id": "another", "label": "ORDER-9"}
    postings.hold_order(**facts, amount_minor=spend, actor="Ben Buyer")

    with pytest.raises(Refused, match=r"available|free"):
        approve_order(by=manager, order=waiting, shown_hash=hash_of(waiting))

    waiting.refresh_from_db()
    assert waiting.state == "pending_approval"
    assert ApprovalRequest.objects.get().state == "open"
    assert not Attempt.objects.filter(order=waiting).exists()
    assert postings.free_balance("alpha", "USD") == waiting.max_total_minor - 1


def test_only_the_requester_takes_a_request_back(waiting: Order, buyer: User, manager: User) -> None:
    with pytest.raises(Refused, match=r"Only the person who asked"):
        withdraw_order(by=manager, order=waiting)
    assert_nothing_happened(waiting)

    withdraw_order(by=buyer, order=waiting)

    assert (waiting.state, ApprovalRequest.objects.get().state) == ("draft", "withdrawn")


@pytest.mark.requirement("R35")
def test_the_limits_of_an_installation_are_its_own(shop: Shop, buyer: User) -> None:
    ApprovalRule.objects.create(currency="USD", order_limit_minor=1_00, daily_limit_minor=2_00)

    order = submit_order(by=buyer, order=shop.order(buyer, quantity=1))

    assert order.state == "pending_approval"
    assert "Over 1.00 USD" in ApprovalRequest.objects.get().rule
