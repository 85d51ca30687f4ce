"""The pages of cases and claims, as the browser gets them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.claims.models import Case, Claim
from procurement.claims.services import cases, filing
from procurement.claims.window import window_ends
from procurement.orders.models import Code, Order
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.claims.conftest import CODE, FakeSupplier, code_of

BARE = CODE.replace("-", "")


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def page(client: Client, name: str, *args: Any, status: int = 200, **query: Any) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == status
    return str(response.content.decode())


def send(client: Client, name: str, *args: Any, query: str = "", **fields: str) -> Any:
    """POST a form as the page would: with its one-time mark."""
    return client.post(reverse(name, args=args) + query, {"once": uuid.uuid4().hex, **fields})


def claim_url(claim: Claim) -> str:
    return reverse("claims:claim_detail", args=[claim.pk])


# The queue


def test_cases_whose_window_closed_come_after_those_that_can_still_be_claimed(
    support: User, case: Case, make_order: Callable[..., Order], make_code: Callable[..., Code]
) -> None:
    late = make_order(case.order.account)
    missed = make_code(late, "TST0-7K3M-ZZ43", available_at=timezone.now() - timedelta(days=8))
    closed = cases.open_case(by=support, order=late, code=missed)
    html = page(signed_in(support), "claims:case_list")
    assert html.index(f">{case}<") < html.index(f">{closed}<")


def test_the_queue_sorts_by_deadline_and_says_what_is_next(
    support: User, case: Case, make_order: Callable[..., Order], make_code: Callable[..., Code]
) -> None:
    older = make_code(
        make_order(case.order.account),
        "TST0-1111-OLD1",
        region="TR",
        available_at=code_of(case).available_at - timedelta(days=6),
    )
    second = cases.open_case(by=support, order=older.order, code=older)
    html = page(signed_in(support), "claims:case_list")
    assert html.index(f">{second}<") < html.index(f">{case}<")
    assert "1 with less than 48 hours left to claim" in html
    assert "The supplier" in html


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"view": "waiting"}, False),
        ({"view": "all"}, True),
        ({"show": "supplier"}, True),
        ({"show": "due"}, False),
        ({"show": "mine"}, True),
        ({"show": "region"}, True),
        ({"q": "10421"}, True),
        ({"q": "zz42"}, True),
        ({"q": "C-999"}, False),
    ],
)
def test_the_queue_is_narrowed_by_views_and_filters(
    support: User, case: Case, query: dict[str, Any], shown: bool
) -> None:
    assert (f">{case}<" in page(signed_in(support), "claims:case_list", **query)) is shown


def test_the_queue_asks_the_database_as_often_for_many_cases_as_for_one(
    support: User,
    case: Case,
    make_order: Callable[..., Order],
    make_code: Callable[..., Code],
    django_assert_num_queries: Any,
) -> None:
    client = signed_in(support)
    page(client, "claims:case_list")
    with CaptureQueriesContext(connection) as one:
        page(client, "claims:case_list")
    order = make_order(case.order.account)
    for number in range(12):
        code = make_code(
            order, f"TST0-AAAA-{number:04d}", region="TR", state="invalid" if number % 2 else "handed_over"
        )
        cases.open_case(by=support, order=order, code=code)
    with django_assert_num_queries(len(one.captured_queries)):
        page(client, "claims:case_list")


def test_the_export_holds_no_code_and_no_cost_and_is_recorded(support: User, case: Case) -> None:
    response = signed_in(support).get(reverse("claims:case_list"), {"format": "csv"})
    text = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]
    assert str(case) in text
    assert "supplier_region" in text
    for hidden in (BARE, CODE, "4620", "46.20"):
        assert hidden not in text
    assert AuditEvent.objects.get(action="export.made").facts["rows"] == 1


@pytest.mark.parametrize("who", ["admin", "outsider"])
def test_who_sees_no_cases_gets_no_page(who: str, case: Case, request: pytest.FixtureRequest) -> None:
    client = signed_in(request.getfixturevalue(who))
    page(client, "claims:case_list", status=403)
    page(client, "claims:case_detail", case.pk, status=403)


@pytest.mark.parametrize("who", ["buyer", "finance", "auditor"])
def test_readers_see_a_case_without_the_controls_of_it(who: str, case: Case, request: pytest.FixtureRequest) -> None:
    html = page(signed_in(request.getfixturevalue(who)), "claims:case_detail", case.pk)
    assert "another region than ordered" in html
    assert "Overrule the verdict" not in html
    assert "Copy and note as sent" not in html


# Opening


def test_a_single_hit_leads_straight_to_the_form(support: User, wrong_code: Code) -> None:
    response = send(signed_in(support), "claims:case_find", find=CODE.lower())
    assert response.status_code == 303
    assert response["Location"] == f"{reverse('claims:case_new')}?code={wrong_code.pk}"


@pytest.mark.parametrize("text", ["ZZ42", "10421", "ORDER-1001", "psb_1"])
def test_a_code_is_found_by_all_that_an_agent_may_know(support: User, wrong_code: Code, text: str) -> None:
    response = send(signed_in(support), "claims:case_find", find=text)
    assert response.status_code == 303
    assert reverse("claims:case_new") in response["Location"]


@pytest.mark.requirement("R62", "N16")
def test_a_full_code_that_is_not_found_is_recorded_and_not_shown_back(support: User, wrong_code: Code) -> None:
    response = send(signed_in(support), "claims:case_find", find="TST0-NONE-9999")
    assert "NONE" not in response.content.decode()
    assert AuditEvent.objects.get(action="code.searched").facts == {"found": 0}


def test_a_waiting_claim_is_taken_out_of_the_queue_before_its_text_is_shown(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    """The text beside a claim that is still sent by itself would lead to two claims."""
    client = signed_in(support)
    supplier.fails(httpx.ConnectError)
    filing.file_claim(by=support, case=case, reason="wrong_region")
    claim = Claim.objects.get()
    assert "Subject: Claim for order" not in page(client, "claims:claim_detail", claim.pk)
    assert send(client, "claims:claim_by_hand", claim.pk).status_code == 303
    assert "Subject: Claim for order" in page(client, "claims:claim_detail", claim.pk)


def test_nothing_found_says_so(support: User, wrong_code: Code) -> None:
    response = send(signed_in(support), "claims:case_find", find="nothing-like-this")
    assert response.status_code == 422
    assert "Nothing found" in response.content.decode()


def test_opening_a_case_leads_to_its_page(support: User, wrong_code: Code) -> None:
    client = signed_in(support)
    query = f"?code={wrong_code.pk}"
    fields = {"code": str(wrong_code.pk), "customer_order": "10421", "error_text": "Not valid", "account_region": "us"}
    response = send(client, "claims:case_new", query=query, **fields)
    opened = Case.objects.get()
    assert response["Location"] == reverse("claims:case_detail", args=[opened.pk])
    assert (opened.code, opened.account_region) == (wrong_code, "US")


def test_a_bad_region_keeps_what_was_typed(support: User, wrong_code: Code) -> None:
    fields = {"code": str(wrong_code.pk), "error_text": "A long story", "account_region": "Europe"}
    response = send(signed_in(support), "claims:case_new", query=f"?code={wrong_code.pk}", **fields)
    assert response.status_code == 422
    assert "A long story" in response.content.decode()
    assert not Case.objects.exists()


def test_a_double_click_opens_one_case(support: User, wrong_code: Code) -> None:
    client, url = signed_in(support), f"{reverse('claims:case_new')}?order={wrong_code.order_id}"
    fields = {"once": uuid.uuid4().hex, "code": "", "customer_order": "10421"}
    first, second = client.post(url, fields), client.post(url, fields)
    assert Case.objects.count() == 1
    assert first["Location"] == second["Location"]


def test_a_code_with_an_open_case_leads_to_that_case(support: User, case: Case) -> None:
    response = signed_in(support).get(f"{reverse('claims:case_new')}?code={case.code_id}")
    assert response["Location"] == reverse("claims:case_detail", args=[case.pk])


# The case page


@pytest.mark.requirement("R74")
def test_the_verdict_comes_first_then_the_proof_then_the_code(support: User, case: Case) -> None:
    html = page(signed_in(support), "claims:case_detail", case.pk)
    order = [
        "another region than ordered",
        'id="file-claim"',
        "Proven by the records",
        'class="strip"',
        'id="code"',
        'id="message"',
        'id="evidence"',
        'id="timeline"',
    ]
    places = [html.index(mark) for mark in order]
    # The verdict's sentence stands above its button only in reading order of the header; both come before the rest.
    assert max(places[:2]) < min(places[2:])
    assert places[2:] == sorted(places[2:])


@pytest.mark.requirement("R62")
def test_no_page_holds_the_code_before_it_is_revealed(support: User, case: Case, supplier: FakeSupplier) -> None:
    client = signed_in(support)
    filing.file_claim(by=support, case=case, reason="wrong_region")
    claim = Claim.objects.get()
    for name, pk in (("claims:case_detail", case.pk), ("claims:claim_detail", claim.pk), ("claims:claim_new", case.pk)):
        html = page(client, name, pk)
        assert BARE not in html
        assert CODE not in html


def test_support_finds_no_cost_in_any_page_of_a_claim(support: User, case: Case, supplier: FakeSupplier) -> None:
    client = signed_in(support)
    filing.file_claim(by=support, case=case, reason="wrong_region")
    for name, pk in (
        ("claims:case_detail", case.pk),
        ("claims:claim_detail", Claim.objects.get().pk),
        ("claims:claim_new", case.pk),
    ):
        html = page(client, name, pk)
        assert "46.20" not in html
        assert "Credit in" not in html


def test_the_case_page_takes_a_bounded_number_of_queries(
    support: User, case: Case, make_code: Callable[..., Code]
) -> None:
    client = signed_in(support)
    with CaptureQueriesContext(connection) as few:
        page(client, "claims:case_detail", case.pk)
    for number in range(6):
        code = make_code(case.order, f"TST0-BBBB-{number:04d}", region="TR")
        cases.open_case(by=support, order=case.order, code=code, customer_order="10421")
        cases.take_case(by=support, case=case)
    with CaptureQueriesContext(connection) as many:
        page(client, "claims:case_detail", case.pk)
    assert len(many.captured_queries) == len(few.captured_queries)
    assert len(few.captured_queries) <= 30


def test_the_account_region_is_saved_from_the_strip(support: User, case: Case) -> None:
    response = send(signed_in(support), "claims:case_region", case.pk, region="tr", version=str(case.version))
    assert response.status_code == 303
    case.refresh_from_db()
    assert case.account_region == "TR"


def test_a_refused_region_stays_on_the_page_with_its_sentence(support: User, case: Case) -> None:
    response = send(signed_in(support), "claims:case_region", case.pk, region="Europe", version=str(case.version))
    html = response.content.decode()
    assert response.status_code == 422
    assert 'value="Europe"' in html
    assert "Europe is no region" in html


def test_a_stale_page_keeps_the_text_and_changes_nothing(support: User, manager: User, case: Case) -> None:
    cases.take_case(by=manager, case=Case.objects.get(pk=case.pk))
    response = send(
        signed_in(support), "claims:case_error", case.pk, error_text="What she wrote", version=str(case.version)
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert "changed by someone else" in html
    assert "What she wrote" in html
    case.refresh_from_db()
    assert case.error_text == "Not valid in this region"


def test_copying_a_message_notes_it_once_and_moves_the_case(support: User, case: Case) -> None:
    client, url = signed_in(support), reverse("claims:case_message", args=[case.pk])
    fields = {"once": uuid.uuid4().hex, "message": "region_supplier", "version": str(case.version)}
    client.post(url, fields)
    client.post(url, fields)
    case.refresh_from_db()
    assert case.state == "waiting_customer"
    assert AuditEvent.objects.filter(action="case.message_copied").count() == 1


@pytest.mark.requirement("R78", "R82")
def test_the_message_is_filled_and_chosen_by_the_verdict(support: User, case: Case) -> None:
    html = page(signed_in(support), "claims:case_detail", case.pk)
    letter = re.search(r'aria-label="Message: ([^"]+)">(.+?)</div>', html, re.DOTALL)
    assert letter
    assert letter.group(1) == "Region mismatch: delivery"
    assert "10421" in letter.group(2)
    assert "Türkiye" in letter.group(2)


@pytest.mark.parametrize("name", ["claims:case_overrule", "claims:case_solve", "claims:case_close"])
def test_a_step_opens_as_a_page_and_as_a_dialog(support: User, case: Case, name: str) -> None:
    client = signed_in(support)
    assert "<h1>" in page(client, name, case.pk)
    dialog = client.get(reverse(name, args=[case.pk]), headers={"HX-Request": "true"}).content.decode()
    assert 'id="dialog-title"' in dialog
    assert "<h1>" not in dialog


def test_an_overrule_changes_the_verdict_and_shows_who_said_so(support: User, case: Case) -> None:
    client = signed_in(support)
    fields = {"verdict": "account_region", "reason": "The account is from Poland", "version": str(case.version)}
    assert send(client, "claims:case_overrule", case.pk, **fields).status_code == 303
    html = page(client, "claims:case_detail", case.pk)
    assert "Overruled" in html
    assert "The account is from Poland" in html


def test_a_reason_too_short_is_asked_for_again(support: User, case: Case) -> None:
    response = send(signed_in(support), "claims:case_close", case.pk, reason="no", version=str(case.version))
    assert response.status_code == 422
    case.refresh_from_db()
    assert case.state == "todo"


def test_a_case_is_closed_and_opened_again_from_its_page(support: User, case: Case) -> None:
    client = signed_in(support)
    send(client, "claims:case_close", case.pk, reason="Nobody answered us", version=str(case.version))
    case.refresh_from_db()
    assert case.state == "closed"
    send(client, "claims:case_reopen", case.pk, version=str(case.version))
    case.refresh_from_db()
    assert case.state == "todo"


def test_a_case_that_is_not_there_says_so(support: User) -> None:
    assert "There is no case C-77" in page(signed_in(support), "claims:case_detail", 77, status=404)


# Filing


def test_filing_from_the_check_page_leads_back_to_the_message(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    client = signed_in(support)
    html = page(client, "claims:claim_new", case.pk)
    assert "Sends 1 code and its order id to PSN:B2B" in html
    assert "Not valid in this region" in html
    response = send(
        client, "claims:claim_new", case.pk, reason="wrong_region", description="Not valid", version=str(case.version)
    )
    assert response["Location"] == f"{reverse('claims:case_detail', args=[case.pk])}#message"
    assert "Filed in time" in page(client, "claims:case_detail", case.pk)


def test_a_double_click_files_one_claim(support: User, case: Case, supplier: FakeSupplier) -> None:
    client, url = signed_in(support), reverse("claims:claim_new", args=[case.pk])
    fields = {"once": uuid.uuid4().hex, "reason": "wrong_region", "version": str(case.version)}
    assert client.post(url, fields)["Location"] == client.post(url, fields)["Location"]
    assert len(supplier.calls) == 1


@pytest.mark.requirement("R68")
def test_after_the_window_the_page_offers_the_late_request_and_no_form(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    client = signed_in(support)
    assert case.code is not None
    with time_machine.travel(window_ends(case.code) + timedelta(seconds=1), tick=False):
        client.force_login(support)
        html = page(client, "claims:claim_new", case.pk)
        assert "No claim can be filed now" in html
        assert "Late request" in html
        response = send(client, "claims:claim_new", case.pk, reason="wrong_region", description="Kept words")
        assert response.status_code == 422
        assert "Kept words" in response.content.decode()
        assert "Ask supplier, late" in page(client, "claims:case_detail", case.pk)
    assert supplier.calls == []


def test_a_second_claim_is_refused_with_its_sentence(support: User, case: Case, supplier: FakeSupplier) -> None:
    filing.file_claim(by=support, case=case, reason="wrong_region")
    Case.objects.update(state="todo")
    response = send(signed_in(support), "claims:claim_new", case.pk, reason="invalid", description="Kept words")
    html = response.content.decode()
    assert response.status_code == 422
    assert "open claim" in html
    assert "Kept words" in html
    assert len(supplier.calls) == 1


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("connect", "could not be reached"),
        ("timeout", "Nobody knows whether"),
        ("refused", "holds a claim for this code already"),
    ],
)
def test_every_outcome_of_filing_has_its_page(
    support: User, case: Case, supplier: FakeSupplier, trouble: str, words: str
) -> None:
    if trouble == "refused":
        supplier.refuses("already_claimed")
    else:
        supplier.fails(httpx.ConnectError if trouble == "connect" else httpx.ReadTimeout)
    client = signed_in(support)
    response = send(client, "claims:claim_new", case.pk, reason="wrong_region", version=str(case.version))
    claim = Claim.objects.get()
    assert response["Location"] == claim_url(claim)
    assert words in client.get(claim_url(claim)).content.decode()


def test_a_claim_by_hand_is_prepared_and_recorded(
    support: User, by_hand: SupplierAccount, make_order: Callable[..., Order], make_code: Callable[..., Code]
) -> None:
    client = signed_in(support)
    code = make_code(make_order(by_hand), region="TR")
    case = cases.open_case(by=support, order=code.order, code=code)
    assert "takes no claims over its API" in page(client, "claims:claim_new", case.pk)
    send(client, "claims:claim_new", case.pk, reason="wrong_region", version=str(case.version))
    claim = Claim.objects.get()
    html = page(client, "claims:claim_detail", claim.pk)
    assert f"Subject: Claim for order {code.order.remote_id}" in html
    assert send(client, "claims:claim_reference", claim.pk, reference="").status_code == 422
    assert send(client, "claims:claim_reference", claim.pk, reference="T-1").status_code == 303
    claim.refresh_from_db()
    assert (claim.state, claim.remote_id) == ("filed", "T-1")


# Outcomes


@pytest.fixture
def filed(support: User, case: Case, supplier: FakeSupplier, money: None) -> Claim:
    order = case.order
    postings.purchase(
        account_code=order.account.code, currency="USD", order_id=str(order.pk), label=str(order), amount_minor=13_860
    )
    filing.file_claim(by=support, case=case, reason="wrong_region")
    return Claim.objects.get()


def test_a_replacement_is_recorded_and_never_shown_back(support: User, filed: Claim) -> None:
    client = signed_in(support)
    response = send(
        client, "claims:claim_outcome", filed.pk, outcome="declined", replacement="TST0-9QWX-AB12", note="Kept words"
    )
    html = response.content.decode()
    assert response.status_code == 422
    assert "9QWX" not in html
    assert "Kept words" in html
    assert (
        send(client, "claims:claim_outcome", filed.pk, outcome="replaced", replacement="TST0-9QWX-AB12").status_code
        == 303
    )
    filed.refresh_from_db()
    assert filed.state == "replaced"
    html = page(client, "claims:case_detail", filed.case_id)
    assert 'id="replacement"' in html
    assert "Message: Replacement ready" in html
    assert "9QWX" not in html


def test_a_credit_is_offered_to_those_who_see_costs(manager: User, support: User, filed: Claim) -> None:
    assert "Credit in USD" not in page(signed_in(support), "claims:claim_detail", filed.pk)
    client = signed_in(manager)
    assert "Credit in USD" in page(client, "claims:claim_detail", filed.pk)
    assert send(client, "claims:claim_outcome", filed.pk, outcome="credited", credit="46.2x").status_code == 422
    assert send(client, "claims:claim_outcome", filed.pk, outcome="credited", credit="46.20").status_code == 303
    filed.refresh_from_db()
    assert (filed.state, filed.credit_minor) == ("credited", 4620)


def test_support_cannot_smuggle_a_credit_in(support: User, filed: Claim) -> None:
    response = send(signed_in(support), "claims:claim_outcome", filed.pk, outcome="credited", credit="46.20")
    assert response.status_code == 422
    filed.refresh_from_db()
    assert filed.state == "filed"


# On the order's page


def test_the_orders_page_lists_its_cases_and_its_claim_deadline(support: User, case: Case) -> None:
    html = page(signed_in(support), "orders:order_detail", case.order_id)
    assert reverse("claims:case_detail", args=[case.pk]) in html
    assert "Claims until" in html
