"""The desk of unconfirmed orders: what it shows to whom, who decides, and what a refused click leaves untouched."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.orders.models import Lane, Order, Resolution, UnclaimedOrder
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.orders.services.resolving import decline_outcome, propose_outcome
from procurement.staff.models import User
from procurement.suppliers.models import Exchange
from procurement.suppliers.services import read_balance
from procurement.web.nav import navigation_for
from procurement.work.runner import run_due
from tests.at_desk import Desk, Form, Page
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]
WHY = "The balance did not move in half an hour."


@pytest.fixture
def lost(shop: Shop, submitted: Submitted) -> Order:
    """An order at PSN:B2B whose answer was lost after the supplier took it."""
    return lose(shop, submitted("psnb2b"), "psnb2b")


def lose(shop: Shop, order: Order, code: str, after: int = 0) -> Order:
    """Lose the answer to one order, `after` seconds from now: an account has its turn every seven."""
    shop.sandbox.arm(code, "answer_lost")
    with time_machine.travel(timezone.now() + timedelta(seconds=after)):
        run_due(kinds=["order.place"]) if code == "psnb2b" else place_order(str(order.pk))
    order.refresh_from_db()
    assert order.state == "unknown"
    return order


def nav_count(user: User) -> int:
    entries = [entry for group in navigation_for(user, "/") for entry in group.entries]
    return next(entry.count for entry in entries if entry.label == "Unconfirmed")


# The list


def test_an_empty_list_says_what_that_means(shop: Shop, support: User) -> None:
    page = Desk(support).open("orders:unconfirmed_list")

    assert "We know of every order we sent whether the supplier took it." in page.text
    assert "No order is unconfirmed." in page.text


@pytest.mark.requirement("R26")
def test_the_list_says_of_each_order_what_it_holds_up_and_who_may_end_it(
    shop: Shop, lost: Order, submitted: Submitted, support: User, finance: User, person: Callable[..., User]
) -> None:
    person("fred_finance", "finance")
    submitted("psnb2b", 1)
    submitted("psnb2b", 1)
    held = postings.amount_text(lost.max_total_minor, "USD")
    desk = Desk(finance)

    with time_machine.travel(timezone.now() + timedelta(minutes=12)):
        page = desk.open("orders:unconfirmed_list")
        for words in (str(lost), held, "takes no new orders; 2 wait", "Nothing is proposed.", "12 min"):
            assert words in page.text
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    page = desk.open("orders:unconfirmed_list")

    assert "Sam Support proposes: the supplier did not take it. May confirm: Fay Finance, Fred Finance." in page.text
    assert "Waits for you." in page.text


def test_oldest_first_and_a_keyed_supplier_says_when_it_is_asked_again(
    shop: Shop, lost: Order, submitted: Submitted, buyer: User
) -> None:
    with time_machine.travel(timezone.now() + timedelta(minutes=3)):
        keyed = lose(shop, submitted("alpha"), "alpha")

    page = Desk(buyer).open("orders:unconfirmed_list")

    assert page.text.index(str(lost)) < page.text.index(str(keyed))
    assert re.search(r"Alpha PSN Sandbox goes on \d+ \w+ [\d:]+", page.text)


def test_support_sees_no_cost_on_the_list(shop: Shop, lost: Order, support: User, manager: User) -> None:
    cost = postings.amount_text(lost.max_total_minor, "USD").split()[0]

    assert cost in Desk(manager).open("orders:unconfirmed_list").html
    assert cost not in Desk(support).open("orders:unconfirmed_list").html


def test_the_list_takes_as_many_queries_for_many_as_for_one(
    shop: Shop, lost: Order, submitted: Submitted, finance: User, django_assert_num_queries: Any
) -> None:
    desk, url = Desk(finance), reverse("orders:unconfirmed_list")
    desk.client.get(url)
    with CaptureQueriesContext(connection) as one:
        desk.client.get(url)
    for quantity in (1, 2, 3):
        lose(shop, submitted("alpha", quantity), "alpha", after=10 * quantity)

    with django_assert_num_queries(len(one)):
        assert "4 unconfirmed orders" in desk.client.get(url).content.decode()


# Who is called


def test_the_count_in_the_navigation_is_of_what_this_person_can_do_next(
    shop: Shop, lost: Order, buyer: User, support: User, finance: User, manager: User, person: Callable[..., User]
) -> None:
    both = person("bo_both", "manager", "finance")
    assert [nav_count(user) for user in (buyer, support, manager, finance, both)] == [0, 1, 1, 0, 1]

    propose_outcome(by=both, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)

    assert [nav_count(user) for user in (buyer, support, manager, finance, both)] == [0, 0, 0, 1, 0]


def test_the_requester_is_never_called_to_judge_their_own_order(shop: Shop, person: Callable[..., User]) -> None:
    judge = person("jo_judge", "manager", "finance")
    shop.sandbox.arm("psnb2b", "answer_lost")
    order = shop.order(judge, "psnb2b", 1)
    drafting.submit_order(by=judge, order=order)
    run_due(kinds=["order.place"])
    order.refresh_from_db()

    assert order.state == "unknown"
    assert nav_count(judge) == 0


@pytest.mark.requirement("R26")
def test_the_overview_counts_them_all_and_leads_to_the_list(
    shop: Shop, lost: Order, submitted: Submitted, support: User, buyer: User
) -> None:
    for quantity in (1, 2, 3, 4, 5):
        lose(shop, submitted("alpha", quantity), "alpha", after=10 * quantity)

    page = Desk(support).open("overview")

    assert "6 orders are unconfirmed. Do not order them again. 6 of them wait for you." in page.text
    assert reverse("orders:unconfirmed_list") in page.html
    assert reverse("orders:unconfirmed_order", args=[lost.pk]) in Desk(buyer).open("overview").html


# The banner of a frozen lane

BANNER = "PSN:B2B USD takes no new orders since"


@pytest.mark.requirement("R26", "R44")
def test_a_frozen_lane_is_said_wherever_somebody_orders(
    shop: Shop, lost: Order, submitted: Submitted, buyer: User, support: User
) -> None:
    waiting = submitted("psnb2b", 1)
    desk = Desk(buyer)
    check: dict[str, Any] = {
        "check": 1,
        "sku": shop.sku.code,
        "supplier": "psnb2b",
        "quantity": 1,
        "client_order_id": "ORDER-9",
    }

    with time_machine.travel(timezone.now() + timedelta(minutes=12)):
        pages = [
            desk.open("orders:order_list"),
            desk.open("orders:order_detail", waiting.pk),
            desk.open("orders:order_new"),
            desk.open("orders:order_new", **check),
            desk.open("orders:unconfirmed_list"),
            desk.open("overview"),
        ]
        for page in pages:
            assert BANNER in page.text
            assert "12 min" in page.text
            assert "1 unconfirmed order. 1 order waits. See what is known" in page.text
            assert reverse("orders:unconfirmed_order", args=[lost.pk]) in page.html
        assert "1 order waits. Decide it" in Desk(support).open("overview").text


def test_no_lane_frozen_no_banner(shop: Shop, submitted: Submitted, buyer: User) -> None:
    submitted("psnb2b", 1)
    lose(shop, submitted("alpha"), "alpha")

    assert "takes no new orders" not in Desk(buyer).open("orders:order_list").text


# The evidence sheet


def sheet(user: User, order: Order, **query: Any) -> Page:
    return Desk(user).open("orders:unconfirmed_order", order.pk, **query)


def read_balance_at(shop: Shop, code: str, *minutes: int) -> None:
    for passed in minutes:
        with time_machine.travel(timezone.now() + timedelta(minutes=passed)):
            read_balance(shop.accounts[code])


def unclaimed(shop: Shop, order: Order, remote_id: str = "psb_10000", **said: Any) -> UnclaimedOrder:
    """A supplier's order nobody claims that fits `order`, but for what `said` changes."""
    sent = order.attempts.get().sent_at
    assert sent is not None
    facts = {
        "region": order.region,
        "denomination": Decimal(order.face_minor) / 100,
        "quantity": order.quantity,
        "total_minor": order.max_total_minor,
        "currency": order.cost_currency,
        "created_at": sent,
        "read_at": sent + timedelta(seconds=30),
        "first_seen_at": sent + timedelta(seconds=20),
        "seen_by": "event",
    }
    return UnclaimedOrder.objects.create(account=order.account, remote_id=remote_id, **{**facts, **said})


