"""How often we may call: places in the database, so that all workers on all hosts share them (R39, R40, R45).

A limit of n calls in any window is n places. A call takes a place and keeps it until a whole window after the call has
ended, so a place brings at most one arrival into any window, however long the call was on the way: between two arrivals
of one place lies more than a window. No rate has to be guessed, and no clock but the shared one is asked.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from procurement.errors import Refused
from procurement.faultpoints import faultpoint
from procurement.suppliers import shared_clock
from procurement.suppliers.models import CallPlace, SupplierAccount

ALL, ORDERS, POLLS = "all", "orders", "polls"
# What a call is for, the scarcest limit first, and how many places of all calls it leaves to those before it (R45).
# A balance reading goes with an order or finds out whether a supplier is back, so it waits for nobody.
PLACING, BALANCE, CODES, CLAIMS, POLLING, CATALOGUE = "placing", "balance", "codes", "claims", "polling", "catalogue"
LIMITS_OF = {PLACING: (ORDERS, ALL), POLLING: (POLLS, ALL)}
LEAVES = {PLACING: 0, BALANCE: 0, CODES: 2, CLAIMS: 4, POLLING: 6, CATALOGUE: 12}
LIMIT_WORDS = {ALL: "calls", ORDERS: "orders", POLLS: "readings of order states"}
TRIES = 20
# A call ends within 45 s; a worker that dies in one keeps its place this much longer, in seconds.
LONGEST_CALL = 60.0
# Parts of a window kept in reserve after each call, and more after one without an answer, which may still be on its way.
MARGIN, UNANSWERED = 1 / 200, 1 / 10
SOON = timedelta(seconds=1)


class Limit(BaseModel):
    """`calls` in any `seconds`; 0 calls = no limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    calls: int = Field(ge=0, le=1000)
    seconds: float = Field(default=60, gt=0, le=3600)


# Two calls fewer than the supplier allows: at the sixtieth it would say that none is left, and everybody would wait.
DEFAULTS = {ALL: Limit(calls=58), ORDERS: Limit(calls=10), POLLS: Limit(calls=30)}


class Limits(BaseModel):
    """An account's own limits: `settings["limits"] = {"all": {"calls": 58, "seconds": 60}, "orders": ..., "polls": ...}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: Limit = DEFAULTS[ALL]
    orders: Limit = DEFAULTS[ORDERS]
    polls: Limit = DEFAULTS[POLLS]


def check_limits(settings: dict[str, Any]) -> None:
    """Refuse settings whose limits cannot be kept."""
    try:
        Limits.model_validate(settings.get("limits", {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused(f"The limits do not fit: {where}: {first['msg']}. Nothing was stored.") from None


def limit_for(account: SupplierAccount, name: str) -> Limit:
    """The account's own limit or the default."""
    own = account.settings.get("limits", {}).get(name)
    return Limit.model_validate(own) if own else DEFAULTS[name]


@dataclass(frozen=True)
class Place:
    """A place this call holds: the limit it belongs to, until when unless the call ends, and since when it was free."""

    pk: int
    limit: Limit
    until: datetime
    before: datetime


Ticket = tuple[Place, ...]


def take(account: SupplierAccount, use: str) -> Ticket | datetime:
    """Take a place of each limit for one call: a ticket to give back by `ended`, or when to come again (UTC).

    Nothing is kept when one of the limits is used up.
    """
    ticket: Ticket = ()
    for name in LIMITS_OF.get(use, (ALL,)):
        limit = limit_for(account, name)
        if not limit.calls:
            continue
        place = _take_place(account, name, limit, leave=leaves(limit, use) if name == ALL else 0)
        if isinstance(place, datetime):
            give_back(ticket)
            return place
        ticket += (place,)
        faultpoint(f"budget.{name}.taken")
    return ticket


def leaves(limit: Limit, use: str) -> int:
    """Places of all calls that must stay free for what is more urgent; fewer where an account has few."""
    return LEAVES[use] * limit.calls // DEFAULTS[ALL].calls


