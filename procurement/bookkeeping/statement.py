"""The ledger page: one book's movements with the balance after each, a page at a time, or all of them for an export."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import groupby, islice
from urllib.parse import urlencode

from django.utils import timezone

from ledger import queries as books
from ledger.errors import UnknownAccount
from ledger.models import Entry, first_id
from ledger.money import decimal_amount
from ledger.queries import StatementLine, StatementPage
from procurement.bookkeeping.queries import Book, labels_of, references_called, words_of
from procurement.bookkeeping.rules import GROUPS

PAGE_SIZE = 50
# On one account an entry has at most two lines: the hold that ends and what was paid.
LINES_OF_ENTRY = 2
DEFAULT_DAYS = 30
CHUNK = 500
FIRST_DAY = date(2000, 1, 1)


@dataclass(frozen=True)
class Query:
    """What the reader asks for. `first` and `last` are UTC days, both included; `last` None is until now."""

    book: Book
    first: date
    last: date | None
    group: str = ""
    text: str = ""
    before: int | None = None
    after: int | None = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return GROUPS[self.group][1] if self.group else ()

    @property
    def since(self) -> datetime:
        return start_of(self.first)

    @property
    def until(self) -> datetime | None:
        return start_of(self.last + timedelta(days=1)) if self.last else None

    def url(self, **changes: object) -> str:
        """The page's address with `changes`; the place in the list is kept only when it is one of them."""
        facts: dict[str, object] = {"account": self.book.key, "from": self.first, "to": self.last}
        facts |= {"kind": self.group, "q": self.text} | changes
        return "?" + urlencode({name: str(value) for name, value in facts.items() if value not in ("", None)})

    def in_words(self) -> str:
        """The filters as an export states them."""
        words = [str(self.book), f"from {self.first}", f"to {self.last or timezone.now().date()}"]
        words += [GROUPS[self.group][0]] if self.group else []
        return "; ".join([*words, f"reference {self.text}"] if self.text else words)


def start_of(day: date) -> datetime:
    """Midnight UTC."""
    return datetime.combine(day, time.min, tzinfo=UTC)


def read_query(data: Mapping[str, str], kept: list[Book]) -> Query:
    """The query of an address; anything unreadable falls back to its default, so that an old link keeps working."""
    by_key = {book.key: book for book in kept}
    group = data.get("kind", "")
    return Query(
        book=by_key.get(data.get("account", ""), kept[0]),
        first=_day(data.get("from", "")) or timezone.now().date() - timedelta(days=DEFAULT_DAYS - 1),
        last=_day(data.get("to", "")),
        group=group if group in GROUPS else "",
        text=data.get("q", "").strip()[:120],
        before=_number(data.get("before", "")),
        after=_number(data.get("after", "")),
    )


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_DAY <= day < date.max else None


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


@dataclass(frozen=True)
class Row:
    """One movement on the funds; amounts in minor units, out of the funds negative."""

    entry_id: uuid.UUID
    at: datetime
    what: str
    kind: str
    reference_kind: str
    label: str
    memo: str
    actor: str
    amount: int
    held: int
    balance_after: int
    currency: str
    first_seq: int
    last_seq: int

    @property
    def decimals(self) -> tuple[Decimal, Decimal, Decimal]:
        """Amount, held and balance after in major units, for exports."""
        return (
            decimal_amount(self.amount, self.currency),
            decimal_amount(self.held, self.currency),
            decimal_amount(self.balance_after, self.currency),
        )


@dataclass(frozen=True)
class Sums:
    """Opening + money in - money out = closing, settled minor units of the period; `held` at its end."""

    opening: int
    money_in: int
    money_out: int
    closing: int
    held: int


@dataclass(frozen=True)
class Page:
    rows: list[Row]
    older: int | None
    newer: int | None


def page_of(query: Query) -> Page:
    """A page of movements, newest first, by the place in the account: no counting, however long the history."""
    reference, nothing = _reference_of(query)
    if nothing:
        return Page([], None, None)
    try:
        found = books.statement(
            query.book.funds,
            before_seq=query.before,
            after_seq=query.after,
            limit=(PAGE_SIZE + 1) * LINES_OF_ENTRY,
            kinds=query.kinds,
            reference=reference,
            since=query.since,
            until=query.until,
        )
    except UnknownAccount:
        return Page([], None, None)
    return _trimmed(found, forward=query.after is not None)