@pytest.mark.requirement("R26", "R27")
def test_the_sheet_answers_first_and_shows_every_attempt_with_both_ids(shop: Shop, lost: Order, manager: User) -> None:
    read_balance_at(shop, "psnb2b", 5, 10, 20)

    page = sheet(manager, lost)

    assert "Probably yes: the balance fell by what it may cost. No supplier's order is known for it yet." in page.text
    assert "Evidence: fair, one finding" in page.text
    exchange = Exchange.objects.get(subject_kind="orders.attempt")
    for words in (str(exchange.request_id), "Their response id", "Do not order it again."):
        assert words in page.text
    assert len(re.findall(r'<circle class="dot"', page.html)) == 4
    assert 'aria-label="The balance of the account before and after the order was sent. The balance fell' in page.html


def test_a_balance_that_stands_still_counts_only_after_three_readings_over_a_quarter_of_an_hour(
    shop: Shop, submitted: Submitted, manager: User
) -> None:
    lost = lose_unplaced(submitted("psnb2b"))

    assert "Not known: the balance was not read on both sides" in sheet(manager, lost).text
    read_balance_at(shop, "psnb2b", 1, 2)
    early = sheet(manager, lost)
    assert "Not known yet: nothing points to a purchase so far." in early.text
    assert "Speaks against it: The balance was read 2 times in" in early.text
    read_balance_at(shop, "psnb2b", 20)
    late = sheet(manager, lost)

    assert "Probably not: the balance did not move, and nobody names an order that could be it." in late.text
    assert "The balance was read" not in late.text


