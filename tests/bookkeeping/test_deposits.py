"""A deposit's way: who may take which step, what the balance shows, and what only a second person may say."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction
from django.utils import timezone

from ledger.models import Entry
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import balances, deposits, papers, postings, queries
from procurement.bookkeeping.models import Deposit, Evidence
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.staff.models import User
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount
from tests.bookkeeping.conftest import UsdBooks
from tests.conftest import make_newcomer

TXID = "ab" * 32
Announce = Callable[..., Deposit]


@pytest.fixture
def announce(finance: User, account: SupplierAccount) -> Announce:
    def make(minor: int = 10_000, reference: str = "INV-1", *, sent: bool = True, **more: Any) -> Deposit:
        facts: dict[str, Any] = {
            "account": account,
            "amount_minor": minor,
            "currency": "USD",
            "way": "USDT/TRC-20",
        } | more
        row = deposits.announce_deposit(by=finance, reference=reference, **facts)
        if sent:
            deposits.note_sent(by=finance, deposit=row, txid=uuid.uuid4().hex * 2)
        return row

    return make


def reads(account: SupplierAccount, minor: int) -> BalanceSnapshot:
    """The supplier's balance is read now."""
    return BalanceSnapshot.objects.create(account=account, currency="USD", available=minor, request_id=uuid.uuid4())


def nothing_booked(row: Deposit, state: str) -> None:
    row.refresh_from_db()
    assert (row.state, row.credited_minor) == (state, None)
    assert not Entry.objects.exists()


@pytest.mark.requirement("R83")
def test_a_deposit_is_booked_when_the_balance_shows_it_and_not_before(
    announce: Announce, account: SupplierAccount, finance: User
) -> None:
    row = announce()
    deposits.note_confirmed(by=finance, deposit=row)
    reads(account, 0)
    assert deposits.credit_what_is_shown() == 0
    nothing_booked(row, "confirmed")

    shown = reads(account, 10_000)
    assert deposits.credit_what_is_shown() == 1
    assert deposits.credit_what_is_shown() == 0

    row.refresh_from_db()
    assert (row.state, row.credited_minor, row.credited_how, row.shown_by) == ("credited", 10_000, "balance", shown)
    assert postings.free_balance("alpha", "USD") == 10_000
    assert AuditEvent.objects.get(action="deposit.credited").actor is None


def test_another_surplus_than_the_amount_books_nothing(announce: Announce, account: SupplierAccount) -> None:
    row = announce()
    for minor in (9_999, 10_001, 20_000):
        reads(account, minor)
        assert deposits.credit_what_is_shown() == 0
    nothing_booked(row, "sent")


def test_a_surplus_that_stood_before_it_was_sent_proves_nothing(announce: Announce, account: SupplierAccount) -> None:
    reads(account, 10_000)
    row = announce()
    reads(account, 10_000)
    assert deposits.credit_what_is_shown() == 0
    nothing_booked(row, "sent")


def test_of_two_equal_deposits_the_balance_names_neither(announce: Announce, account: SupplierAccount) -> None:
    first = announce(reference="INV-1")
    announce(reference="INV-2")
    reads(account, 10_000)
    assert deposits.credit_what_is_shown() == 0
    nothing_booked(first, "sent")


def test_an_old_reading_shows_nothing(announce: Announce, account: SupplierAccount) -> None:
    row = announce()
    Deposit.objects.filter(pk=row.pk).update(sent_at=timezone.now() - timedelta(hours=9))
    old = reads(account, 10_000)
    BalanceSnapshot.objects.filter(pk=old.pk).update(taken_at=timezone.now() - timedelta(hours=2))
    assert deposits.credit_what_is_shown() == 0
    nothing_booked(row, "sent")


def test_who_announced_it_books_it_only_when_the_balance_shows_it(
    announce: Announce, account: SupplierAccount, finance: User
) -> None:
    row = announce()
    with pytest.raises(NotAllowed, match="Another person of finance, or a manager, confirms it"):
        deposits.credit_deposit(by=finance, deposit=row)
    nothing_booked(row, "sent")
    reads(account, 10_000)
    with pytest.raises(NotAllowed):
        deposits.credit_deposit(by=finance, deposit=row, amount_minor=9_000, reason="They kept a part of it.")
    nothing_booked(row, "sent")

    deposits.credit_deposit(by=finance, deposit=row)
    assert (row.state, row.credited_how) == ("credited", "balance")


@pytest.mark.requirement("R83")
def test_a_second_person_books_what_came_and_the_rest_is_named(announce: Announce, manager: User) -> None:
    row = announce()
    with pytest.raises(Refused, match="Say why"):
        deposits.credit_deposit(by=manager, deposit=row, amount_minor=9_500)
    nothing_booked(row, "sent")

    today = timezone.now().date()
    deposits.credit_deposit(by=manager, deposit=row, amount_minor=9_500, reason="The supplier kept 5.00 as a fee.")

    assert (row.amount_minor, row.credited_minor, row.short_by) == (10_000, 9_500, 500)
    assert postings.settled_balance("alpha", "USD") == balances.flows("alpha", "USD", today, timezone.now()).deposits
    assert postings.settled_balance("alpha", "USD") == 9_500
    with pytest.raises(Refused, match="cannot become"):
        deposits.credit_deposit(by=manager, deposit=row)
    assert Entry.objects.count() == 1


def test_two_who_read_the_same_deposit_book_it_once(announce: Announce, manager: User) -> None:
    row = announce()
    again = Deposit.objects.select_related("account").get(pk=row.pk)
    deposits.credit_deposit(by=manager, deposit=row)
    with pytest.raises(StaleState):
        deposits.credit_deposit(by=manager, deposit=again)
    assert postings.free_balance("alpha", "USD") == 10_000


