"""How long the free balance lasts, if orders go on as in the last fourteen days."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from ledger.money import decimal_amount
from procurement.bookkeeping.balances import spent_by_day
from procurement.bookkeeping.holdings import amount_text, free_balances
from procurement.bookkeeping.models import Deposit
from procurement.bookkeeping.queries import Book, books_kept
from procurement.bookkeeping.states import UNDER_WAY

DAYS = 14
# Fewer days than this are low (`settings["cover_days"]` of the account).
LOW = 3


@dataclass(frozen=True)
class Cover:
    """A book's free balance beside what was spent on each of the last 14 whole UTC days, in minor units."""

    book: Book
    free: int
    spent: list[int]
    coming: int
    today: date

    @property
    def a_day(self) -> int:
        return sum(self.spent) // DAYS

    @property
    def days(self) -> int | None:
        """Whole days that the free balance lasts; None where nothing was spent."""
        return max(0, self.free) * DAYS // sum(self.spent) if sum(self.spent) else None

    @property
    def is_low(self) -> bool:
        return self.days is not None and self.days < int(self.book.account.settings.get("cover_days", LOW))

    @property
    def sentence(self) -> str:
        """The forecast in words."""
        if self.days is None:
            return f"Nothing was spent in the last {DAYS} days, so nobody can say how long the free balance lasts."
        rate = f"At {amount_text(self.a_day, self.book.currency)} a day, as in the last {DAYS} days,"
        until = self.today + timedelta(days=self.days)
        lasts = (
            "does not last another day"
            if self.days == 0
            else f"lasts {self.days} {plural(self.days)}, to {until.day} {until:%b}"
        )
        coming = (
            f" {amount_text(self.coming, self.book.currency)} is announced and not credited yet." if self.coming else ""
        )
        return f"{rate} the free balance {lasts}.{coming}"

    @property
    def points(self) -> list[tuple[str, float]]:
        """The free balance at the end of each coming day at that rate, in major units for a drawing; empty without spending."""
        if self.days is None:
            return []
        ahead = [(number, max(0, self.free - number * sum(self.spent) // DAYS)) for number in range(DAYS + 1)]
        return [
            (label(self.today + timedelta(days=n)), float(decimal_amount(left, self.book.currency)))
            for n, left in ahead
        ]


def plural(days: int) -> str:
    return "day" if days == 1 else "days"


def label(day: date) -> str:
    return f"{day.day} {day:%b}"


def covers(wanted: list[Book] | None = None) -> list[Cover]:
    """The forecast of these books, or of all, in a fixed number of queries."""
    kept = books_kept() if wanted is None else wanted
    today = timezone.now().date()
    keys = [(book.account.code, book.currency) for book in kept]
    free, coming = free_balances(keys), Counter[tuple[str, str]]()
    spent = spent_by_day(keys, today - timedelta(days=DAYS), DAYS)
    for code, currency, amount in Deposit.objects.filter(state__in=UNDER_WAY).values_list(
        "account__code", "currency", "amount_minor"
    ):
        coming[code, currency] += amount
    return [
        Cover(book, free.get(key, 0), spent.get(key, [0] * DAYS), coming[key], today)
        for book, key in zip(kept, keys, strict=True)
    ]