def lose_unplaced(order: Order) -> Order:
    """An attempt whose worker died before anything reached the supplier."""
    attempt = order.attempts.get()
    before = 5000_00
    now = timezone.now()
    Order.objects.filter(pk=order.pk).update(state="unknown", version=order.version + 1)
    type(attempt).objects.filter(pk=attempt.pk).update(state="unknown", sent_at=now, balance_before_minor=before)
    order.refresh_from_db()
    return order


def test_what_nobody_claims_stands_beside_the_order_field_by_field(shop: Shop, lost: Order, manager: User) -> None:
    read_balance_at(shop, "psnb2b", 5)
    unclaimed(shop, lost)
    unclaimed(shop, lost, "psb_10007", region="TR", quantity=9)

    page = sheet(manager, lost)

    assert "Almost certainly yes" in page.text
    assert "Region ✓ fits US US" in page.text
    assert "Region ✗ differs US TR" in page.text
    assert "Quantity ✗ differs 2 9" in page.text
    assert "Product says nothing" in page.text
    assert 'name="remote_id"' in page.html
    assert page.form("/outcome/propose/").fields["remote_id"] == "psb_10000"


@pytest.mark.requirement("R89")
def test_support_reads_the_evidence_without_a_single_amount(
    shop: Shop, lost: Order, support: User, manager: User
) -> None:
    read_balance_at(shop, "psnb2b", 5, 10, 20)
    row = unclaimed(shop, lost)
    amounts = ["5,000.00", postings.amount_text(lost.max_total_minor, "USD").split()[0]]

    for page in (
        sheet(support, lost),
        Desk(support).open("orders:unconfirmed_list"),
        Desk(support).open("orders:unclaimed_order", row.pk),
    ):
        assert [amount for amount in amounts if amount in page.html] == []
    assert "The balance fell" in sheet(support, lost).text
    assert all(amount in sheet(manager, lost).html for amount in amounts)


