"""An account's balance and discount tier over time. The database picks the readings: one in a minute is far too many."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, TextField
from django.db.models.functions import Cast, Substr
from django.utils import timezone

from ledger.money import exponent, format_amount
from procurement.audit.models import AuditEvent
from procurement.audit.queries import events_about
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount

HOUR, DAY = len("2026-11-21 10"), len("2026-11-21")


@dataclass(frozen=True)
class Span:
    """How far back to look: the last reading of each hour or day stands for it."""

    key: str
    words: str
    length: timedelta
    unit: int


SPANS = (
    Span("48h", "48 hours", timedelta(hours=48), HOUR),
    Span("14d", "14 days", timedelta(days=14), HOUR),
    Span("90d", "90 days", timedelta(days=90), DAY),
)
MOST_POINTS = 96


@dataclass(frozen=True)
class Line:
    """One currency's balance: readings oldest first, in minor units."""

    currency: str
    readings: list[BalanceSnapshot]

    @property
    def points(self) -> list[tuple[datetime, float]]:
        """When, and major units as a number for drawing only."""
        return [(one.taken_at, one.available / 10 ** exponent(self.currency)) for one in self.readings]

    @property
    def lowest(self) -> BalanceSnapshot:
        return min(self.readings, key=lambda one: one.available)

    @property
    def highest(self) -> BalanceSnapshot:
        return max(self.readings, key=lambda one: one.available)

    @property
    def newest_first(self) -> list[BalanceSnapshot]:
        return self.readings[::-1]

    @property
    def words(self) -> str:
        """The picture in one sentence, for those who do not see it."""
        first, last, low, high = self.readings[0], self.readings[-1], self.lowest, self.highest
        return (
            f"Balance in {self.currency}: {self._at(first)} at first, {self._at(last)} at last, "
            f"lowest {self._at(low)}, highest {self._at(high)}"
        )

    def _at(self, reading: BalanceSnapshot) -> str:
        return f"{format_amount(reading.available, self.currency)} on {reading.taken_at:%-d %b %H:%M}"


def span_of(key: str) -> Span:
    """The span people chose; the shortest for anything else."""
    return next((span for span in SPANS if span.key == key), SPANS[0])


def thinned(readings: list[BalanceSnapshot]) -> list[BalanceSnapshot]:
    """At most MOST_POINTS readings, evenly chosen, the last always among them."""
    step = max(1, -(-len(readings) // MOST_POINTS))
    return readings[::-1][::step][::-1]


def balance_lines(account: SupplierAccount, span: Span) -> list[Line]:
    """The balance of each currency over the span, the last reading of each of its hours or days; one query."""
    rows = BalanceSnapshot.objects.filter(account=account, taken_at__gte=timezone.now() - span.length)
    # The first characters of the time as text are the same on both databases; SQLite's own date functions are Python's.
    unit = Substr(Cast("taken_at", TextField()), 1, span.unit)
    # Rows are only added, so the last of an hour is the one with the highest number.
    last = rows.annotate(unit=unit).order_by().values("currency", "unit").annotate(last=Max("pk")).values("last")
    chosen = BalanceSnapshot.objects.filter(pk__in=last).order_by("taken_at", "pk")
    found: defaultdict[str, list[BalanceSnapshot]] = defaultdict(list)
    for row in chosen:
        found[row.currency].append(row)
    return [Line(currency, thinned(readings)) for currency, readings in sorted(found.items())]


def tier_changes(account: SupplierAccount, span: Span) -> list[AuditEvent]:
    """The changes of the discount tier in the span, newest first; `facts` has before and after in words (R87)."""
    since = timezone.now() - span.length
    return list(events_about([account]).filter(action="account.tier_changed", at__gte=since).order_by("-pk")[:20])
