from __future__ import annotations

import re
import uuid
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from ledger.models import Entry
from procurement.bookkeeping import deposits, postings
from procurement.bookkeeping.models import Deposit, Evidence
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount

TXID = "ab" * 32


@pytest.fixture
def desk(client: Client, finance: User, account: SupplierAccount) -> Client:
    client.force_login(finance)
    return client


def announce(desk: Client, once: str = "", **changes: str) -> Any:
    facts = {"account": "alpha", "amount": "1,000.50", "currency": "", "way": "USDT/TRC-20", "reference": "INV-1"}
    return desk.post(reverse("bookkeeping:deposit_new"), facts | changes | {"once": once or uuid.uuid4().hex})


def post(desk: Client, name: str, row: Deposit, *args: str, **fields: Any) -> Any:
    url = reverse(f"bookkeeping:deposit_{name}", args=[row.pk, *args])
    return desk.post(url, fields | {"once": uuid.uuid4().hex})


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def page(desk: Client, row: Deposit) -> str:
    return words(desk.get(reverse("bookkeeping:deposit_detail", args=[row.pk])))


@pytest.mark.requirement("R83")
def test_a_deposit_goes_from_its_announcement_over_a_second_person_to_the_ledger(
    desk: Client, client: Client, manager: User
) -> None:
    assert desk.get(reverse("bookkeeping:deposit_new")).status_code == 200
    assert announce(desk).status_code == 303
    row = Deposit.objects.get()
    assert "Send the money, then note its transaction id here." in page(desk, row)
    assert post(desk, "step", row, "sent", txid="wrong").status_code == 422
    assert post(desk, "step", row, "sent", txid=TXID).status_code == 303
    assert post(desk, "step", row, "confirmed").status_code == 303
    assert "one of these confirms it: Mia Manager" in page(desk, row)
    today = str(timezone.now().date())
    assert post(desk, "credit", row, amount="1,000.50", credited_on=today).status_code == 403
    assert not Entry.objects.exists()

    client.force_login(manager)
    assert "Book the credit as the second person" in page(client, row)
    assert post(client, "credit", row, amount="1,000.50", credited_on=today).status_code == 303

    assert postings.free_balance("alpha", "USD") == 100_050
    done = page(client, row)
    assert "a second person confirmed it (Mia Manager)" in done
    assert "Mia Manager booked 1,000.50 USD" in done


def test_the_same_form_sent_twice_announces_one_deposit(desk: Client) -> None:
    once = uuid.uuid4().hex
    first, second = announce(desk, once), announce(desk, once)
    assert first["Location"] == second["Location"]
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("amount", "1,00", "is not an amount"),
        ("amount", "1.005", "decimal places"),
        ("amount", "0", "A deposit is more than zero."),
        ("amount", "-5", "A deposit is more than zero."),
        ("amount", "", "required"),
        ("currency", "US", "three letters"),
        ("way", "USDT/Bitcoin", "Select a valid choice"),
        ("reference", "", "required"),
        ("account", "beta", "Select a valid choice"),
    ],
)
def test_what_is_wrong_with_a_deposit_stands_at_its_field(desk: Client, field: str, text: str, said: str) -> None:
    answer = announce(desk, **{field: text})
    assert answer.status_code == 422
    assert said in words(answer)
    assert not Deposit.objects.exists()


def test_the_same_invoice_number_is_refused_at_its_field(desk: Client) -> None:
    announce(desk)
    answer = announce(desk, amount="7")
    assert answer.status_code == 422
    assert "Alpha has a deposit INV-1 already: 1,000.50 USD, announced by Fay Finance." in words(answer)
    assert Deposit.objects.count() == 1


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"amount": "0"}, "more than zero"),
        ({"amount": "x"}, "is not an amount"),
        ({"credited_on": "2099-01-01"}, "has not come yet"),
        ({"amount": "900"}, "Say why"),
    ],
)
def test_a_credit_that_is_wrong_books_nothing(
    desk: Client, client: Client, manager: User, fields: dict[str, str], said: str
) -> None:
    announce(desk)
    row = Deposit.objects.get()
    post(desk, "step", row, "sent", txid=TXID)
    client.force_login(manager)
    facts = {"amount": "1,000.50", "credited_on": str(timezone.now().date())} | fields
    answer = post(client, "credit", row, **facts)
    assert answer.status_code == 422
    assert said in words(answer)
    assert not Entry.objects.exists()


def test_an_equal_deposit_is_pointed_out(desk: Client) -> None:
    announce(desk)
    announce(desk, reference="INV-2")
    assert "Another deposit has the same amount. INV-1, announced." in page(
        desk, Deposit.objects.get(reference="INV-2")
    )


@pytest.mark.requirement("R94")
def test_a_document_is_a_download_and_never_a_page(desk: Client) -> None:
    announce(desk)
    row = Deposit.objects.get()
    assert post(desk, "evidence_add", row, file=SimpleUploadedFile("x.pdf", b"<html>")).status_code == 422
    assert post(desk, "evidence_add", row).status_code == 422
    assert not Evidence.objects.exists()
    assert post(desk, "evidence_add", row, file=SimpleUploadedFile("in\nvoice.pdf", b"%PDF-1")).status_code == 303
    kept = Evidence.objects.get()
    answer = desk.get(reverse("bookkeeping:deposit_evidence", args=[row.pk, kept.pk]))
    assert (answer.content, answer["Content-Type"]) == (b"%PDF-1", "application/pdf")
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_the_list_filters_and_exports(desk: Client, finance: User, account: SupplierAccount) -> None:
    assert "No deposit was announced yet." in words(desk.get(reverse("bookkeeping:deposit_list")))
    for number, way in ((1, "USDT/TRC-20"), (2, "BTC/Bitcoin")):
        deposits.announce_deposit(
            by=finance, account=account, amount_minor=number, currency="USD", way=way, reference=f"INV-{number}"
        )
    assert "INV-1" not in words(desk.get(reverse("bookkeeping:deposit_list") + "?network=Bitcoin"))
    table: Any = desk.get(reverse("bookkeeping:deposit_list") + "?format=csv&network=Bitcoin")
    text = b"".join(table.streaming_content).decode()
    assert "INV-2,alpha,Announced,0.02,,USD,BTC,Bitcoin" in text
    assert "INV-1" not in text


def test_a_late_deposit_and_one_to_confirm_are_on_the_overview(
    desk: Client, client: Client, finance: User, manager: User, account: SupplierAccount
) -> None:
    announce(desk)
    row = Deposit.objects.get()
    for name, txid in (("sent", TXID), ("confirmed", "")):
        post(desk, "step", row, name, txid=txid)
    Deposit.objects.update(announced_at="2026-01-02T00:00Z")
    assert "Deposit INV-1 at Alpha: announced 2 Jan and not credited." in words(desk.get("/"))
    client.force_login(manager)
    assert "1 deposit waits for a second person." in words(client.get("/"))


def test_deposit_in_another_currency_opens_its_own_book(desk: Client, client: Client, manager: User) -> None:
    announce(desk, currency="eur", amount="20")
    row = Deposit.objects.get()
    post(desk, "step", row, "sent", txid=TXID)
    client.force_login(manager)
    post(client, "credit", row, amount="20", credited_on=str(timezone.now().date()))
    assert postings.free_balance("alpha", "EUR") == 2_000
    assert postings.free_balance("alpha", "USD") == 0
    assert "Alpha · EUR" in words(client.get("/ledger/"))
