"""What was approved is what is sent: whoever changes an order or its request by whatever path, nothing leaves."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from ledger import guards
from procurement.approvals.models import ApprovalRequest
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.catalog.models import Product
from procurement.orders.models import Attempt, Order
from procurement.orders.services.approving import approve_order
from procurement.orders.services.drafting import withdraw_order
from procurement.orders.services.placing import place_order
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def approved(submitted: Submitted, manager: User, quantity: int = 20) -> Order:
    """A large order at PSN:B2B that a manager approved."""
    order = submitted("psnb2b", quantity)
    assert order.approval is not None
    approve_order(by=manager, order=order, shown_hash=order.approval.content_hash)
    return order


def more_codes(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(quantity=order.quantity + 1)


def a_higher_price(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(unit_cost_minor=order.unit_cost_minor + 100)


def another_currency(order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(cost_currency="EUR")


def another_product(order: Order) -> None:
    other = Product.objects.filter(account=order.account).exclude(pk=order.product_id).first()
    Order.objects.filter(pk=order.pk).update(product=other)


def another_key_of_the_product(order: Order) -> None:
    Product.objects.filter(pk=order.product_id).update(external_id="TR-50")


def other_bytes(order: Order) -> None:
    body = b'{"denomination":50,"quantity":200,"region":"US"}'
    order.attempts.update(body=body, body_sha256=hashlib.sha256(body).hexdigest())


def another_account(order: Order) -> None:
    order.attempts.update(account=SupplierAccount.objects.get(code="alpha"))


def a_revoked_approval(order: Order) -> None:
    past_the_guards(order, state="rejected")


def another_approval(order: Order) -> None:
    past_the_guards(order, content_hash="0" * 64)


def past_the_guards(order: Order, **changes: str) -> None:
    """The database refuses this (see test_self_approval.py); what is sent is compared all the same."""
    with guards.lifted(connection, {"approvals_approvalrequest"}):
        ApprovalRequest.objects.filter(subject_id=str(order.pk)).update(**changes)


PATHS: dict[Callable[[Order], None], str] = {
    more_codes: "quantity",
    a_higher_price: "highest cost",
    another_currency: "highest cost",
    another_product: "product",
    another_key_of_the_product: "product",
    other_bytes: "stored request",
    another_account: "stored request",
    a_revoked_approval: "approval itself",
    another_approval: "approval itself",
}


@pytest.mark.requirement("R15", "R35")
@pytest.mark.parametrize("change", PATHS, ids=lambda change: change.__name__)
def test_an_order_changed_behind_its_approval_is_not_sent(
    shop: Shop, submitted: Submitted, manager: User, change: Callable[[Order], None]
) -> None:
    order = approved(submitted, manager)
    change(order)

    place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "place_failed"
    assert PATHS[change] in order.problem
    assert PATHS[change] in AuditEvent.objects.get(action="order.differs").facts["what"]
    assert order.attempts.get().state == "void"
    assert postings.free_balance("psnb2b", "USD") == 5000_00
    assert shop.sandbox.orders(supplier="psnb2b") == []
    assert shop.sandbox.requests(supplier="psnb2b", method="POST") == []


def test_an_order_nobody_touched_is_sent_as_it_was_approved(shop: Shop, submitted: Submitted, manager: User) -> None:
    order = approved(submitted, manager)

    place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "placed"
    assert shop.sandbox.orders(supplier="psnb2b")[0]["quantity"] == 20


@pytest.mark.requirement("R15")
def test_a_repetition_whose_bytes_changed_is_not_sent_and_stays_unconfirmed(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "answer_lost")
    again = place_order(str(order.pk))
    assert again is not None
    other_bytes(order)

    with time_machine.travel(again + timedelta(seconds=10)):
        assert place_order(str(order.pk)) is None

    order.refresh_from_db()
    assert (order.state, order.attempts.get().state) == ("unknown", "unknown")
    assert len(shop.sandbox.requests(supplier="alpha", method="POST")) == 1


def test_an_approval_older_than_a_day_is_not_sent_even_if_no_clock_has_run(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")

    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "expired"
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert shop.sandbox.requests(supplier="alpha", method="POST") == []


def test_a_price_that_rises_while_a_postponed_order_waits_sends_it_back(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "rate_limit_now", seconds=1, where="order")
    again = place_order(str(order.pk))
    assert again is not None
    Product.objects.filter(pk=order.product_id).update(cost_minor=order.unit_cost_minor + 1)

    with time_machine.travel(again + timedelta(seconds=10)):
        place_order(str(order.pk))

    order.refresh_from_db()
    assert order.state == "draft"
    assert shop.sandbox.orders(supplier="alpha") == []


def test_the_bytes_and_the_content_are_frozen_together(shop: Shop, submitted: Submitted) -> None:
    attempt = Attempt.objects.get(order=submitted("psnb2b"))

    assert attempt.approved["request"] == hashlib.sha256(bytes(attempt.body)).hexdigest() == attempt.body_sha256
    assert attempt.approved["quantity"] == 2
    assert attempt.approved["unit_cost_cap"].endswith("USD")


def test_withdrawing_is_not_told_as_sending_back(submitted: Submitted, buyer: User) -> None:
    order = submitted("psnb2b", 20)

    withdraw_order(by=buyer, order=order)

    told = AuditEvent.objects.filter(subject_id=str(order.pk)).values_list("action", flat=True)
    assert "order.withdrawn" in told
    assert "order.sent_back" not in told