def test_the_ready_question_names_what_the_supplier_needs_and_asks_for_nothing_to_be_bought(
    shop: Shop, lost: Order, support: User
) -> None:
    page = sheet(support, lost)
    attempt = lost.attempts.get()
    exchange = Exchange.objects.get(subject_kind="orders.attempt")

    for words in (str(exchange.request_id), attempt.body_sha256, "Please do not place or repeat this order for us."):
        assert words in page.html
    assert attempt.idempotency_key not in page.html[page.html.index('id="ask"') :]
    Desk(support).send(page.form("/outcome/note/"), ticket="T-881", answer="")
    noted = Desk(support).send(sheet(support, lost).form("/outcome/note/"), ticket="T-881", answer="No such order here")

    assert "Sam Support asked the supplier what became of it (ticket T-881)" in noted.text
    assert "Sam Support noted what the supplier answered (ticket T-881) “No such order here”" in noted.text
    lost.refresh_from_db()
    assert lost.state == "unknown"


def test_an_order_that_never_went_out_has_no_sheet(shop: Shop, submitted: Submitted, support: User) -> None:
    page = Desk(support).open("orders:unconfirmed_order", submitted("psnb2b").pk, status=404)

    assert "never went to the supplier" in page.text


def test_the_sheet_takes_as_many_queries_for_many_readings_as_for_few(
    shop: Shop, lost: Order, manager: User, django_assert_max_num_queries: Any
) -> None:
    desk, url = Desk(manager), reverse("orders:unconfirmed_order", args=[lost.pk])
    read_balance_at(shop, "psnb2b", 1)
    unclaimed(shop, lost)
    desk.client.get(url)
    with CaptureQueriesContext(connection) as few:
        desk.client.get(url)
    read_balance_at(shop, "psnb2b", *range(2, 40))
    for number in range(4):
        unclaimed(shop, lost, f"psb_2000{number}", region="TR")

    with django_assert_max_num_queries(len(few)):
        html = desk.client.get(url).content.decode()
    assert html.count('<circle class="dot"') == 13


# Two people


def asked(**fields: Any) -> dict[str, Any]:
    return {"verdict": "not_placed", "remote_id": "", "reason": WHY, "acknowledged": "yes", **fields}


def unchanged(order: Order) -> bool:
    """Nothing happened: the order, its attempt, its money, the lane and the supplier's side stand as before."""
    order.refresh_from_db()
    lane = Lane.objects.get(account=order.account)
    return (
        (order.state, order.attempts.get().state) == ("unknown", "unknown")
        and lane.holder_id == order.attempts.get().pk
        and postings.free_balance("psnb2b", "USD") == 5000_00 - order.max_total_minor
        and not Resolution.objects.filter(state="confirmed").exists()
    )


@pytest.mark.requirement("R26")
def test_one_proposes_another_confirms_and_the_page_keeps_the_story(
    shop: Shop, lost: Order, support: User, finance: User
) -> None:
    page = sheet(support, lost)
    proposed = Desk(support).send(page.form("/outcome/propose/"), **asked())
    assert "Proposed. Finance decides; nothing was changed yet." in proposed.text
    assert "You proposed this, so another person confirms it. Fay Finance can confirm this." in proposed.text
    assert unchanged(lost)

    done = Desk(finance).send(sheet(finance, lost).form("/outcome/confirm/"))

    assert "Decided: it is “Failed” now." in done.text
    assert "Sam Support proposed: the supplier did not take it." in done.text
    assert "confirmed by Fay Finance" in done.text
    assert "/outcome/" not in done.html
    lost.refresh_from_db()
    assert lost.state == "place_failed"


def test_the_requester_is_told_who_can_and_nothing_they_send_counts(
    shop: Shop, support: User, finance: User, person: Callable[..., User]
) -> None:
    asker = person("ria_requester", "manager", "finance")
    lost = lose(shop, drafting.submit_order(by=asker, order=shop.order(asker, "psnb2b")), "psnb2b")
    desk, page = Desk(asker), sheet(asker, lost)
    assert (
        "You asked for this order, so others say what became of it. Sam Support can propose what happened." in page.text
    )
    assert "/outcome/propose/" not in page.html
    desk.send(forged(lost, "propose"), status=403, **asked())
    proposal = propose_outcome(
        by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True
    )
    assert "/outcome/confirm/" not in sheet(asker, lost).html

    refused = desk.send(forged(lost, "confirm"), status=403, proposal=proposal.pk)

    assert "You asked for this order" in refused.text
    assert unchanged(lost)


