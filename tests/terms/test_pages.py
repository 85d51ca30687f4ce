"""The register's pages: what they show to whom, and what their forms do."""

from __future__ import annotations

import re
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.terms import asking
from procurement.terms.kinds import kinds_for
from procurement.terms.models import AccessRequest, PriceList, Question, Statement
from procurement.terms.services import confirm_statement, record_statement
from tests.suppliers.test_pages import once_mark, signed_in
from tests.terms.conftest import said, today
from tests.world import ACCESS

pytestmark = pytest.mark.django_db


def page_of(name: str, account: SupplierAccount, *more: str) -> str:
    return reverse(f"terms:account_{name}", args=[account.pk, *more])


def text_of(client: Client, url: str) -> str:
    """The words of a page's main part, without markup."""
    body = client.get(url).content.decode().partition("<main")[2].partition("</main>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def send(client: Client, page: str, fields: dict[str, Any], to: str = "") -> Any:
    """Send a form of `page` (to itself or to `to`) with its one-time mark."""
    return client.post(to or page, {**fields, "once": once_mark(client, page)})


def short(day: date) -> str:
    return f"{day.day} {day:%b %Y}"


SAID = {"source": "contract", "reference": "Contract 7, page 2"}


@pytest.mark.requirement("R12", "R13")
def test_a_term_is_recorded_confirmed_and_shown_by_clicking(
    alpha: SupplierAccount, admin: User, second_admin: User
) -> None:
    first, second = signed_in(admin), signed_in(second_admin)
    page = page_of("term", alpha, "delivery_target")
    assert "Not confirmed. Until it is: No time is promised and no clock runs." in text_of(first, page)
    last = today() + timedelta(days=30)
    fields = {**SAID, "value": "15", "stated_on": str(today()), "expires_on": str(last)}
    assert send(first, page, fields).status_code == 303
    made = Statement.objects.get()
    confirm = reverse("terms:statement_confirm", args=[made.pk])
    assert confirm not in first.get(page).content.decode()
    assert "Another administrator confirms it : Abe Admin" in text_of(first, page).replace("it:", "it :")
    assert send(second, page, {}, confirm).status_code == 303

    shown = text_of(first, page_of("terms", alpha))
    said_words = f"Said on {short(today())}, last day {short(last)}, confirmed by Abe Admin."
    assert f"Delivery target Contract or quote: Contract 7, page 2. {said_words} 15 minutes" in shown
    assert "Price Until confirmed: The price read last counts, and an approval caps it. not confirmed" in shown


def test_what_is_wrong_is_shown_with_the_form_and_nothing_is_recorded(alpha: SupplierAccount, admin: User) -> None:
    client, page = signed_in(admin), page_of("term", alpha, "delivery_target")
    answer = send(client, page, {**SAID, "value": "soon", "stated_on": str(today()), "expires_on": str(today())})

    assert answer.status_code == 422
    assert "Write a whole number of minutes. Nothing was recorded." in answer.content.decode()
    assert not Statement.objects.exists()


@pytest.mark.requirement("R13")
def test_an_expired_term_shows_as_such(confirmed: Statement, buyer: User) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        client = signed_in(buyer)
        shown = text_of(client, page_of("terms", confirmed.account))
        assert "Delivery target Until confirmed: No time is promised and no clock runs." in shown
        assert re.search(r"confirmed by Abe Admin\. Expired", shown)
        assert f"0 of {len(kinds_for(confirmed.account))} confirmed, 1 expired." in shown
        assert "15 minutes" not in shown


def test_a_contradiction_needs_a_reason(confirmed: Statement, admin: User) -> None:
    client, page = signed_in(admin), page_of("term", confirmed.account, "delivery_target")
    contradict = reverse("terms:statement_contradict", args=[confirmed.pk])
    assert send(client, page, {"reason": "No"}, contradict).status_code == 422
    assert Statement.objects.get().state == "confirmed"

    assert send(client, page, {"reason": "Three orders took an hour each"}, contradict).status_code == 303
    assert "Not confirmed. Until it is" in text_of(client, page)
    assert "Three orders took an hour each" in text_of(client, page)


@pytest.mark.requirement("R11")
def test_identity_stands_apart_from_what_is_negotiated(
    alpha: SupplierAccount, confirmed: Statement, admin: User, finance: User
) -> None:
    record_statement(by=admin, account=alpha, kind="legal_name", said=said("Alpha Trading Ltd", days=None))
    body = signed_in(finance).get(page_of("terms", alpha)).content.decode()
    panels = dict(re.findall(r"<h2>([^<]+)</h2>.*?(<ul.*?</ul>)", body, re.DOTALL))

    assert list(panels)[:2] == ["Who the supplier is", "Terms of the quote"]
    assert "Legal name" in panels["Who the supplier is"]
    assert "Delivery target" not in panels["Who the supplier is"]
    assert "15 minutes" in panels["Terms of the quote"]


@pytest.mark.parametrize("role", ["buyer", "manager", "finance", "auditor"])
def test_others_read_the_register_and_are_offered_no_change(recorded: Statement, person: Any, role: str) -> None:
    client, account = signed_in(person("reader", role)), recorded.account
    for url in (page_of("terms", account), page_of("term", account, "delivery_target"), page_of("access", account)):
        answer = client.get(url)
        assert answer.status_code == 200
        assert "<form method=" not in answer.content.decode().partition("<main")[2].partition("</main>")[0]
    page = page_of("term", account, "delivery_target")
    fields = {**SAID, "value": "1", "stated_on": str(today()), "expires_on": str(today()), "once": "0" * 32}
    assert client.post(page, fields).status_code == 403
    assert Statement.objects.count() == 1


def test_the_register_is_exported_with_what_is_not_confirmed(confirmed: Statement, finance: User) -> None:
    client, page = signed_in(finance), page_of("terms", confirmed.account)
    table = b"".join(client.get(f"{page}?format=csv")).decode()

    assert "Terms of the quote,Delivery target,Confirmed,15 minutes,,15 minutes,Contract or quote" in table
    assert "Terms of the quote,Live stock,Not confirmed,not confirmed," in table
    book = b"".join(client.get(f"{page}?format=xlsx"))
    assert "xl/workbook.xml" in ZipFile(BytesIO(book)).namelist()
    assert AuditEvent.objects.filter(action="export.made", facts__what="terms of Alpha PSN").count() == 2


@pytest.mark.requirement("R17")
def test_a_question_goes_from_the_buyer_over_two_administrators(
    alpha: SupplierAccount, buyer: User, admin: User, second_admin: User
) -> None:
    asks, page = signed_in(buyer), page_of("questions", alpha)
    assert send(asks, page, {"before": "promise", "question": "How long does support take?"}).status_code == 303
    assert "1 question to be checked" in text_of(asks, page_of("terms", alpha))
    question = Question.objects.get()
    form = reverse("terms:question_answer", args=[question.pk])
    fields = {"answer": "Nobody says.", "control": "Promise nothing to customers."}
    assert asks.get(form).status_code == 403
    assert send(signed_in(admin), form, fields).status_code == 303
    check = reverse("terms:question_check", args=[question.pk])
    assert check not in signed_in(admin).get(page).content.decode()
    assert send(signed_in(second_admin), page, {}, check).status_code == 303

    shown = text_of(asks, page)
    assert "Answer Nobody says. Control Promise nothing to customers." in shown
    assert "Checked by Abe Admin" in shown


@pytest.mark.requirement("R16")
def test_a_price_list_is_asked_for_added_and_given_back_as_a_file(
    alpha: SupplierAccount, admin: User, finance: User
) -> None:
    client, page = signed_in(admin), page_of("prices", alpha)
    assert "current wholesale price list" in text_of(client, page)
    assert send(client, page, {"how": "Ticket 4711"}).status_code == 303
    made = PriceList.objects.get()
    form, file = (reverse(f"terms:price_{name}", args=[made.pk]) for name in ("receive", "file"))
    assert client.get(file).status_code == 404
    content = b"<script>alert(1)</script>"
    for name in ("prices.html", "prices.xlsx", "prices"):
        assert send(client, form, {"file": SimpleUploadedFile(name, content)}).status_code == 422
        assert client.get(file).status_code == 404
    assert send(client, form, {"file": SimpleUploadedFile("prices.csv", content)}).status_code == 303

    answer: Any = signed_in(finance).get(file)
    assert answer.content == content
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="prices.csv"'
    assert "prices.csv , by Ada Admin" in text_of(client, page)


@pytest.mark.requirement("R109", "R110", "R111", "R112")
def test_access_is_asked_for_and_followed_on_one_page(alpha: SupplierAccount, admin: User, buyer: User) -> None:
    client, page = signed_in(admin), page_of("access", alpha)
    missing = send(client, page, {**ACCESS, "use_case": ""})
    assert missing.status_code == 422
    assert not AccessRequest.objects.exists()
    assert send(client, page, ACCESS).status_code == 303
    assert "Topic: API Access Request" in text_of(client, page)
    note = reverse("terms:access_note", args=[AccessRequest.objects.get().pk])
    assert send(client, page, {"ticket": "4711"}, note).status_code == 303
    assert "No time for that is promised." in text_of(client, page)
    assert send(client, page, {"state": "issued", "answer": "Key sent"}, note).status_code == 303

    shown = text_of(signed_in(buyer), page)
    assert "Issued" in shown
    assert "The supplier decided: Key sent" in shown


def test_the_accounts_page_leads_to_the_register(alpha: SupplierAccount, buyer: User) -> None:
    answer = signed_in(buyer).get(reverse("suppliers:account_detail", args=[alpha.pk]))

    assert page_of("terms", alpha) in answer.content.decode()


def test_a_term_of_the_other_supplier_is_not_here(alpha: SupplierAccount, admin: User) -> None:
    client = signed_in(admin)
    assert client.get(page_of("term", alpha, "horoscope")).status_code == 404
    assert client.get(page_of("term", alpha, "order_list")).status_code == 404


def test_the_overview_calls_the_administrator_who_may_confirm(
    recorded: Statement, admin: User, second_admin: User, buyer: User
) -> None:
    record_statement(by=admin, account=recorded.account, kind="live_stock", said=said("Plenty", source="page"))
    question = asking.ask_question(by=buyer, account=recorded.account, before="money", question="Who refunds?")
    asking.answer_question(by=admin, question=question, answer="They do.", control="Watch the credits.")

    assert "Alpha PSN: 2 statements or answers to confirm." in text_of(signed_in(second_admin), reverse("overview"))
    for other in (admin, buyer):
        assert "to confirm" not in text_of(signed_in(other), reverse("overview"))
    confirm_statement(by=second_admin, statement=recorded)
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        shown = text_of(signed_in(second_admin), reverse("overview"))
        assert "Alpha PSN: 1 term expired." in shown
        assert "Alpha PSN: 1 statement or answer to confirm." in shown
