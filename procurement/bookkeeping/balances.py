"""What a supplier should say of our money, from the ledger: the day's equation, and the balance at any moment.

A deposit counts from the UTC day the supplier credited it, also when it was recorded later; everything else counts from
the moment it was recorded. Amounts are minor units of one currency.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import merge
from itertools import groupby

from django.db.models import Q, Sum

from ledger import queries as books
from ledger.errors import UnknownAccount
from ledger.models import Entry, Line
from ledger.queries import StatementLine
from procurement.bookkeeping.postings import code_of
from procurement.bookkeeping.rules import DEPOSIT, HOLD, PURCHASE
from procurement.bookkeeping.statement import start_of

OURS = ("funds", "suspense")
CHUNK = 2000
TICK = timedelta(microseconds=1)


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
    credited_on = _deposited(account_code, currency, Q(entry__effective_on=day))
    earlier = _deposited(account_code, currency, Q(entry__effective_on__lt=day, recorded_at__gte=start))
    rest = sum(moved for kind, moved in kinds.items() if kind not in (DEPOSIT, PURCHASE))
    return Flows(opening + earlier, credited_on, -kinds.get(PURCHASE, 0), rest)


def expected_at(account_code: str, currency: str, moment: datetime) -> int:
    """What the supplier's balance should be at a moment (UTC)."""
    try:
        settled = sum(books.balance_at(code_of(account_code, currency, name), moment).settled for name in OURS)
    except UnknownAccount:
        return 0
    late = Q(entry__effective_on__lte=moment.date(), recorded_at__gt=moment)
    return settled + _deposited(account_code, currency, late)


def _deposited(account_code: str, currency: str, which: Q) -> int:
    lines = Line.objects.filter(which, account__code=code_of(account_code, currency, "deposits"))
    return -int(lines.aggregate(total=Sum("amount"))["total"] or 0)


def deposits_by_day(account_code: str, currency: str, first: date, last: date) -> list[tuple[date, int]]:
    """What was credited on each UTC day from `first` to `last`, both included."""
    lines = Line.objects.filter(
        account__code=code_of(account_code, currency, "deposits"), entry__effective_on__range=(first, last)
    )
    days = lines.values_list("entry__effective_on").annotate(total=Sum("amount")).order_by("entry__effective_on")
    return [(day, -total) for day, total in days]


@dataclass(frozen=True)
class Step:
    """One change of the settled balance, and the order it belongs to (empty for a deposit)."""

    at: datetime
    change: int
    order_id: str


def steps_between(account_code: str, currency: str, start: datetime, end: datetime) -> list[Step]:
    """Every change with `start` < recorded <= `end`, oldest first, deposits left out: they count by the day."""
    lines = (line for line in _lines(account_code, currency, start, end + TICK) if line.recorded_at > start)
    return [Step(line.recorded_at, line.amount, line.reference_id) for line in lines if line.kind != DEPOSIT]


@dataclass(frozen=True)
class Purchase:
    """What one order cost, when and as which entry it was booked."""

    order_id: str
    cost: int
    at: datetime
    entry_id: uuid.UUID


def purchases_between(account_code: str, currency: str, start: datetime, end: datetime) -> list[Purchase]:
    """The purchases booked with `start` <= recorded < `end`, oldest first."""
    return list(iter_purchases(account_code, currency, start, end))


def iter_purchases(account_code: str, currency: str, start: datetime, end: datetime) -> Iterator[Purchase]:
    """The same without keeping them all."""
    lines = (line for line in _lines(account_code, currency, start, end) if line.kind == PURCHASE)
    for entry_id, together in groupby(lines, key=lambda line: line.entry_id):
        one = list(together)
        yield Purchase(one[0].reference_id, -sum(line.amount for line in one), one[0].recorded_at, entry_id)


def purchases_of(order_ids: list[str]) -> dict[str, Purchase]:
    """The purchases of these orders, whenever they were booked, by order id."""
    found = {}
    for start in range(0, len(order_ids), CHUNK):
        keys = [f"order:{order_id}:purchase" for order_id in order_ids[start : start + CHUNK]]
        lines = Line.objects.filter(entry__key__in=keys, layer="settled", account__role="cost").select_related("entry")
        for line in lines:
            order_id = line.entry.reference_id
            found[order_id] = Purchase(order_id, line.amount, line.recorded_at, line.entry_id)
    return found


@dataclass(frozen=True)
class Held:
    """Money set aside for one order."""

    order_id: str
    amount: int
    since: datetime


def holds_open_at(account_code: str, currency: str, moment: datetime) -> list[Held]:
    """What was held at a moment, for which orders, oldest first."""
    funds = code_of(account_code, currency, "funds")
    try:
        if books.balance_at(funds, moment).held == 0:
            return []
    except UnknownAccount:
        return []
    not_ended = Q(resolved_by__isnull=True) | Q(resolved_by__recorded_at__gt=moment)
    entries = Entry.objects.filter(not_ended, kind=HOLD, recorded_at__lte=moment)
    lines = Line.objects.filter(account__code=funds, entry__in=entries).select_related("entry").order_by("seq")
    return [Held(line.entry.reference_id, -line.amount, line.recorded_at) for line in lines]


def _lines(account_code: str, currency: str, start: datetime, end: datetime) -> Iterator[StatementLine]:
    """The settled lines of funds and suspense, oldest first."""
    both = [_settled(code_of(account_code, currency, name), start, end) for name in OURS]
    return merge(*both, key=lambda line: (line.recorded_at, str(line.entry_id)))


def _settled(code: str, start: datetime, end: datetime) -> Iterator[StatementLine]:
    try:
        yield from (line for line in books.iter_statement(code, since=start, until=end) if line.layer == "settled")
    except UnknownAccount:
        return