def forged(order: Order, step: str) -> Form:
    """A form the page did not offer."""
    url = reverse(f"orders:outcome_{step}", args=[order.pk])
    return Form(url, "post", fields={"once": uuid.uuid4().hex})


def test_the_same_person_twice_confirms_nothing(shop: Shop, lost: Order, person: Callable[..., User]) -> None:
    both = person("bo_both", "manager", "finance")
    page = Desk(both).send(sheet(both, lost).form("/outcome/propose/"), **asked())
    assert "/outcome/confirm/" not in page.html
    assert "Nobody can confirm this now: an administrator must give somebody the role." in page.text
    proposal = Resolution.objects.get()

    refused = Desk(both).send(forged(lost, "confirm"), status=403, proposal=proposal.pk)

    assert "You proposed this; it needs another person. Nothing was changed." in refused.text
    assert unchanged(lost)


def test_a_proposal_that_changed_meanwhile_is_not_confirmed(
    shop: Shop, lost: Order, support: User, manager: User, finance: User
) -> None:
    propose_outcome(by=support, order=lost, verdict="not_placed", remote_id="", reason=WHY, acknowledged=True)
    old = sheet(finance, lost).form("/outcome/confirm/")
    decline_outcome(by=support, order=lost)
    propose_outcome(by=manager, order=lost, verdict="placed", remote_id="psb_10000", reason=WHY)

    refused = Desk(finance).send(old, status=409)

    assert "The proposal changed since you opened this page. Nothing was changed." in refused.text
    assert unchanged(lost)
    assert Resolution.objects.filter(state="open").count() == 1


@pytest.mark.parametrize("remote_id", ["psb_404", "", "../../balance"])
def test_an_order_id_that_the_supplier_does_not_know_binds_nothing(
    shop: Shop, lost: Order, support: User, finance: User, remote_id: str
) -> None:
    proposed = answer_to(
        Desk(support), sheet(support, lost).form("/outcome/propose/"), **asked(verdict="placed", remote_id=remote_id)
    )
    if proposed.status == 303:
        confirmed = answer_to(Desk(finance), sheet(finance, lost).form("/outcome/confirm/"))
        assert confirmed.status >= 400

    assert unchanged(lost)


def answer_to(desk: Desk, form: Form, **changed: Any) -> Page:
    """What sending the form gives, whatever it is."""
    return Page(desk.client.post(form.action, {**form.fields, **changed}))


def test_who_may_neither_propose_nor_confirm_reads_who_can(
    shop: Shop, lost: Order, support: User, manager: User, auditor: User
) -> None:
    page = sheet(auditor, lost)

    assert "Mia Manager, Sam Support can propose what happened." in page.text
    assert "/outcome/" not in page.html
    Desk(auditor).send(forged(lost, "propose"), status=403, **asked())
    Desk(auditor).send(forged(lost, "note"), status=403, ticket="T-1")
    assert unchanged(lost)


def test_a_refused_proposal_comes_back_with_what_was_typed(shop: Shop, lost: Order, support: User) -> None:
    form = sheet(support, lost).form("/outcome/propose/")

    for fields, said in (
        (asked(acknowledged=""), "3 times over 15 minutes would say more. Nothing was proposed."),
        (asked(reason="short"), "Say in at least 10 characters what proves it."),
        (asked(verdict="placed"), "Write the supplier&#x27;s order id"),
    ):
        page = Desk(support).send(form, status=422, **fields)
        assert said in page.html
        assert fields["reason"] in page.html
        assert re.search(rf'value="{fields["verdict"]}" required checked', page.html)
        form = page.form("/outcome/propose/")
    assert unchanged(lost)
    assert not Resolution.objects.exists()


