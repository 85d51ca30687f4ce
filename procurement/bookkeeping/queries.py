"""What pages show of the ledger, apart from the statement itself (statement.py)."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from ledger import queries as books
from ledger.models import Entry, Layer, Line
from procurement.bookkeeping.models import Deposit, Label
from procurement.bookkeeping.rules import DEPOSIT, KINDS
from procurement.bookkeeping.states import UNDER_WAY
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.web.subjects import SubjectLink, names_subjects

TWIN_DAYS = 7
DAYS_TO_CREDIT = 3


@dataclass(frozen=True)
class Book:
    """The books of one supplier account in one currency."""

    account: SupplierAccount
    currency: str

    @property
    def key(self) -> str:
        """How the book is named in addresses: `alpha:USD`."""
        return f"{self.account.code}:{self.currency}"

    @property
    def funds(self) -> str:
        return f"{self.key}:funds"

    def __str__(self) -> str:
        return f"{self.account} · {self.currency}"


def books_kept() -> list[Book]:
    """Every supplier account in its settlement currency and in each currency it has movements in."""
    accounts = {account.code: account for account in SupplierAccount.objects.order_by("name", "code")}
    pairs = {(code, account.settlement_currency) for code, account in accounts.items()}
    pairs |= {(found.owner, found.currency) for found in books.accounts(role="funds")}
    return [Book(account, currency) for code, account in accounts.items() for currency in sorted(_of(code, pairs))]


def _of(code: str, pairs: set[tuple[str, str]]) -> set[str]:
    return {currency for owner, currency in pairs if owner == code}


@dataclass(frozen=True)
class Standing:
    """What a book holds now, in minor units; `beyond` was charged without funds and is not paid yet."""

    settled: int
    held: int
    beyond: int

    @property
    def free(self) -> int:
        return self.settled + self.held - self.beyond


def standing_of(book: Book) -> Standing:
    """Zero for a book without movements."""
    found = {
        account.role: account.balance for account in books.accounts(owner=book.account.code, currency=book.currency)
    }
    funds, suspense = found.get("funds"), found.get("suspense")
    return Standing(
        settled=funds.settled if funds else 0,
        held=funds.held if funds else 0,
        beyond=-suspense.settled if suspense else 0,
    )


def lines_in(book: Book) -> int:
    """How many lines the accounts of a book have."""
    return sum(account.balance.seq for account in books.accounts(owner=book.account.code, currency=book.currency))


@dataclass(frozen=True)
class Movement:
    """One event on the funds of a supplier account, in minor units: what was settled and what was held by it."""

    at: datetime
    what: str
    memo: str
    settled_minor: int
    held_minor: int
    currency: str
    entry_id: uuid.UUID


def movements_about(reference_id: str, kind: str = "order") -> list[Movement]:
    """Everything an order (or another reference) did to the funds of its account, oldest first."""
    lines = Line.objects.filter(
        entry__reference_kind=kind, entry__reference_id=reference_id, account__role__in=("funds", "suspense")
    ).select_related("entry")
    by_entry: dict[uuid.UUID, list[Line]] = {}
    for line in lines.order_by("entry_id", "seq"):
        by_entry.setdefault(line.entry_id, []).append(line)
    return [_movement(found) for found in by_entry.values()]


def _movement(lines: list[Line]) -> Movement:
    entry = lines[0].entry
    return Movement(
        at=entry.recorded_at,
        what=words_of(entry.kind),
        memo=entry.memo,
        settled_minor=sum(line.amount for line in lines if line.layer == Layer.SETTLED),
        held_minor=sum(line.amount for line in lines if line.layer == Layer.HELD),
        currency=lines[0].currency,
        entry_id=entry.pk,
    )


def words_of(kind: str) -> str:
    """A kind of entry as people read it."""
    return KINDS[kind].label if kind in KINDS else kind.capitalize()


def labels_of(references: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What people call each (kind, id); one that has no name is left out."""
    wanted = set(references)
    found = Label.objects.filter(reference_id__in={reference_id for _, reference_id in wanted})
    return {(row.kind, row.reference_id): row.text for row in found if (row.kind, row.reference_id) in wanted}


def references_called(text: str) -> list[tuple[str, str]]:
    """The (kind, id) pairs that people call `text`, orders first."""
    rows = Label.objects.filter(text=text.strip()[:120]).order_by("-kind")
    return [(row.kind, row.reference_id) for row in rows[:10]]


@dataclass(frozen=True)
class EntryView:
    """One movement with both its sides and what belongs to it."""

    entry: Entry
    what: str
    label: str
    lines: list[Line]
    deposit: Deposit | None
    ended_by: Entry | None
    story: list[Movement]

    @property
    def book_key(self) -> str:
        """The book whose statement holds this entry."""
        return self.lines[0].account.code.rpartition(":")[0]


def entry_view(pk: uuid.UUID) -> EntryView | None:
    """The movement page's facts; None if there is no such entry."""
    entry = Entry.objects.select_related("resolves", "reverses").filter(pk=pk).first()
    if entry is None:
        return None
    reference = (entry.reference_kind, entry.reference_id)
    return EntryView(
        entry=entry,
        what=words_of(entry.kind),
        label=labels_of([reference]).get(reference, ""),
        lines=list(entry.lines.select_related("account").order_by("leg")),
        deposit=_deposit_of(entry),
        ended_by=entry.resolved_by.first(),
        story=movements_about(entry.reference_id, entry.reference_kind) if entry.reference_id else [],
    )


def _deposit_of(entry: Entry) -> Deposit | None:
    if entry.kind != DEPOSIT:
        return None
    return Deposit.objects.select_related("account", "announced_by").filter(pk=entry.reference_id).first()


def entry_of_deposit(deposit: Deposit) -> Entry | None:
    """The movement that booked it; None until it is credited."""
    return books.entries_for("deposit", str(deposit.pk)).first()


def similar_deposits(deposit: Deposit) -> QuerySet[Deposit]:
    """Other deposits of the same amount within a week of it: perhaps the same money under another number."""
    near = (deposit.announced_at - timedelta(days=TWIN_DAYS), deposit.announced_at + timedelta(days=TWIN_DAYS))
    same = Deposit.objects.filter(
        account=deposit.account,
        amount_minor=deposit.amount_minor,
        currency=deposit.currency,
        announced_at__range=near,
    )
    return same.exclude(pk=deposit.pk).exclude(state="withdrawn").order_by("-announced_at")


def days_to_credit(account: SupplierAccount) -> int:
    """After how many days a deposit that is not credited is late (`settings["deposit_days"]`)."""
    return int(account.settings.get("deposit_days", DAYS_TO_CREDIT))


def is_late(deposit: Deposit) -> bool:
    age = timezone.now() - deposit.announced_at
    return deposit.is_open and age > timedelta(days=days_to_credit(deposit.account))


def late_deposits() -> list[Deposit]:
    """Announced, and not credited in its account's time; oldest first."""
    rows = Deposit.objects.filter(state__in=UNDER_WAY).select_related("account").order_by("announced_at")
    return [row for row in rows if is_late(row)]


def deposits_to_confirm(user: User) -> int:
    """How many confirmed deposits wait for a second person who may be this one."""
    return Deposit.objects.filter(state="confirmed").exclude(announced_by=user).count()


@names_subjects("bookkeeping.deposit")
def _deposit_links(keys: list[str]) -> dict[str, SubjectLink]:
    rows = Deposit.objects.filter(pk__in=keys)
    return {str(row.pk): SubjectLink(str(row), reverse("bookkeeping:deposit_detail", args=[row.pk])) for row in rows}
