"""What a supplier should say of our money, from the ledger: the day's equation, and the balance at any moment.

A deposit counts from the UTC day the supplier credited it, and a correction from the day it belongs to, also when they
were recorded later; everything else counts from the moment it was recorded. Amounts are minor units of one currency.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import groupby
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Q, QuerySet, Sum

from ledger import queries as books
from ledger.chain import MICROSECOND
from ledger.errors import UnknownAccount
from ledger.models import Entry, Layer, Line, first_id
from ledger.queries import StatementLine
from procurement.bookkeeping.postings import code_of
from procurement.bookkeeping.rules import BY_DAY, HOLD, PURCHASE, RECEIVED, UNRECEIVED
from procurement.bookkeeping.statement import start_of

OURS = ("funds", "suspense")
SPENT = (PURCHASE, UNRECEIVED, RECEIVED)
CHUNK = 2000


@dataclass(frozen=True)
class Flows:
    """opening + deposits - orders + credits = closing; `orders` is what was spent, positive."""

    opening: int
    deposits: int
    orders: int
    credits: int

    @property
    def closing(self) -> int:
        return self.opening + self.deposits - self.orders + self.credits


def flows(account_code: str, currency: str, day: date, until: datetime) -> Flows:
    """The equation of one UTC day up to `until` (R93); zero for books without movements."""
    start = start_of(day)
    opening, kinds = 0, dict[str, int]()
    for name in OURS:
        try:
            found = books.movement_sums(code_of(account_code, currency, name), start, until)
        except UnknownAccount:
            return Flows(0, 0, 0, 0)
        opening += found.opening.settled
        for kind in found.kinds:
            kinds[kind.kind] = kinds.get(kind.kind, 0) + kind.settled
    deposited, corrected = (_by_day(account_code, currency, Q(effective_on=day), (kind,)) for kind in BY_DAY)
    earlier = _by_day(account_code, currency, Q(effective_on__lt=day, id__gte=first_id(start)))
    spent = -sum(kinds.get(kind, 0) for kind in SPENT)
    rest = sum(moved for kind, moved in kinds.items() if kind not in (*BY_DAY, *SPENT))
    return Flows(opening + earlier, deposited, spent, rest + corrected)


def expected_at(account_code: str, currency: str, moment: datetime) -> int:
    """What the supplier's balance should be at a moment (UTC)."""
    try:
        settled = sum(books.balance_at(code_of(account_code, currency, name), moment).settled for name in OURS)
    except UnknownAccount:
        return 0
    late = Q(effective_on__lte=moment.date(), id__gte=first_id(moment + MICROSECOND))
    return settled + _by_day(account_code, currency, late)


def _by_day(account_code: str, currency: str, which: Q, kinds: Sequence[str] = BY_DAY) -> int:
    return sum(amount for _, amount in _dated(account_code, currency, which, kinds))


def _dated(account_code: str, currency: str, which: Q, kinds: Sequence[str] = BY_DAY) -> list[tuple[date, int]]:
    """The day and the amount of each deposit and correction, found as the few they are and not among an account's lines."""
    codes = {code_of(account_code, currency, name) for name in OURS}
    entries = Entry.objects.filter(which, reference_kind__in=kinds, kind__in=kinds)
    days = dict(entries.values_list("pk", "effective_on"))
    lines = Line.objects.filter(entry_id__in=list(days), layer=Layer.SETTLED)
    rows = lines.values_list("entry_id", "account__code", "amount")
    return [(days[entry_id], amount) for entry_id, code, amount in rows if code in codes]


def dated_moves(account_code: str, currency: str, first: date, last: date) -> list[tuple[date, int]]:
    """What deposits and corrections moved on each UTC day from `first` to `last`, both included."""
    moved = sorted(_dated(account_code, currency, Q(effective_on__range=(first, last))))
    return [(day, sum(amount for _, amount in rows)) for day, rows in groupby(moved, key=lambda move: move[0])]


@dataclass(frozen=True)
class Step:
    """One change of the settled balance, and the order it belongs to (empty for a deposit)."""

    at: datetime
    change: int
    order_id: str


def steps_between(account_code: str, currency: str, start: datetime, end: datetime) -> list[Step]:
    """Every change with `start` < recorded <= `end`, oldest first, without what counts by the day."""
    lines = (line for line in _lines(account_code, currency, start, end + MICROSECOND) if line.recorded_at > start)
    return [Step(line.recorded_at, line.amount, line.reference_id) for line in lines if line.kind not in BY_DAY]


def explained_at(code: str, currency: str, since: datetime, moments: Sequence[datetime]) -> list[int]:
    """How much our ledger changed the balance from `since` to each of these moments, which are in order."""
    if not moments:
        return []
    steps = [(step.at, step.change) for step in steps_between(code, currency, since, moments[-1])]
    dated = dated_moves(code, currency, since.date() + timedelta(days=1), moments[-1].date())
    found, known, total = [], 0, 0
    for moment in moments:
        while known < len(steps) and steps[known][0] <= moment:
            total += steps[known][1]
            known += 1
        found.append(total + sum(amount for day, amount in dated if day <= moment.date()))
    return found