# An order nobody claims


def incident(user: User, row: UnclaimedOrder) -> Page:
    return Desk(user).open("orders:unclaimed_order", row.pk)


@pytest.mark.requirement("R26")
def test_an_unclaimed_order_leads_to_the_order_it_fits(shop: Shop, lost: Order, support: User) -> None:
    row, other = unclaimed(shop, lost), unclaimed(shop, lost, "psb_10007", region="TR")

    listed = Desk(support).open("orders:unconfirmed_list")
    assert f"psb_10000 PSN:B2B Sandbox Fits {lost}" in listed.text
    assert "psb_10007 PSN:B2B Sandbox No unconfirmed order of ours." in listed.text
    bind = incident(support, row).links("?bind=psb_10000")[0]
    assert Desk(support).open(bind).form("/outcome/propose/").fields["remote_id"] == "psb_10000"
    assert "Differs: ordered US, the supplier says TR" in incident(support, other).text


def test_two_people_dismiss_what_is_none_of_ours(shop: Shop, lost: Order, support: User, finance: User) -> None:
    row = unclaimed(shop, lost, region="TR")
    form = incident(support, row).form("/propose/")
    refused = Desk(support).send(form, status=422, proposal="dismissed", reason="no")
    assert "Nothing was proposed." in refused.text
    Desk(support).send(refused.form("/propose/"), proposal="dismissed", reason="Bought by hand in their shop")
    assert "Fay Finance can confirm this." in incident(support, row).text

    done = Desk(finance).send(incident(finance, row).form("/confirm/"))

    assert "Dismissed. Nothing was booked or sent." in done.text
    row.refresh_from_db()
    assert (row.state, row.proposed_by, row.decided_by) == ("dismissed", support, finance)
    assert unchanged(lost)


def test_two_people_adopt_what_became_ours(shop: Shop, lost: Order, support: User, finance: User) -> None:
    row = unclaimed(shop, lost, quantity=1, total_minor=4_000)
    Desk(support).send(incident(support, row).form("/propose/"), proposal="adopted", reason="Ordered by phone for us")

    done = Desk(finance).send(incident(finance, row).form("/confirm/"))

    row.refresh_from_db()
    assert row.order is not None
    assert (row.state, row.order.state, row.order.remote_id) == ("adopted", "placed", row.remote_id)
    assert f"Adopted as {row.order}; its codes are fetched." in done.text


def test_an_incident_is_not_ended_by_one_person_or_by_a_stale_page(
    shop: Shop, lost: Order, support: User, manager: User, finance: User, auditor: User, person: Callable[..., User]
) -> None:
    row, both = unclaimed(shop, lost, region="TR"), person("bo_both", "manager", "finance")

    def stands() -> bool:
        row.refresh_from_db()
        return row.state == "open" and row.decided_by is None

    page = incident(auditor, row)
    assert "can propose whose it is." in page.text
    assert "/propose/" not in page.html
    Desk(auditor).send(click(row, "propose"), status=403, proposal="dismissed", reason=WHY)
    mine = Desk(both).send(incident(both, row).form("/propose/"), proposal="dismissed", reason=WHY)
    assert "/confirm/" not in mine.html
    row.refresh_from_db()
    Desk(both).send(click(row, "confirm"), status=403, shown=mine.form("/decline/").fields["shown"])
    old = incident(finance, row).form("/confirm/")
    Desk(both).send(mine.form("/decline/"))
    Desk(manager).send(
        incident(manager, row).form("/propose/"), proposal="dismissed", reason="Another reason altogether"
    )

    refused = Desk(finance).send(old, status=409)

    assert "The proposal changed since you opened this page. Nothing was changed." in refused.text
    assert stands()


def click(row: UnclaimedOrder, step: str) -> Form:
    """A form the page did not offer."""
    return Form(reverse(f"orders:unclaimed_{step}", args=[row.pk]), "post", fields={"once": uuid.uuid4().hex})
