from __future__ import annotations

import csv
import io
import re
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.models import Line
from ledger.plaintext import write
from ledger.queries import entries_for
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings, statement
from procurement.bookkeeping.queries import Book, books_kept, entry_view, standing_of
from procurement.bookkeeping.statement import Query
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.bookkeeping.conftest import UsdBooks

URL = "/ledger/"


@pytest.fixture
def signed_in(client: Client) -> Callable[[User], Client]:
    def sign_in(person: User) -> Client:
        client.force_login(person)
        return client

    return sign_in


@pytest.fixture
def busy(books: UsdBooks) -> UsdBooks:
    """A deposit, 12 orders with their holds, one failed and one refunded."""
    books.fund(100_000)
    for number in range(12):
        books.hold(str(number), 1_000)
        books.purchase(str(number), 1_000)
    books.hold("bad", 500)
    postings.release_order(order_id="bad", reason="=HYPERLINK(1)")
    books.refund("7", 1_000)
    return books


def query(account: SupplierAccount, **changes: Any) -> Query:
    first = timezone.now().date() - timedelta(days=5)
    facts: dict[str, Any] = {"book": Book(account, "USD"), "first": first, "last": None}
    return Query(**(facts | changes))


def body(response: Any) -> str:
    return re.sub(r"<[^>]+>", "", response.content.decode())


def test_rows_follow_from_each_other_and_end_at_the_balance(busy: UsdBooks, account: SupplierAccount) -> None:
    rows = list(statement.all_rows(query(account)))
    balance = 0
    for row in rows:
        balance += row.amount
        assert row.balance_after == balance
    assert sum(row.held for row in rows) == 0
    assert (balance, len(rows)) == (100_000 - 11_000, statement.count_of(query(account)))


@pytest.mark.parametrize("size", [1, 4, 50])
def test_pages_walk_down_and_up_over_every_movement_once(
    busy: UsdBooks, account: SupplierAccount, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(statement, "PAGE_SIZE", size)
    everything = [row.entry_id for row in statement.all_rows(query(account))][::-1]
    down, page = [], statement.page_of(query(account))
    assert page.newer is None
    while True:
        down += [row.entry_id for row in page.rows]
        if page.older is None:
            break
        page = statement.page_of(query(account, before=page.older))
    assert down == everything
    up = [row.entry_id for row in page.rows]
    while page.newer is not None:
        page = statement.page_of(query(account, after=page.newer))
        up = [row.entry_id for row in page.rows] + up
        assert len(page.rows) <= statement.PAGE_SIZE
    assert up == everything


def test_period_equation_adds_up(busy: UsdBooks, account: SupplierAccount) -> None:
    sums = statement.sums_of(query(account))
    assert (sums.opening, sums.money_in, sums.money_out, sums.closing) == (0, 101_000, 12_000, 89_000)
    later = statement.sums_of(query(account, first=timezone.now().date() + timedelta(days=2)))
    assert (later.opening, later.money_in, later.money_out, later.closing) == (89_000, 0, 0, 89_000)


def test_filters_by_what_and_by_reference(busy: UsdBooks, account: SupplierAccount) -> None:
    failed = statement.page_of(query(account, group="failed")).rows
    assert [(row.what, row.memo) for row in failed] == [("Attempt failed, hold ended", "=HYPERLINK(1)")]
    of_order = statement.page_of(query(account, text="ORD-7")).rows
    assert [row.kind for row in of_order] == ["refund", "purchase", "hold"]
    assert statement.count_of(query(account, text="ORD-7", group="remedies")) == 1
    assert statement.page_of(query(account, text="ORD-none")).rows == []
    assert list(statement.all_rows(query(account, text="ORD-none"))) == []
    assert statement.page_of(query(account, last=timezone.now().date() - timedelta(days=1))).rows == []


def test_a_book_without_movements_is_empty_and_zero(account: SupplierAccount) -> None:
    assert [str(book) for book in books_kept()] == ["Alpha · USD"]
    assert standing_of(Book(account, "USD")).free == 0
    assert statement.sums_of(query(account)) == statement.Sums(0, 0, 0, 0, 0)
    assert statement.page_of(query(account)).rows == []
    assert list(statement.all_rows(query(account))) == []


@pytest.mark.requirement("R83")
def test_ledger_page_shows_movements_with_order_ids(signed_in: Any, finance: User, busy: UsdBooks) -> None:
    words = body(signed_in(finance).get(URL))
    assert "Alpha · USD has 890.00 USD free" in words
    assert "ORD-11" in words
    assert "ORD-bad" in words
    assert "Balance after" in words
    assert "+10.00 USD" in words
    assert "−10.00 USD" in words


def test_filtered_rows_keep_the_balance_each_movement_left(signed_in: Any, finance: User, busy: UsdBooks) -> None:
    every = {row.entry_id: row.balance_after for row in signed_in(finance).get(URL).context["page"].rows}
    page = signed_in(finance).get(URL, {"kind": "failed"})
    rows = page.context["page"].rows
    assert rows
    assert all(row.balance_after == every[row.entry_id] for row in rows)
    assert "Balance after" in body(page)


def test_rubbish_in_the_address_shows_the_default(signed_in: Any, finance: User, busy: UsdBooks) -> None:
    wrong = {"account": "x:EUR", "from": "9999-99-99", "to": "soon", "kind": "nonsense", "before": "-1", "after": "²"}
    assert signed_in(finance).get(URL, wrong).status_code == 200
    assert signed_in(finance).get(URL, {"from": "0001-01-01", "to": "9999-12-31"}).status_code == 200


def test_ledger_page_without_accounts_says_so(signed_in: Any, finance: User) -> None:
    assert "No supplier account yet." in body(signed_in(finance).get(URL))


@pytest.mark.requirement("R63")
def test_ledger_is_for_those_who_may_see_it(client: Client, support: User, outsider: User, busy: UsdBooks) -> None:
    assert client.get(URL).status_code == 302
    for person in (support, outsider):
        client.force_login(person)
        for address in (URL, f"{URL}?format=csv", f"{URL}?format=hledger", reverse("bookkeeping:deposit_new")):
            answer = client.get(address)
            assert answer.status_code == 403
            assert "890.00" not in body(answer)
    assert not AuditEvent.objects.filter(action="export.made").exists()


def test_buyers_read_the_ledger_but_record_nothing(signed_in: Any, buyer: User, busy: UsdBooks) -> None:
    client = signed_in(buyer)
    assert "Record deposit" not in body(client.get(URL))
    assert client.get(reverse("bookkeeping:deposit_new")).status_code == 403
    assert client.post(reverse("bookkeeping:deposit_new"), {"amount": "5"}).status_code == 403
    assert postings.free_balance("alpha", "USD") == 89_000


def test_export_holds_the_filtered_rows_and_no_formula(signed_in: Any, finance: User, busy: UsdBooks) -> None:
    answer = signed_in(finance).get(URL, {"format": "csv", "kind": "failed"})
    about, header, row = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode())))
    assert "Failed attempts" in about[0]
    assert "made by Fay Finance" in about[0]
    facts = dict(zip(header, row, strict=True))
    assert facts["memo"] == "'=HYPERLINK(1)"
    assert (facts["amount"], facts["held"], facts["balance after"]) == ("0.00", "5.00", "880.00")
    assert facts["reference"] == "ORD-bad"
    event = AuditEvent.objects.get(action="export.made")
    assert (event.actor, event.facts["rows"]) == (finance, 1)


