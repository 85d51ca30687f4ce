"""How often we may call: one row per account and limit in the database, so that all workers share it (R39, R40, R45).

Limits keep a margin, because a supplier counts arrivals and calls bunch on the way: 50 a minute in bursts of 4 stays
under 60 in any sliding minute; paid orders keep 6.7 s from the end of one to the start of the next, under 10 a minute.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from procurement.suppliers.models import RateBucket, SupplierAccount

ALL, ORDERS, POLLS = "all", "orders", "polls"
SCARCEST_FIRST = (ORDERS, POLLS, ALL)
TRIES = 20


@dataclass(frozen=True)
class Limit:
    """`interval` seconds between calls on average, `burst` of which may come at once."""

    interval: float
    burst: int


DEFAULTS = {ALL: Limit(60 / 50, 4), ORDERS: Limit(6.7, 1), POLLS: Limit(60 / 30, 4)}


def limit_for(account: SupplierAccount, name: str) -> Limit:
    """The account's own limit (`settings["limits"][name] = {"interval": seconds, "burst": n}`) or the default."""
    own = account.settings.get("limits", {}).get(name, {})
    default = DEFAULTS[name]
    return Limit(float(own.get("interval", default.interval)), int(own.get("burst", default.burst)))


def take(account: SupplierAccount, kinds: Iterable[str] = (ALL,)) -> datetime | None:
    """Take one call out of each limit; None = go, a datetime (UTC) = nothing may be sent before then.

    Taken calls are never given back: a call that was not made is better than one too many.
    """
    wanted = set(kinds)
    for name in SCARCEST_FIRST:
        retry_at = _take_one(account, name) if name in wanted else None
        if retry_at is not None:
            return retry_at
    return None


def _take_one(account: SupplierAccount, name: str) -> datetime | None:
    limit, now = limit_for(account, name), timezone.now()
    slack = timedelta(seconds=limit.interval * (limit.burst - 1))
    for _ in range(TRIES):
        bucket, _made = RateBucket.objects.get_or_create(account=account, name=name)
        due = max(bucket.tat, now)
        if due - now > slack:
            return due - slack
        # Names the value that was read: of two workers one moves it, the other looks again.
        moved = RateBucket.objects.filter(pk=bucket.pk, tat=bucket.tat).update(
            tat=due + timedelta(seconds=limit.interval)
        )
        if moved:
            return None
    return now + timedelta(seconds=1)


def order_ended(account: SupplierAccount) -> None:
    """Keep the next paid order its full distance away from the end of this one."""
    next_at = timezone.now() + timedelta(seconds=limit_for(account, ORDERS).interval)
    RateBucket.objects.filter(account=account, name=ORDERS, tat__lt=next_at).update(tat=next_at)


@dataclass(frozen=True)
class Use:
    """What of a limit is in use now, for pages: `free_at` is when the next call may go (None = now)."""

    name: str
    per_minute: int
    free_at: datetime | None


def use_of(account: SupplierAccount) -> list[Use]:
    """The state of every limit without taking from it."""
    now = timezone.now()
    stored = {bucket.name: bucket.tat for bucket in RateBucket.objects.filter(account=account)}
    shown = []
    for name in (ALL, ORDERS, POLLS):
        limit = limit_for(account, name)
        free_at = stored.get(name, now) - timedelta(seconds=limit.interval * (limit.burst - 1))
        shown.append(Use(name, round(60 / limit.interval) if limit.interval else 0, free_at if free_at > now else None))
    return shown
