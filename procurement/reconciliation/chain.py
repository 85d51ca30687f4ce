"""The balance chain: each reading of the supplier's balance against what the ledger expects at that moment.

The first interval in which they part names the minutes and the orders in it: where a supplier lists no orders, nothing
points closer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from procurement.bookkeeping import balances
from procurement.bookkeeping.balances import Step
from procurement.bookkeeping.queries import labels_of
from procurement.reconciliation.window import Window
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount

MOST_NAMED = 5


@dataclass(frozen=True)
class Link:
    """One reading: when, what the supplier said and what the ledger expected, in minor units."""

    at: datetime
    said: int
    expected: int

    @property
    def offset(self) -> int:
        return self.said - self.expected


@dataclass(frozen=True)
class Parting:
    """Between `after` (the last reading that agreed; None if none did) and `before` the balances parted."""

    after: datetime | None
    before: datetime
    orders: list[str]


def expected_at(account: SupplierAccount, currency: str, moment: datetime) -> int:
    """What the supplier's balance should be at a moment (UTC), in minor units, as the ledger has it."""
    return balances.expected_at(account.code, currency, moment)


def chain_of(window: Window, until: datetime) -> list[Link]:
    """The day's readings up to `until`, begun by the last one before the day, each with what was expected."""
    taken = readings(window, until)
    if not taken:
        return []
    code, first = window.account.code, taken[0][0]
    steps = balances.steps_between(code, window.currency, first, until)
    dated = balances.dated_moves(code, window.currency, first.date(), until.date())
    expected, place, links = expected_at(window.account, window.currency, first), 0, []
    for at, said in taken:
        while place < len(steps) and steps[place].at <= at:
            expected += steps[place].change
            place += 1
        later = sum(amount for day, amount in dated if first.date() < day <= at.date())
        links.append(Link(at, said, expected + later))
    return links


def readings(window: Window, until: datetime) -> list[tuple[datetime, int]]:
    rows = BalanceSnapshot.objects.filter(account=window.account, currency=window.currency, taken_at__lte=until)
    rows = rows.order_by("taken_at", "pk")
    before = (
        rows.filter(taken_at__lt=window.start).order_by("-taken_at", "-pk").values_list("taken_at", "available")[:1]
    )
    return [*before, *rows.filter(taken_at__gte=window.start).values_list("taken_at", "available")]


def parting_of(window: Window, until: datetime, explained: int, carried: int = 0) -> Parting | None:
    """Where the balances parted for good; a reading agrees when it is off by nothing, by what was `carried` over, or
    by all that is `explained`."""
    links = chain_of(window, until)
    if not links:
        return None
    agreed = [place for place, link in enumerate(links) if link.offset in (0, carried, explained)]
    if not agreed:
        return Parting(None, links[0].at, [])
    if agreed[-1] == len(links) - 1:
        return None
    after, before = links[agreed[-1]].at, links[agreed[-1] + 1].at
    return Parting(after, before, orders_between(window, after, before))


def orders_between(window: Window, after: datetime, before: datetime) -> list[str]:
    steps = balances.steps_between(window.account.code, window.currency, after, before)
    names = labels_of(("order", step.order_id) for step in steps)
    return list(dict.fromkeys(name_of(step, names) for step in steps if step.order_id))


def name_of(step: Step, names: dict[tuple[str, str], str]) -> str:
    return names.get(("order", step.order_id), step.order_id)


def parting_words(window: Window, until: datetime, explained: int, carried: int = 0) -> str:
    """The parting as a sentence."""
    parting = parting_of(window, until, explained, carried)
    if parting is None:
        return "No earlier reading of that day shows where."
    if parting.after is None:
        return (
            f"It differed at the day's first reading already ({parting.before:%H:%M:%S} UTC): look at the day before."
        )
    minutes = f"They parted between {parting.after:%H:%M:%S} and {parting.before:%H:%M:%S} UTC"
    if not parting.orders:
        return f"{minutes}, in which nothing of ours moved."
    more = len(parting.orders) - MOST_NAMED
    names = ", ".join(parting.orders[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"{minutes}, in which these orders moved: {names}."