def spent_by_day(books_of: Sequence[tuple[str, str]], first: date, days: int) -> dict[tuple[str, str], list[int]]:
    """What orders cost on each of `days` UTC days from `first`, by account code and currency, however long the history is."""
    start, day = start_of(first), timedelta(days=1)
    codes = [code_of(code, currency, name) for code, currency in books_of for name in OURS]
    lines = books.lines_between(codes, start, start + days * day).filter(layer=Layer.SETTLED, entry__kind__in=SPENT)
    # Compared with each day's ends instead of grouped by date, which SQLite would do in Python.
    ends = [(start + number * day, start + (number + 1) * day) for number in range(days)]
    sums = [Sum("amount", filter=Q(entry_id__gte=first_id(begin), entry_id__lt=first_id(end))) for begin, end in ends]
    named = {f"day_{number}": one for number, one in enumerate(sums)}
    found = lines.order_by().values_list("account__owner", "currency").annotate(**named)
    return {(owner, currency): [-int(amount or 0) for amount in amounts] for owner, currency, *amounts in found}


@dataclass(frozen=True)
class Purchase:
    """What one order cost, and when it was booked."""

    order_id: str
    cost: int
    at: datetime


def iter_purchases(account_code: str, currency: str, start: datetime, end: datetime) -> Iterator[Purchase]:
    """The purchases booked with `start` <= recorded < `end`, oldest first, without keeping them all."""
    lines = _purchase_lines(account_code, currency, start, end).order_by("entry_id")
    rows = lines.values_list("entry__reference_id", "amount", "entry__recorded_at").iterator(CHUNK)
    return (Purchase(*row) for row in rows)


def purchases_sql(account_code: str, currency: str, start: datetime, end: datetime) -> tuple[str, Sequence[Any]]:
    """The same as a statement and its values, for joining: the entry's id, the order's as text, and what it cost."""
    lines = _purchase_lines(account_code, currency, start, end)
    try:
        return lines.values_list("entry_id", "entry__reference_id", "amount").query.sql_with_params()
    except EmptyResultSet:
        # The book is not open, so that nothing was bought.
        return "SELECT NULL, '', 0 WHERE 1 = 0", ()


def _purchase_lines(account_code: str, currency: str, start: datetime, end: datetime) -> QuerySet[Line]:
    """One line of each purchase: what it cost, whether or not the funds covered it."""
    lines = books.lines_between([code_of(account_code, currency, "purchases")], start, end)
    return lines.filter(layer=Layer.SETTLED, entry__kind=PURCHASE)


def purchases_of(order_ids: list[str]) -> dict[str, Purchase]:
    """The purchases of these orders, whenever they were booked, by order id."""
    found = {}
    for start in range(0, len(order_ids), CHUNK):
        keys = [f"order:{order_id}:purchase" for order_id in order_ids[start : start + CHUNK]]
        lines = Line.objects.filter(entry__key__in=keys, layer=Layer.SETTLED, account__role="cost")
        for row in lines.values_list("entry__reference_id", "amount", "entry__recorded_at"):
            found[row[0]] = Purchase(*row)
    return found


@dataclass(frozen=True)
class Held:
    """Money set aside for one order."""

    order_id: str
    amount: int
    since: datetime


def holds_open_at(account_code: str, currency: str, moment: datetime) -> list[Held]:
    """What was held at a moment, for which orders, oldest first.

    Looked for from the newest line back until they make the held balance of that moment: holds on funds only ever take.
    """
    funds = code_of(account_code, currency, "funds")
    try:
        then = books.balance_at(funds, moment)
    except UnknownAccount:
        return []
    found: list[Held] = []
    before, left = then.seq + 1, -then.held
    while left and (lines := books.statement(funds, before_seq=before, limit=CHUNK, kinds=[HOLD]).lines):
        ids = [line.entry_id for line in lines]
        ended = Entry.objects.filter(resolves_id__in=ids, id__lt=first_id(moment + MICROSECOND))
        gone = set(ended.values_list("resolves_id", flat=True))
        open_ones = [line for line in lines if line.entry_id not in gone]
        found += [Held(line.reference_id, -line.amount, line.recorded_at) for line in open_ones]
        before, left = lines[-1].seq, left + sum(line.amount for line in open_ones)
    return found[::-1]


def _lines(account_code: str, currency: str, start: datetime, end: datetime) -> Iterator[StatementLine]:
    """The settled lines of funds and suspense, oldest first."""
    both = [_settled(code_of(account_code, currency, name), start, end) for name in OURS]
    return merge(*both, key=lambda line: line.entry_id)


def _settled(code: str, start: datetime, end: datetime) -> Iterator[StatementLine]:
    try:
        yield from (line for line in books.iter_statement(code, since=start, until=end) if line.layer == "settled")
    except UnknownAccount:
        return