@pytest.mark.parametrize("style", ["hledger", "beancount"])
def test_the_whole_book_goes_to_another_program_and_on_the_record(
    signed_in: Any, finance: User, busy: UsdBooks, style: str
) -> None:
    answer = signed_in(finance).get(URL, {"format": style, "account": "alpha:USD", "kind": "failed"})
    assert f".{style}" in answer["Content-Disposition"]
    text = b"".join(answer.streaming_content).decode()
    assert text.splitlines() == list(write(style, owner="alpha", currency="USD"))
    assert "purchase" in text
    event = AuditEvent.objects.get(action="export.made")
    assert (event.actor, event.facts["rows"]) == (finance, Line.objects.count())


@pytest.mark.requirement("R64")
def test_delivered_codes_stand_on_the_ledger_by_number_and_checksum(
    signed_in: Any, finance: User, books: UsdBooks
) -> None:
    books.fund(10_000)
    for _ in range(2):
        postings.codes_delivered(
            account_code="alpha",
            currency="USD",
            order_id="1",
            label="ORD-1",
            delivery_id="9",
            count=200,
            checksum="9f86d081884c7d65",
        )
    page = body(signed_in(finance).get(URL, {"kind": "codes"}))
    assert page.count("Codes delivered") == 1
    assert "200 codes, checksum 9f86d081884c" in page
    assert books.balances()["funds"] == (10_000, 0)


def test_movement_page_shows_both_sides_and_the_order_s_other_movements(
    signed_in: Any, finance: User, busy: UsdBooks
) -> None:
    entry = entries_for("order", "7").get(kind="purchase")
    page = body(signed_in(finance).get(reverse("bookkeeping:entry_detail", args=[entry.pk])))
    assert "alpha USD funds" in page
    assert "alpha USD purchases" in page
    assert "Refund" in page
    assert "Held for an order" in page
    assert "ORD-7" in page
    held = entries_for("order", "7").get(kind="hold")
    view = entry_view(held.pk)
    assert view is not None
    assert view.ended_by == entry


def test_unknown_movement_is_not_found(signed_in: Any, finance: User) -> None:
    answer = signed_in(finance).get(reverse("bookkeeping:entry_detail", args=[uuid.uuid4()]))
    assert answer.status_code == 404


def test_page_costs_the_same_however_many_movements(
    signed_in: Any, finance: User, busy: UsdBooks, django_assert_max_num_queries: Any
) -> None:
    client = signed_in(finance)
    with django_assert_max_num_queries(25):
        client.get(URL)
    for number in range(100, 112):
        busy.purchase(str(number), 10)
    with django_assert_max_num_queries(25):
        client.get(URL)


def test_movements_before_the_period_are_in_its_opening(books: UsdBooks, account: SupplierAccount) -> None:
    now = timezone.now()
    with time_machine.travel(now - timedelta(days=3), tick=False):
        books.fund(5_000)
    books.purchase("1", 1_000)
    today = query(account, first=now.date())
    sums = statement.sums_of(today)
    assert (sums.opening, sums.money_out, sums.closing) == (5_000, 1_000, 4_000)
    assert [row.kind for row in statement.all_rows(today)] == ["purchase"]
    yesterday = query(account, first=now.date() - timedelta(days=9), last=now.date() - timedelta(days=1))
    assert [row.kind for row in statement.all_rows(yesterday)] == ["deposit"]
    assert isinstance(statement.start_of(now.date()), datetime)
