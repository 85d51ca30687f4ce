"""Order and approval pages over HTTP: what each person sees of money, and what a stale or double click does."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import postings
from procurement.orders import queries
from procurement.orders.models import Attempt, Order
from procurement.orders.queries import without_amounts
from procurement.orders.services import drafting
from procurement.orders.services.approving import approve_order, reject_order, send_back_order
from procurement.orders.services.placing import place_order
from procurement.orders.services.timing import wait_words
from procurement.staff.models import User
from procurement.suppliers.models import Exchange
from procurement.terms.services import Said, confirm_statement, contradict_statement, record_statement
from procurement.web.subjects import SubjectLink, links_of
from procurement.work.models import DueWork
from procurement.work.runner import run_due
from tests.at_desk import Desk, Page
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

    assert "Place 2 in the queue of Alpha PSN: less than a minute at 10 orders a minute." in page


@pytest.mark.requirement("R108")
def test_orders_name_their_account_with_its_environment(shop: Shop, submitted: Submitted, buyer: User) -> None:
    order = submitted("alpha", 1)

    for url in (reverse("orders:order_list"), reverse("orders:order_detail", args=[order.pk])):
        assert 'Alpha PSN <span class="tag">Sandbox</span>' in signed_in(buyer).get(url).content.decode()


@pytest.mark.requirement("R44")
def test_how_long_a_queued_order_waits_is_said_honestly_or_not_at_all(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha", 1)

    assert wait_words(order, 30) == "about 3 minutes at 10 orders a minute"
    assert wait_words(order, 31) == "about 4 minutes at 10 orders a minute"
    order.account.blocked_until = timezone.now() + timedelta(minutes=10)
    assert wait_words(order, 30) == "about 13 minutes at 10 orders a minute"
    order.account.state = "down"
    assert wait_words(order, 30) == ""


@pytest.mark.requirement("R29", "R27")
def test_a_failed_attempt_stays_on_the_orders_page(shop: Shop, submitted: Submitted, buyer: User) -> None:
    order = submitted("alpha")
    shop.sandbox.arm("alpha", "stock_gone")
    run_until_settled(order)

    page = signed_in(buyer).get(reverse("orders:order_detail", args=[order.pk])).content.decode()

    attempt = order.attempts.get()
    assert order.state == "place_failed"
    assert attempt.idempotency_key in page
    assert hashlib.sha256(attempt.idempotency_key.encode()).hexdigest()[:8] in page
    assert "The supplier did not take the order" in page


def told(order: Order) -> list[str]:
    return [entry.sentence for entry in queries.timeline(order, with_cost=True)]


def test_the_timeline_tells_each_happening_once(
    shop: Shop, submitted: Submitted, buyer: User, manager: User, second_manager: User
) -> None:
    order = submitted("alpha", 20)
    assert order.approval is not None
    send_back_order(by=manager, order=order, shown_hash=order.approval.content_hash, reason="Too many for one day")
    drafting.submit_order(by=buyer, order=order)
    assert order.approval is not None
    approve_order(by=second_manager, order=order, shown_hash=order.approval.content_hash)

    most = postings.amount_text(order.max_total_minor, "USD")
    assert told(run_until_settled(order)) == [
        "Ben Buyer drafted the order",
        f"Ben Buyer asked for approval of at most {most}: Over 500.00 USD: needs one manager",
        "Mia Manager sent the request back",
        f"Ben Buyer asked for approval of at most {most}: Over 500.00 USD: needs one manager",
        f"Max Manager approved at most {most}",
        "Sending the order to the supplier",
        f"The supplier took the order as {order.remote_id}",
        "The supplier delivered",
        "Stored 20 codes",
    ]


def test_the_timeline_of_an_order_nobody_had_to_approve_says_who_released_it(shop: Shop, submitted: Submitted) -> None:
    assert told(submitted("alpha"))[-1] == "Ben Buyer released the order"


def test_a_delivered_order_with_wrong_codes_says_so_beside_its_badge(
    shop: Shop, submitted: Submitted, support: User
) -> None:
    right, wrong = run_until_settled(submitted("alpha")), submitted("alpha")
    shop.sandbox.arm("alpha", "wrong_region_code", region="TR")
    run_until_settled(wrong)
    desk = Desk(support)

    assert wrong.state == "codes_stored"
    for page in (desk.open("orders:order_detail", wrong.pk), desk.open("orders:order_list", q=str(wrong))):
        assert re.search(r"Delivered\W+1 wrong code\b", page.text)
    assert "wrong code" not in desk.open("orders:order_detail", right.pk).text
    assert desk.open("overview").text.count("1 wrong code") == 1


def test_the_list_of_orders_takes_as_many_queries_for_many_as_for_one(
    shop: Shop, submitted: Submitted, buyer: User, django_assert_num_queries: Any
) -> None:
    client, url = signed_in(buyer), reverse("orders:order_list")
    submitted("alpha")
    with CaptureQueriesContext(connection) as one:
        client.get(url)
    for _ in range(4):
        submitted("alpha", 1)

    with django_assert_num_queries(len(one)) as many:
        client.get(url)
    counts = [
        query["sql"] for query in many.captured_queries if "COUNT" in query["sql"] and "LIMIT" not in query["sql"]
    ]
    assert [sql for sql in counts if "orders_code" in sql] == []


def facts_of(page: Page) -> str:
    """What the page says of the next step, who takes it and what was heard last."""
    found = re.search(r"What happens next (.*?) (?:Sold|Codes) ", page.text)
    assert found is not None, page.text
    return found.group(1)


def test_every_order_page_says_what_comes_next_by_whom_and_what_was_heard_last(
    shop: Shop, submitted: Submitted, buyer: User, manager: User, support: User
) -> None:
    desk = Desk(buyer)

    def says(order: Order) -> str:
        return facts_of(desk.open("orders:order_detail", order.pk))

    draft = shop.order(buyer)
    assert "Is sent on, or cancelled. By Ben Buyer Last evidence none; nothing was sent" in says(draft)
    asked = submitted("alpha", 20)
    assert "Is approved, sent back or rejected. By A manager who did not ask for it" in says(asked)
    first, second = submitted("psnb2b", 1), submitted("psnb2b", 1)
    assert "Waits for its turn: place 2, " in says(second)
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(first.pk))
    assert "Next Two people must decide; meanwhile the desk reads the balance and the messages again, " in says(first)
    assert "By One proposes, another confirms" in says(first)
    assert f"Is sent after {first} is decided. By Support and finance decide that one" in says(second)
    keyed = submitted("alpha")
    shop.sandbox.arm("alpha", "answer_lost")
    run_due(kinds=["order.place"])
    keyed.refresh_from_db()
    due = DueWork.objects.get(kind="order.place", ref=str(keyed.pk)).due_at
    text = says(keyed)
    assert keyed.state == "unknown"
    assert f"Asks for the same order again, under the same key, {due:%-d %b %H:%M:%S}" in text
    assert "answer to our order: the connection was closed before the answer was complete" in text
    done = run_until_settled(keyed)
    assert "Nothing more is due. By Nobody Last evidence" in says(done)
    assert "its status was read: “completed”" in says(done)


def test_each_button_of_an_order_page_says_what_it_does(
    shop: Shop, submitted: Submitted, buyer: User, manager: User, support: User
) -> None:
    orders = [shop.order(buyer), submitted("alpha", 20), submitted("alpha")]
    shop.sandbox.arm("alpha", "stock_gone")
    orders += [run_until_settled(submitted("alpha", 1)), run_until_settled(submitted("psnb2b", 1))]
    seen = set()
    for user in (buyer, manager, support):
        for order in orders:
            html = Desk(user).open("orders:order_detail", order.pk).html
            panel = html[html.index('id="next"') : html.index('class="strip"')]
            described = re.findall(r'class="button [^>]*aria-describedby="(does-[a-z]+)"', panel)
            assert len(re.findall(r'class="button ', panel)) == len(described)
            assert all(re.search(rf'id="{one}">[A-Z][^<]{{20,}}\.<', panel) for one in described)
            seen |= set(described)
    assert {
        "does-submit",
        "does-quantity",
        "does-decide",
        "does-withdraw",
        "does-again",
        "does-cancel",
        "does-case",
    } <= seen


def test_the_buyer_changes_the_quantity_of_a_draft_on_its_page(shop: Shop, buyer: User) -> None:
    order = shop.order(buyer)
    desk = Desk(buyer)
    form = desk.open("orders:order_quantity", order.pk).form("/quantity/")

    refused = desk.send(form, quantity="2000", status=422)
    assert "The quantity can be 1 to 1,000." in refused.text
    again = desk.send(refused.form("/quantity/"), quantity="3")

    order.refresh_from_db()
    each, most = (postings.amount_text(m, "USD") for m in (order.unit_cost_minor, order.max_total_minor))
    assert order.quantity == 3
    assert f"3 at {each} each, {most} at most. Nothing is ordered yet." in again.text
    assert "Ben Buyer changed the quantity from 2 to 3" in again.text


def test_the_account_page_names_the_order_a_call_was_for(shop: Shop, submitted: Submitted, admin: User) -> None:
    order = run_until_settled(submitted("alpha"))
    desk = Desk(admin)

    page = desk.open("suppliers:account_detail", shop.accounts["alpha"].pk)

    link = f'<a href="{reverse("orders:order_detail", args=[order.pk])}">{order}, attempt 1</a>'
    assert link in page.html
    assert "orders.attempt" not in page.html
    exchange = Exchange.objects.get(subject_kind="orders.attempt")
    assert link in desk.open("suppliers:exchange_detail", exchange.request_id).html


def test_a_call_for_something_without_a_page_is_named_by_its_kind() -> None:
    assert links_of([("moon.rocket", "1"), ("", "")]) == {("moon.rocket", "1"): SubjectLink("rocket")}


@pytest.mark.requirement("R13", "R113")
def test_an_order_names_a_delivery_target_only_while_it_is_confirmed(
    shop: Shop, submitted: Submitted, support: User, admin: User, second_admin: User
) -> None:
    order = submitted("alpha", 2)
    page = reverse("orders:order_detail", args=[order.pk])
    today = timezone.now().date()
    said = Said("15", "contract", "Contract 7", stated_on=today, expires_on=today)

    def shown() -> str:
        return signed_in(support).get(page).content.decode()

    term = record_statement(by=admin, account=order.account, kind="delivery_target", said=said)
    assert "<dt>Delivery target</dt><dd>not confirmed</dd>" in shown()
    assert "15 minutes" not in shown()
    confirm_statement(by=second_admin, statement=term)
    assert "<dt>Delivery target</dt><dd>15 minutes</dd>" in shown()
    contradict_statement(by=admin, statement=term, reason="Three orders took an hour each")
    assert "<dt>Delivery target</dt><dd>not confirmed</dd>" in shown()
