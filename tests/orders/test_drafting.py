"""From a storefront order to a purchase: what is refused before anything is held, and what a day may cost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest, ApprovalRule
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.forms import OrderForm
from procurement.orders.models import Attempt, Order
from procurement.orders.services.approving import approve_order, send_back_order
from procurement.orders.services.drafting import (
    cancel_order,
    change_quantity,
    draft_order,
    next_client_order_id,
    quote,
    submit_order,
    warnings,
)
from procurement.orders.services.placing import place_order
from procurement.staff.models import User
from procurement.terms import asking
from procurement.work.models import DueWork
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def assert_nothing_is_held(orders: int = 0) -> None:
    assert Order.objects.count() == orders
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert not Attempt.objects.exists()
    assert not DueWork.objects.filter(kind="order.place").exists()


@pytest.mark.requirement("R19", "R23")
@pytest.mark.parametrize("again", ["ORDER-7", "order-7", " ORDER-7 "])
def test_a_storefront_order_is_ordered_once(shop: Shop, buyer: User, again: str) -> None:
    shop.order(buyer, name="ORDER-7")

    with pytest.raises(Refused, match=r"has an order already. No second order was made"):
        shop.order(buyer, quantity=9, name=again)

    assert_nothing_is_held(orders=1)


@pytest.mark.parametrize("name", ["", "   ", "-1", "ORDER 7", "ORDER-🎁", "ORDER-7\nX", "x" * 65, "<b>", "ОРДЕР-1"])
def test_a_storefront_order_id_is_plain_text(shop: Shop, buyer: User, name: str) -> None:
    with pytest.raises(Refused, match=r"1 to 64 letters"):
        draft_order(by=buyer, mapping=shop.mappings["alpha"], quantity=1, client_order_id=name)

    assert_nothing_is_held()


def test_free_ids_are_proposed(shop: Shop, buyer: User) -> None:
    first = next_client_order_id()
    shop.order(buyer, name=first)

    assert next_client_order_id() != first


@pytest.mark.requirement("R3", "R9")
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("region", "TR", "the SKU is sold for TR, the product is for US"),
        ("currency", "EUR", "the SKU is in EUR, the product in USD"),
        ("face_minor", 2500, "the SKU is worth 25.00 USD, the product 50.00 USD"),
    ],
)
def test_a_mapping_whose_sides_differ_cannot_be_ordered_from(
    shop: Shop, buyer: User, field: str, value: Any, said: str
) -> None:
    mapping = shop.mappings["alpha"]
    setattr(mapping.sku, field, value)

    with pytest.raises(Refused, match=said):
        shop.order(buyer)

    assert_nothing_is_held()


@pytest.mark.requirement("R2")
@pytest.mark.parametrize("state", ["draft", "retired"])
def test_only_an_active_mapping_is_ordered_from(shop: Shop, buyer: User, state: str) -> None:
    shop.mappings["alpha"].state = state

    with pytest.raises(Refused, match=r"No order was made. Activate it first"):
        shop.order(buyer)

    assert_nothing_is_held()


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("quantity", [0, -1, 1001, 10**9, 10**30])
def test_a_quantity_is_positive_and_limited(shop: Shop, buyer: User, quantity: int) -> None:
    with pytest.raises(Refused, match=r"No order was made"):
        shop.order(buyer, quantity=quantity)

    assert_nothing_is_held()


@pytest.mark.requirement("R38")
def test_no_more_is_ordered_than_the_supplier_has(shop: Shop, buyer: User) -> None:
    shop.mappings["alpha"].product.stock = 3

    with pytest.raises(Refused, match=r"has 3 in stock, you asked for 4"):
        shop.order(buyer, quantity=4)

    assert_nothing_is_held()


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("text", ["0", "-1", "1000000000", "1e3", "2.5", "🎁", "٣", "ten", "1001", ""])
def test_the_form_takes_whole_numbers_only(shop: Shop, text: str) -> None:
    form = OrderForm({"sku": shop.sku.code, "quantity": text, "client_order_id": "ORDER-1"})

    assert "quantity" in form.errors
    assert_nothing_is_held()


@pytest.mark.parametrize(("text", "quantity"), [("20", 20), (" 1,000 ", 1000), ("1 000", 1000)])
def test_the_form_reads_numbers_as_people_write_them(shop: Shop, text: str, quantity: int) -> None:
    form = OrderForm({"sku": "us-50", "quantity": text, "client_order_id": "ORDER-1"})

    assert form.is_valid(), form.errors
    assert form.cleaned_data["quantity"] == quantity


@pytest.mark.requirement("R90")
def test_an_order_beyond_the_balance_is_refused_and_holds_nothing(shop: Shop, buyer: User) -> None:
    cost = shop.mappings["alpha"].product.cost_minor
    assert cost is not None

    with pytest.raises(Refused, match=r"has 5,000\.00 USD free and this needs .* more. Nothing was ordered"):
        shop.order(buyer, quantity=5000_00 // cost + 1)

    assert_nothing_is_held()


@pytest.mark.requirement("R90")
def test_two_orders_cannot_spend_the_same_money(shop: Shop, buyer: User, manager: User) -> None:
    ApprovalRule.objects.create(currency="USD", order_limit_minor=10_000_00, daily_limit_minor=10_000_00)
    cost = shop.mappings["alpha"].product.cost_minor
    assert cost is not None
    most = 5000_00 // cost
    first, second = (shop.order(None, quantity=most) for _ in range(2))
    submit_order(by=None, order=first)

    with pytest.raises(Refused, match=r"more. Nothing was ordered"):
        submit_order(by=None, order=second)

    second.refresh_from_db()
    assert (second.state, second.attempts.count()) == ("draft", 0)
    assert postings.free_balance("alpha", "USD") == 5000_00 - first.max_total_minor


@pytest.mark.requirement("R35")
def test_the_system_orders_nothing_above_the_limit(shop: Shop) -> None:
    order = shop.order(None, quantity=20)

    with pytest.raises(Refused, match=r"needs a person who asks for it\. Nothing was ordered"):
        submit_order(by=None, order=order)

    order.refresh_from_db()
    assert (order.state, order.attempts.count()) == ("draft", 0)
    assert postings.free_balance("alpha", "USD") == 5000_00


@pytest.mark.requirement("R15")
def test_a_price_that_moved_since_it_was_shown_is_said_with_both_prices(shop: Shop, buyer: User) -> None:
    mapping = shop.mappings["alpha"]
    shown = quote(by=buyer, mapping=mapping, quantity=2).unit_cost_minor
    mapping.product.cost_minor = shown + 150

    with pytest.raises(Refused) as refusal:
        draft_order(by=buyer, mapping=mapping, quantity=2, client_order_id="ORDER-1", shown_unit_cost_minor=shown)

    old, new = postings.amount_text(shown, "USD"), postings.amount_text(shown + 150, "USD")
    assert f"moved from {old} to {new}" in refusal.value.sentence
    assert_nothing_is_held()


@pytest.mark.requirement("R15")
def test_a_draft_goes_on_at_a_higher_price_only_when_its_requester_saw_it(shop: Shop, buyer: User) -> None:
    order = shop.order(buyer)
    before = order.unit_cost_minor
    order.product.cost_minor = before + 100
    order.product.save()
    order.mapping.product.refresh_from_db()
    with pytest.raises(Refused, match=r"Nothing was ordered"):
        submit_order(by=buyer, order=order)
    assert_nothing_is_held(orders=1)

    submit_order(by=buyer, order=order, shown_unit_cost_minor=before + 100)

    order.refresh_from_db()
    assert (order.state, order.unit_cost_minor) == ("approved", before + 100)
    assert postings.free_balance("alpha", "USD") == 5000_00 - 2 * (before + 100)
    assert AuditEvent.objects.filter(action="order.repriced", subject_id=str(order.pk)).count() == 1


@pytest.mark.requirement("R35")
def test_only_the_requester_sends_a_draft_on(shop: Shop, buyer: User, manager: User) -> None:
    order = shop.order(buyer)

    with pytest.raises(NotAllowed, match=r"Ben Buyer drafted this order"):
        submit_order(by=manager, order=order)

    assert_nothing_is_held(orders=1)


@pytest.mark.requirement("R10")
def test_an_old_price_warns_and_a_day_old_one_blocks(shop: Shop, buyer: User) -> None:
    mapping = shop.mappings["alpha"]
    with time_machine.travel(timezone.now() + timedelta(minutes=20)):
        assert "20 minutes old" in warnings(mapping, 2)[0]
    with time_machine.travel(timezone.now() + timedelta(hours=25)), pytest.raises(Refused, match=r"over 24 hours ago"):
        shop.order(buyer)

    assert_nothing_is_held()


def test_the_same_order_again_warns(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha", 3)

    assert f"by Ben Buyer: {order}." in warnings(shop.mappings["alpha"], 3)[0]
    assert warnings(shop.mappings["alpha"], 4) == []


@pytest.mark.requirement("R17")
def test_a_question_to_be_checked_before_money_warns_until_it_is(
    shop: Shop, buyer: User, admin: User, person: Callable[..., User]
) -> None:
    mapping, account = shop.mappings["alpha"], shop.accounts["alpha"]
    asking.ask_question(by=buyer, account=account, before="engineering", question="Which fields come?")
    assert warnings(mapping, 1) == []
    question = asking.ask_question(by=buyer, account=account, before="money", question="Who refunds a wrong region?")
    asking.answer_question(by=admin, question=question, answer="They do.", control="One test order first.")

    assert warnings(mapping, 1) == ["Buyer's questions about Alpha PSN that nobody has checked: 1."]
    asking.check_question(by=person("abe_admin", "admin"), question=question)
    assert warnings(mapping, 1) == []


@pytest.mark.requirement("R35")
def test_small_orders_do_not_slip_under_the_limit_of_a_day(shop: Shop, submitted: Submitted) -> None:
    cost = shop.mappings["alpha"].product.cost_minor
    assert cost is not None
    within = 500_00 // cost
    orders = [submitted("alpha", within) for _ in range(6)]

    spent = 0
    for order in orders:
        expected = "approved" if spent + order.max_total_minor <= 2000_00 else "pending_approval"
        assert order.state == expected
        spent += order.max_total_minor
    assert orders[-1].state == "pending_approval"
    assert "2,000.00 USD in one day" in ApprovalRequest.objects.order_by("requested_at")[0].rule


@pytest.mark.requirement("R25")
def test_nothing_is_ordered_at_a_paused_account(shop: Shop, buyer: User) -> None:
    shop.mappings["alpha"].account.state = "paused"
    shop.mappings["alpha"].account.paused_reason = "contract"

    with pytest.raises(Refused, match=r"is paused: contract. No order was made"):
        shop.order(buyer)

    assert_nothing_is_held()


@pytest.mark.requirement("R108")
def test_nothing_is_ordered_at_an_account_of_the_other_environment(shop: Shop, buyer: User) -> None:
    shop.mappings["alpha"].account.environment = "live"

    with pytest.raises(Refused, match=r"is a live account and this is a sandbox installation"):
        shop.order(buyer)

    assert_nothing_is_held()


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("role", ["support", "finance", "admin", "auditor", ""])
def test_only_buyers_and_managers_order(shop: Shop, person: Callable[..., User], role: str) -> None:
    other = person("other", *([role] if role else []))

    with pytest.raises(NotAllowed, match=r"This is for: Buyer, Manager"):
        shop.order(other)

    assert_nothing_is_held()


def test_a_cancelled_order_frees_its_money_and_is_never_sent(shop: Shop, submitted: Submitted, buyer: User) -> None:
    order = submitted("alpha")

    cancel_order(by=buyer, order=order, reason="The customer changed their mind")

    assert place_order(str(order.pk)) is None
    order.refresh_from_db()
    assert (order.state, order.attempts.get().state) == ("cancelled", "void")
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert shop.sandbox.orders() == []


def test_an_order_on_its_way_is_not_cancelled(shop: Shop, submitted: Submitted, buyer: User) -> None:
    order = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(order.pk))
    order.refresh_from_db()

    with pytest.raises(Refused, match=r"can't be cancelled any more. Nothing was changed"):
        cancel_order(by=buyer, order=order, reason="Too late")

    order.refresh_from_db()
    assert order.state == "unknown"
    assert postings.free_balance("psnb2b", "USD") == 5000_00 - order.max_total_minor


@pytest.mark.requirement("R15")
def test_what_was_decided_stays_when_the_catalogue_changes(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    before = (order.region, order.face_minor, order.unit_cost_minor, order.max_total_minor)
    Mapping.objects.update(state="retired")
    type(shop.sku).objects.update(region="TR", face_minor=1)
    type(order.product).objects.update(region="TR", cost_minor=1)

    order.refresh_from_db()
    assert (order.region, order.face_minor, order.unit_cost_minor, order.max_total_minor) == before


@pytest.mark.requirement("R15", "R35")
def test_a_draft_that_was_sent_back_gets_another_quantity_and_must_be_approved_anew(
    shop: Shop, submitted: Submitted, buyer: User, manager: User
) -> None:
    order = submitted("alpha", 20)
    assert order.approval is not None
    shown = order.approval.content_hash
    send_back_order(by=manager, order=order, shown_hash=shown, reason="Twelve are enough")
    product = order.product
    type(product).objects.filter(pk=product.pk).update(cost_minor=(product.cost_minor or 0) + 10)
    order = Order.objects.get(pk=order.pk)

    terms = change_quantity(by=buyer, order=order, quantity=12)

    order.refresh_from_db()
    assert (order.state, order.quantity, order.approval) == ("draft", 12, None)
    assert order.unit_cost_minor == terms.unit_cost_minor == (product.cost_minor or 0) + 10
    submit_order(by=buyer, order=order)
    assert order.state == "pending_approval"
    assert order.approval is not None
    assert order.approval.amount_minor == order.max_total_minor
    with pytest.raises(StaleState):
        approve_order(by=manager, order=order, shown_hash=shown)
    assert_nothing_is_held(orders=1)


@pytest.mark.parametrize("quantity", [0, -1, 1001, 2, 900])
def test_a_quantity_that_can_not_be_ordered_leaves_the_draft_as_it_was(shop: Shop, buyer: User, quantity: int) -> None:
    order = shop.order(buyer)

    with pytest.raises(Refused):
        change_quantity(by=buyer, order=order, quantity=quantity)

    order.refresh_from_db()
    assert (order.quantity, order.version, order.state) == (2, 1, "draft")


def test_only_the_requester_and_only_of_a_draft_changes_the_quantity(
    shop: Shop, submitted: Submitted, buyer: User, manager: User, support: User
) -> None:
    draft, waiting, stale = shop.order(buyer), submitted("alpha", 20), shop.order(buyer)
    Order.objects.filter(pk=stale.pk).update(version=7)

    for who, order, error in (
        (manager, draft, NotAllowed),
        (support, draft, NotAllowed),
        (buyer, waiting, StaleState),
        (buyer, stale, StaleState),
    ):
        with pytest.raises(error):
            change_quantity(by=who, order=order, quantity=5)

    assert sorted(Order.objects.values_list("quantity", flat=True)) == [2, 2, 20]
    assert not AuditEvent.objects.filter(action="order.quantity_changed").exists()