def test_the_database_refuses_what_the_service_would_not_ask(announce: Announce, finance: User) -> None:
    row = announce()
    today = timezone.now().date()
    credited = {"state": "credited", "credited_minor": 1, "credited_on": today}
    for wrong in (
        credited,
        credited | {"credited_how": "person"},
        credited | {"credited_how": "person", "credited_by": finance},
        credited | {"credited_how": "balance"},
        credited | {"credited_how": "opening", "credited_minor": None},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Deposit.objects.filter(pk=row.pk).update(**wrong)
    nothing_booked(row, "sent")


@pytest.mark.parametrize(
    ("way", "txid"),
    [
        ("USDT/TRC-20", "0x" + TXID),
        ("USDT/ERC-20", TXID),
        ("USDT/TRC-20", TXID[:-1]),
        ("USDT/TRC-20", ""),
        ("/Bank transfer", " "),
    ],
)
def test_a_transaction_id_of_another_network_is_refused(announce: Announce, finance: User, way: str, txid: str) -> None:
    row = announce(sent=False, way=way)
    with pytest.raises(Refused, match="Nothing was noted"):
        deposits.note_sent(by=finance, deposit=row, txid=txid)
    nothing_booked(row, "announced")


def test_one_transfer_pays_one_deposit(announce: Announce, finance: User) -> None:
    deposits.note_sent(by=finance, deposit=announce(sent=False), txid=TXID)
    second = announce(reference="INV-2", sent=False)
    with pytest.raises(Refused, match="pays deposit INV-1 at Alpha already"):
        deposits.note_sent(by=finance, deposit=second, txid=TXID)
    nothing_booked(second, "announced")


def test_steps_are_for_those_who_may(announce: Announce, buyer: User, manager: User, auditor: User) -> None:
    row = announce()
    steps: list[Callable[[User], object]] = [
        lambda by: deposits.note_confirmed(by=by, deposit=row),
        lambda by: deposits.withdraw_deposit(by=by, deposit=row, reason="Not needed any more"),
        lambda by: announce_as(by, row.account),
    ]
    for by in (buyer, manager, auditor):
        for step in steps:
            with pytest.raises(NotAllowed, match="Finance"):
                step(by)
    with pytest.raises(NotAllowed, match="Manager"):
        deposits.credit_deposit(by=buyer, deposit=row)
    nothing_booked(row, "sent")
    assert Deposit.objects.count() == 1


def announce_as(by: User, account: SupplierAccount) -> Deposit:
    return deposits.announce_deposit(
        by=by, account=account, amount_minor=1, currency="USD", way="USDT/TRC-20", reference="X"
    )


def test_what_was_withdrawn_is_never_booked(announce: Announce, finance: User, account: SupplierAccount) -> None:
    row = announce()
    with pytest.raises(Refused, match="Say why"):
        deposits.withdraw_deposit(by=finance, deposit=row, reason="no")
    deposits.withdraw_deposit(by=finance, deposit=row, reason="The transfer failed.")
    reads(account, 10_000)
    assert deposits.credit_what_is_shown() == 0
    nothing_booked(row, "withdrawn")


def test_a_deposit_is_late_after_the_days_of_its_account(announce: Announce, books: UsdBooks) -> None:
    books.fund(5)
    row = announce()
    assert queries.late_deposits() == []
    Deposit.objects.filter(pk=row.pk).update(announced_at=timezone.now() - timedelta(days=3, minutes=1))
    assert queries.late_deposits() == [row]
    row.account.settings = {"deposit_days": 7}
    row.account.save()
    assert queries.late_deposits() == []


@pytest.mark.requirement("R94")
def test_documents_are_kept_whole_and_never_changed(announce: Announce, finance: User) -> None:
    row = announce()
    made = deposits.add_evidence(by=finance, deposit=row, name="C:\\a\\invoice.pdf", content=b"%PDF-1.7 x")
    assert (made.name, made.media_type, bytes(made.content)) == ("invoice.pdf", "application/pdf", b"%PDF-1.7 x")
    with pytest.raises(DatabaseError), transaction.atomic():
        Evidence.objects.filter(pk=made.pk).update(name="other")
    with pytest.raises(DatabaseError), transaction.atomic():
        Evidence.objects.filter(pk=made.pk).delete()
    assert Evidence.objects.get().name == "invoice.pdf"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("evil.pdf", b"<html><script>", "no PDF, PNG or JPEG"),
        ("evil.pdf", b"", "no PDF, PNG or JPEG"),
        ("evil.html", b"%PDF-1.7 <script>", "not what the end of its name says"),
        ("evil.png", b"%PDF-1.7 x", "not what the end of its name says"),
        ("evil.pdf", b"%PDF-" + b"x" * papers.MOST_BYTES, "larger than 5 MB"),
        ("again.PDF", b"%PDF-1.7 invoice", "kept with the deposit already"),
    ],
)
def test_other_files_are_refused(announce: Announce, finance: User, name: str, content: bytes, said: str) -> None:
    row = announce()
    deposits.add_evidence(by=finance, deposit=row, name="invoice.pdf", content=b"%PDF-1.7 invoice")
    with pytest.raises(Refused, match=said):
        deposits.add_evidence(by=finance, deposit=row, name=name, content=content)
    assert Evidence.objects.count() == 1


def test_a_role_of_today_books_only_what_the_balance_shows(announce: Announce, account: SupplierAccount) -> None:
    row, newcomer = announce(), make_newcomer("new", "finance")
    with pytest.raises(NotAllowed, match="younger than 24 hours"):
        deposits.credit_deposit(by=newcomer, deposit=row)
    nothing_booked(row, "sent")

    reads(account, 10_000)
    deposits.credit_deposit(by=newcomer, deposit=row)
    assert Entry.objects.count() == 1
