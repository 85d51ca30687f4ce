"""Order and approval pages over HTTP: what each person sees of money, and what a stale or double click does."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Order
from procurement.orders.queries import without_amounts
from procurement.orders.services.approving import reject_order
from procurement.staff.models import User
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def fields_of(answer: Any, action: str = "") -> dict[str, str]:
    """The hidden fields of the form on a page that posts to `action`."""
    forms = re.findall(r"<form[^>]*method=\"post\"[^>]*>.*?</form>", answer.content.decode(), re.DOTALL)
    form = next(form for form in forms if f'action="{action}"' in form or not action)
    found = re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", form)
    return {name(field, "name"): name(field, "value") for field in found}


def name(tag: str, attribute: str) -> str:
    match = re.search(rf'{attribute}="([^"]*)"', tag)
    return match.group(1) if match else ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("It costs 1,234.50 USD now", "It costs an amount now"),
        ("from 46.20 USD to 47.00 USD", "from an amount to an amount"),
        ("2 of 3 codes came", "2 of 3 codes came"),
        ("Not before 03:54:56 UTC", "Not before 03:54:56 UTC"),
        ("US 50 USD card", "US an amount card"),
        ("ORDER-1042", "ORDER-1042"),
    ],
)
def test_amounts_leave_a_sentence_for_people_who_may_not_see_costs(text: str, shown: str) -> None:
    assert without_amounts(text) == shown


def test_support_sees_no_cost_on_an_order(shop: Shop, submitted: Submitted, support: User, manager: User) -> None:
    order = run_until_settled(submitted("alpha"))
    cost = postings.amount_text(order.total_cost_minor or 0, "USD").split()[0]
    page = reverse("orders:order_detail", args=[order.pk])

    assert cost in signed_in(manager).get(page).content.decode()
    assert cost not in signed_in(support).get(page).content.decode()
    assert postings.amount_text(order.unit_cost_minor, "USD") not in signed_in(support).get(page).content.decode()


@pytest.mark.requirement("R19")
@pytest.mark.parametrize(
    "query", ["q={client}", "q={remote}", "view=delivered", "supplier=alpha", "state=codes_stored"]
)
def test_an_order_is_found_by_each_of_its_ids(shop: Shop, submitted: Submitted, buyer: User, query: str) -> None:
    order, other = run_until_settled(submitted("alpha")), submitted("psnb2b")
    asked = query.format(client=order.client_order_id, remote=order.remote_id)

    page = signed_in(buyer).get(f"{reverse('orders:order_list')}?{asked}").content.decode()

    assert str(order.pk) in page
    assert str(other.pk) not in page


def test_the_export_of_orders_leaves_costs_out_for_support(
    shop: Shop, submitted: Submitted, support: User, buyer: User
) -> None:
    submitted("alpha")
    url = f"{reverse('orders:order_list')}?format=csv"

    heads = {user.username: signed_in(user).get(url).getvalue().decode() for user in (support, buyer)}

    assert "total minor" in heads["ben_buyer"]
    assert "total minor" not in heads["sam_support"]


@pytest.mark.requirement("R22")
def test_a_double_click_on_place_order_orders_once(shop: Shop, buyer: User) -> None:
    client = signed_in(buyer)
    query = {"check": "1", "sku": shop.sku.code, "supplier": "alpha", "quantity": "2", "client_order_id": "ORDER-5"}
    check = client.get(reverse("orders:order_new"), query)
    fields = fields_of(check, reverse("orders:order_place"))

    answers = [client.post(reverse("orders:order_place"), fields) for _ in range(2)]

    order = Order.objects.get()
    assert [answer.status_code for answer in answers] == [303, 303]
    assert {answer["Location"] for answer in answers} == {reverse("orders:order_detail", args=[order.pk])}
    assert Attempt.objects.count() == 1
    assert postings.free_balance("alpha", "USD") == 5000_00 - order.max_total_minor


@pytest.mark.requirement("R15")
def test_a_price_that_moved_shows_the_check_page_with_both_prices(shop: Shop, buyer: User) -> None:
    client = signed_in(buyer)
    query = {"check": "1", "sku": shop.sku.code, "supplier": "alpha", "quantity": "2", "client_order_id": "ORDER-5"}
    fields = fields_of(client.get(reverse("orders:order_new"), query), reverse("orders:order_place"))
    product = shop.mappings["alpha"].product
    old = product.cost_minor or 0
    type(product).objects.filter(pk=product.pk).update(cost_minor=old + 100)

    answer = client.post(reverse("orders:order_place"), fields)

    text = answer.content.decode()
    assert answer.status_code == 422
    assert f"from {postings.amount_text(old, 'USD')} to {postings.amount_text(old + 100, 'USD')}" in text
    assert fields_of(answer, reverse("orders:order_place"))["unit_cost"] == str(old + 100)
    assert not Order.objects.exists()


def test_the_second_manager_reads_who_decided(
    shop: Shop, submitted: Submitted, manager: User, second_manager: User
) -> None:
    order = submitted("alpha", 20)
    client = signed_in(second_manager)
    request = ApprovalRequest.objects.get()
    page = reverse("approvals:request_detail", args=[request.pk])
    decide = reverse("approvals:request_decide", args=[request.pk])
    fields = fields_of(client.get(page), decide)
    assert order.approval is not None
    reject_order(by=manager, order=order, shown_hash=order.approval.content_hash, reason="Too many at once")

    answer = client.post(decide, {**fields, "decision": "approve"})

    assert answer.status_code == 409
    assert "This was already decided: Rejected by Mia Manager" in client.get(page).content.decode()
    assert 'value="approve"' not in client.get(page).content.decode()
    assert not Attempt.objects.exists()


@pytest.mark.requirement("R35")
def test_the_requester_sees_why_they_cannot_decide(shop: Shop, manager: User, second_manager: User) -> None:
    client = signed_in(manager)
    query = {"check": "1", "sku": shop.sku.code, "supplier": "alpha", "quantity": "20", "client_order_id": "ORDER-5"}
    fields = fields_of(client.get(reverse("orders:order_new"), query), reverse("orders:order_place"))
    client.post(reverse("orders:order_place"), fields)
    request = ApprovalRequest.objects.get()

    page = client.get(reverse("approvals:request_detail", args=[request.pk])).content.decode()

    assert "it needs another manager: Max Manager" in page
    assert 'value="approve"' not in page


def test_an_order_that_went_out_offers_no_cancelling(shop: Shop, submitted: Submitted, buyer: User) -> None:
    order = run_until_settled(submitted("alpha"))

    answer = signed_in(buyer).get(reverse("orders:order_cancel", args=[order.pk]))

    assert answer.status_code == 422
    assert "can&#x27;t be cancelled any more. Nothing was changed." in answer.content.decode()


@pytest.mark.requirement("R44")
def test_a_waiting_order_shows_its_place_in_the_queue(shop: Shop, submitted: Submitted, buyer: User) -> None:
    submitted("alpha", 1)
    second = submitted("alpha", 1)

    page = signed_in(buyer).get(reverse("orders:order_detail", args=[second.pk])).content.decode()

    assert "Place 2 in the queue of Alpha PSN" in page


@pytest.mark.requirement("R29", "R27")
def test_a_failed_attempt_stays_on_the_orders_page(shop: Shop, submitted: Submitted, buyer: User) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "stock_gone")
    run_until_settled(order)

    page = signed_in(buyer).get(reverse("orders:order_detail", args=[order.pk])).content.decode()

    attempt = order.attempts.get()
    assert order.state == "place_failed"
    assert attempt.idempotency_key in page
    assert "The supplier did not take the order" in page