def _take_place(account: SupplierAccount, name: str, limit: Limit, *, leave: int) -> Place | datetime:
    for _ in range(TRIES):
        now, rows = shared_clock.now(), _places(account, name, limit)
        free = [row for row in rows if row.free_at <= now]
        if len(free) <= leave:
            return max(expected(rows)[min(leave, len(rows) - 1)], now + SOON / 20)
        row = random.choice(free)  # noqa: S311  a place, no secret: workers that look at once choose different ones
        until = now + timedelta(seconds=limit.seconds * (1 + MARGIN) + LONGEST_CALL)
        # Names the value that was read: of two workers one gets the place, the other looks again.
        if CallPlace.objects.filter(pk=row.pk, free_at=row.free_at).update(free_at=until, in_call=True):
            return Place(row.pk, limit, until, row.free_at)
    return shared_clock.now() + SOON


def _places(account: SupplierAccount, name: str, limit: Limit) -> list[CallPlace]:
    """All places of a limit; missing ones are made."""
    rows = CallPlace.objects.filter(account=account, name=name, number__lt=limit.calls)
    found = list(rows)
    if len(found) < limit.calls:
        missing = set(range(limit.calls)) - {row.number for row in found}
        new = [CallPlace(account=account, name=name, number=number) for number in sorted(missing)]
        CallPlace.objects.bulk_create(new, ignore_conflicts=True)
        found = list(rows.all())
    return found


def expected(rows: list[CallPlace]) -> list[datetime]:
    """When each place is likely free, earliest first: a call under way is taken for one that ends now."""
    longest = timedelta(seconds=LONGEST_CALL)
    return sorted(row.free_at - longest if row.in_call else row.free_at for row in rows)


def ended(ticket: Ticket, *, answered: bool) -> None:
    """The call is over: its places are free a whole window from now, later when it may still arrive."""
    now, windows = shared_clock.now(), 1 + MARGIN + (0 if answered else UNANSWERED)
    for place in ticket:
        _leave(place, now + timedelta(seconds=place.limit.seconds * windows))


def give_back(ticket: Ticket) -> None:
    """No call was made: its places are as free as before."""
    for place in ticket:
        _leave(place, place.before)


def _leave(place: Place, free_at: datetime) -> None:
    """Nothing happens where the place was another's since, because this call took too long."""
    CallPlace.objects.filter(pk=place.pk, free_at=place.until).update(free_at=free_at, in_call=False)


@dataclass(frozen=True)
class Use:
    """What of a limit is in use now, for pages: `taken` of `calls` places, and when the next call may go (None = now).

    A place counts as taken while its call is under way and for the whole window after it. 0 calls = no limit.
    """

    name: str
    calls: int
    seconds: float
    taken: int
    free_at: datetime | None

    @property
    def words(self) -> str:
        return LIMIT_WORDS[self.name]

    @property
    def free(self) -> int:
        return self.calls - self.taken

    @property
    def busy(self) -> tuple[float, float]:
        """From how many places on a limit is busy, and from how many nearly used up."""
        return 0.6 * self.calls, 0.9 * self.calls


def use_of(account: SupplierAccount) -> list[Use]:
    """The state of every limit without taking from it."""
    now, places = shared_clock.now(), list(CallPlace.objects.filter(account=account))
    shown = []
    for name in (ALL, ORDERS, POLLS):
        limit = limit_for(account, name)
        rows = [row for row in places if row.name == name and row.number < limit.calls]
        taken = sum(row.free_at > now for row in rows)
        free_at = max(expected(rows)[0], now + SOON) if taken == limit.calls > 0 else None
        shown.append(Use(name, limit.calls, limit.seconds, taken, free_at))
    return shown


def step(account: SupplierAccount) -> timedelta:
    """How far apart paid orders go on average."""
    limit = limit_for(account, ORDERS)
    return timedelta(seconds=limit.seconds / limit.calls if limit.calls else 0)
