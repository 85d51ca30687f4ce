from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.models import Entry
from procurement.bookkeeping import postings
from procurement.bookkeeping.models import Deposit
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.bookkeeping.conftest import UsdBooks


@pytest.fixture
def desk(client: Client, finance: User, account: SupplierAccount) -> Client:
    client.force_login(finance)
    return client


def typed(**changes: str) -> dict[str, str]:
    facts = {
        "account": "alpha",
        "amount": "1,000.50",
        "currency": "",
        "credited_on": str(timezone.now().date()),
        "reference": "TRX-1",
        "note": "USDT, TRC-20",
    }
    return facts | changes


def check(desk: Client, **changes: str) -> Any:
    return desk.get(reverse("bookkeeping:deposit_new"), typed(**changes) | {"check": "1"})


def send(desk: Client, once: str = "", **changes: str) -> Any:
    return desk.post(reverse("bookkeeping:deposit_record"), typed(**changes) | {"once": once or uuid.uuid4().hex})


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


@pytest.mark.requirement("R83")
def test_deposit_goes_from_form_over_check_page_to_the_ledger(desk: Client, books: UsdBooks) -> None:
    books.fund(10_000)
    assert desk.get(reverse("bookkeeping:deposit_new")).status_code == 200
    page = check(desk)
    assert "Free now100.00 USD" in words(page)
    assert "1,100.50 USD" in words(page)
    assert "USDT, TRC-20" in words(page)
    assert Deposit.objects.count() == 1
    answer = send(desk)
    made = Deposit.objects.get(reference="TRX-1")
    assert (answer.status_code, made.amount_minor, made.currency) == (303, 100_050, "USD")
    done = desk.get(answer["Location"])
    assert "The deposit is recorded. Alpha has 1,100.50 USD free now." in words(done)
    assert "TRX-1" in words(done)


def test_the_same_form_sent_twice_records_one_deposit(desk: Client) -> None:
    once = uuid.uuid4().hex
    first, second = send(desk, once), send(desk, once)
    assert first["Location"] == second["Location"]
    assert Entry.objects.count() == 1


def test_the_same_reference_is_refused_on_the_check_page(desk: Client) -> None:
    send(desk)
    answer = send(desk, amount="7")
    assert answer.status_code == 422
    assert "Alpha has a deposit TRX-1 already: 1,000.50 USD, recorded by Fay Finance." in words(answer)
    assert Entry.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("amount", "1,00", "is not an amount"),
        ("amount", "1.005", "decimal places"),
        ("amount", "0", "A deposit is more than zero."),
        ("amount", "-5", "A deposit is more than zero."),
        ("amount", "", "required"),
        ("currency", "US", "three letters"),
        ("credited_on", "2099-01-01", "has not come yet"),
        ("credited_on", "yesterday", "valid date"),
        ("reference", "", "required"),
        ("account", "beta", "Select a valid choice"),
    ],
)
def test_what_is_wrong_with_a_deposit_stands_at_its_field(desk: Client, field: str, text: str, said: str) -> None:
    for answer in (check(desk, **{field: text}), send(desk, **{field: text})):
        assert answer.status_code == 422
        assert said in words(answer)
    assert not Entry.objects.exists()


def test_same_amount_shortly_before_is_pointed_out(desk: Client, books: UsdBooks) -> None:
    books.fund(100_050, "TRX-0")
    assert "The same amount was recorded before. TRX-0" in words(check(desk))
    assert "recorded before" not in words(check(desk, amount="7"))


def test_a_reference_recorded_before_is_refused_before_the_check(desk: Client, books: UsdBooks) -> None:
    books.fund(100_050, "TRX-1")
    answer = check(desk)
    assert answer.status_code == 422
    assert "Alpha has this deposit already: 1,000.50 USD" in words(answer)


def test_change_leads_back_to_the_filled_form(desk: Client) -> None:
    back = re.search(r'href="([^"]+)">Change', check(desk).content.decode())
    assert back is not None
    form = desk.get(back[1].replace("&amp;", "&")).content.decode()
    assert 'value="1,000.50"' in form
    assert 'value="TRX-1"' in form


def test_deposit_in_another_currency_opens_its_own_book(desk: Client) -> None:
    send(desk, currency="eur", amount="20", credited_on=str(timezone.now().date() - timedelta(days=2)))
    assert postings.free_balance("alpha", "EUR") == 2_000
    assert postings.free_balance("alpha", "USD") == 0
    assert "Alpha · EUR" in words(desk.get("/ledger/"))