def _trimmed(found: StatementPage, *, forward: bool) -> Page:
    """At most a page of whole entries: one that may be cut at the far end waits for the next page."""
    entries = [list(lines) for _, lines in groupby(found.lines, key=lambda line: line.entry_id)]
    more = found.after if forward else found.before
    whole = entries[1:] if forward else entries[:-1]
    kept = whole if more is not None else entries
    cut = len(kept) > PAGE_SIZE or more is not None
    kept = kept[-PAGE_SIZE:] if forward else kept[:PAGE_SIZE]
    rows = as_rows(kept)
    if not rows:
        return Page([], None, None)
    has_older, has_newer = (True, cut) if forward else (cut, found.after is not None)
    return Page(rows, rows[-1].first_seq if has_older else None, rows[0].last_seq if has_newer else None)


def as_rows(entries: list[list[StatementLine]]) -> list[Row]:
    """One row for each entry's lines, with the name of what it refers to."""
    names = labels_of((lines[0].reference_kind, lines[0].reference_id) for lines in entries)
    return [_row(sorted(lines, key=lambda line: line.seq), names) for lines in entries]


def _row(lines: list[StatementLine], names: Mapping[tuple[str, str], str]) -> Row:
    line = lines[-1]
    return Row(
        entry_id=line.entry_id,
        at=line.recorded_at,
        what=words_of(line.kind),
        kind=line.kind,
        reference_kind=line.reference_kind,
        label=names.get((line.reference_kind, line.reference_id), line.reference_id),
        memo=line.memo,
        actor=line.actor,
        amount=sum(one.amount for one in lines if one.layer == "settled"),
        held=sum(one.amount for one in lines if one.layer == "held"),
        balance_after=line.settled_after,
        currency=line.currency,
        first_seq=lines[0].seq,
        last_seq=line.seq,
    )


def sums_of(query: Query) -> Sums:
    """The period's equation over all kinds; zero for a book without movements."""
    try:
        found = books.movement_sums(query.book.funds, query.since, query.until or timezone.now() + timedelta(days=1))
    except UnknownAccount:
        return Sums(0, 0, 0, 0, 0)
    return Sums(
        opening=found.opening.settled,
        money_in=sum(kind.settled for kind in found.kinds if kind.settled > 0),
        money_out=-sum(kind.settled for kind in found.kinds if kind.settled < 0),
        closing=found.closing.settled,
        held=found.closing.held,
    )


def count_of(query: Query) -> int:
    """How many movements an export holds."""
    reference, nothing = _reference_of(query)
    if nothing:
        return 0
    found = Entry.objects.filter(lines__account__code=query.book.funds, id__gte=first_id(query.since))
    found = found.filter(id__lt=first_id(query.until)) if query.until else found
    found = found.filter(kind__in=query.kinds) if query.kinds else found
    if reference:
        found = found.filter(reference_kind=reference[0], reference_id=reference[1])
    return found.distinct().count()


def all_rows(query: Query) -> Iterator[Row]:
    """Every movement of the query, oldest first, a chunk at a time."""
    reference, nothing = _reference_of(query)
    if nothing:
        return
    lines = _all_lines(query, reference)
    entries = (list(found) for _, found in groupby(lines, key=lambda line: line.entry_id))
    while chunk := list(islice(entries, CHUNK)):
        yield from as_rows(chunk)


def _all_lines(query: Query, reference: tuple[str, str] | None) -> Iterable[StatementLine]:
    try:
        yield from books.iter_statement(
            query.book.funds, kinds=query.kinds, reference=reference, since=query.since, until=query.until
        )
    except UnknownAccount:
        return


def _reference_of(query: Query) -> tuple[tuple[str, str] | None, bool]:
    """What the reader's text refers to in this book, and whether it refers to nothing at all."""
    if not query.text:
        return None, False
    found = references_called(query.text)
    return (found[0], False) if found else (None, True)
