"""Correcting entries: what may be proposed, who confirms it, and what is then on the ledger."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.closing import close_books
from ledger.models import Entry
from procurement.bookkeeping import corrections, postings
from procurement.bookkeeping.models import Correction
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.bookkeeping.conftest import UsdBooks
from tests.conftest import make_newcomer

REASON = "The supplier charged a fee, ticket 4711."


def propose(by: User, account: SupplierAccount, minor: int = -300, **more: Any) -> Correction:
    facts: dict[str, Any] = {"against": "fees", "day": timezone.now().date(), "reason": REASON} | more
    return corrections.propose_correction(by=by, account=account, currency="USD", amount_minor=minor, **facts)


@pytest.mark.requirement("R84", "R88")
def test_a_fee_is_proposed_by_one_confirmed_by_another_and_booked_once(
    books: UsdBooks, account: SupplierAccount, finance: User, manager: User
) -> None:
    books.fund(10_000)
    row = propose(finance, account)
    assert postings.free_balance("alpha", "USD") == 10_000
    with pytest.raises(NotAllowed, match=r"another person confirms it\. Nothing was booked"):
        corrections.book_correction(by=finance, correction=row)
    assert Entry.objects.count() == 1
    again = Correction.objects.select_related("account", "proposed_by").get(pk=row.pk)

    corrections.book_correction(by=manager, correction=row)
    with pytest.raises(StaleState):
        corrections.book_correction(by=manager, correction=again)

    assert (books.balances()["funds"], books.balances()["fees"]) == ((9_700, 0), (300, 0))
    entry = Entry.objects.get(kind="correction")
    assert (entry.memo, entry.actor) == (REASON, "Fay Finance and Mia Manager")


@pytest.mark.requirement("R84", "R88")
def test_a_role_of_today_confirms_no_correction(books: UsdBooks, account: SupplierAccount, finance: User) -> None:
    books.fund(10_000)
    row = propose(finance, account)

    with pytest.raises(NotAllowed, match="younger than 24 hours and neither approves, confirms nor reveals"):
        corrections.book_correction(by=make_newcomer("new", "finance"), correction=row)

    row.refresh_from_db()
    assert (row.state, row.decided_by, Entry.objects.count()) == ("proposed", None, 1)


@pytest.mark.requirement("R84")
def test_money_given_back_raises_the_funds_and_pays_what_was_charged_beyond_them(
    books: UsdBooks, account: SupplierAccount, finance: User, manager: User
) -> None:
    books.fund(100)
    corrections.book_correction(by=manager, correction=propose(finance, account, -300))
    assert (books.balances()["funds"][0], books.balances()["suspense"][0]) == (0, -200)
    corrections.book_correction(by=manager, correction=propose(finance, account, 500, against="purchases"))
    assert (books.balances()["funds"][0], books.balances()["suspense"][0]) == (300, 0)
    assert books.balances()["purchases"][0] == -500


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"minor": 0}, "changes nothing"),
        ({"against": "funds"}, "booked against"),
        ({"reason": "because"}, "at least 10 characters"),
        ({"day": timezone.now().date() + timedelta(days=2)}, "not come yet"),
    ],
)
def test_what_is_no_correction_is_refused(
    account: SupplierAccount, finance: User, facts: dict[str, Any], said: str
) -> None:
    with pytest.raises(Refused, match=said):
        propose(finance, account, **facts)
    assert not Correction.objects.exists()


def test_only_those_who_may_propose_and_confirm(
    account: SupplierAccount, finance: User, manager: User, buyer: User
) -> None:
    for by in (manager, buyer):
        with pytest.raises(NotAllowed, match="Finance"):
            propose(by, account)
    row = propose(finance, account)
    for act in (corrections.book_correction, corrections.decline_correction):
        with pytest.raises(NotAllowed, match="Finance"):
            act(by=buyer, correction=row)
    row.refresh_from_db()
    assert row.state == "proposed"
    assert not Entry.objects.exists()


def test_a_declined_correction_is_never_booked(account: SupplierAccount, finance: User, manager: User) -> None:
    for by in (finance, manager):
        row = propose(finance, account)
        corrections.decline_correction(by=by, correction=row)
        with pytest.raises(Refused, match="cannot become"):
            corrections.book_correction(by=manager, correction=row)
    assert not Entry.objects.exists()


def test_a_day_whose_books_are_closed_takes_none(
    books: UsdBooks, account: SupplierAccount, finance: User, manager: User
) -> None:
    books.fund(1_000)
    yesterday = timezone.now().date() - timedelta(days=1)
    row = propose(finance, account, day=yesterday)
    close_books(owner="alpha", through=yesterday, closed_by="fay", reviewed_by="max")
    with pytest.raises(Refused, match="The books are closed"):
        corrections.book_correction(by=manager, correction=row)
    row.refresh_from_db()
    assert (row.state, postings.free_balance("alpha", "USD")) == ("proposed", 1_000)


def test_the_database_keeps_the_two_people_apart(account: SupplierAccount, finance: User) -> None:
    row = propose(finance, account)
    for wrong in ({"decided_by": None}, {"decided_by": finance}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Correction.objects.filter(pk=row.pk).update(state="booked", **wrong)
    row.refresh_from_db()
    assert row.state == "proposed"


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def test_a_correction_goes_over_its_pages_to_the_ledger(
    client: Client, finance: User, manager: User, books: UsdBooks
) -> None:
    books.fund(10_000)
    client.force_login(finance)
    assert client.get(reverse("bookkeeping:correction_new")).status_code == 200
    typed = {"account": "alpha", "direction": "out", "amount": "3.00", "currency": "USD", "against": "fees"}
    typed |= {"day": str(timezone.now().date()), "reason": REASON}
    for wrong in ({"amount": "0"}, {"amount": "x"}, {"reason": ""}, {"direction": "up"}, {"day": "2099-01-01"}):
        answer = client.post(reverse("bookkeeping:correction_new"), typed | wrong | {"once": uuid.uuid4().hex})
        assert answer.status_code == 422
    assert not Correction.objects.exists()
    client.post(reverse("bookkeeping:correction_new"), typed | {"once": uuid.uuid4().hex})
    row = Correction.objects.get()
    page = words(client.get(reverse("bookkeeping:correction_detail", args=[row.pk])))
    assert "One of these confirms it: Mia Manager." in page
    assert "Confirm and book" not in page

    client.force_login(manager)
    assert "1 correction waits for a second person." in words(client.get("/"))
    assert "A correction waits for a second person." in words(client.get("/ledger/"))
    client.post(reverse("bookkeeping:correction_book", args=[row.pk]), {"once": uuid.uuid4().hex})
    ledger = words(client.get("/ledger/?kind=corrections"))
    assert REASON in ledger
    assert "−3.00" in ledger
    assert "waits for a second person" not in ledger
