"""Whether webhooks are late: what polling had to find because no event came. Orders say which of them wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.queries import last_event_at

LATE_AFTER = timedelta(minutes=10)
LOOKED_BACK = timedelta(hours=24)


@dataclass(frozen=True)
class Waiting:
    """Orders of one account since a moment: when the oldest began to wait, how many, and of how many polling found news."""

    since: datetime
    orders: int
    found: int


Counter = Callable[[SupplierAccount, datetime], Waiting | None]
_counters: list[Counter] = []


def counts_waiting(counter: Counter) -> Counter:
    """Register the function that knows which orders wait for a supplier; None when none does."""
    if counter not in _counters:
        _counters.append(counter)
    return counter


def late_words() -> list[str]:
    """A sentence for each account whose orders wait while no event comes (R54)."""
    accounts = SupplierAccount.objects.order_by("name")
    return [words for account in accounts for counter in _counters if (words := late_at(account, counter))]


def late_at(account: SupplierAccount, counter: Counter) -> str:
    """What is known of one account's late events; empty while they are not late."""
    now = timezone.now()
    last = last_event_at(account)
    waiting = counter(account, max(last or now - LOOKED_BACK, now - LOOKED_BACK))
    if waiting is None:
        return ""
    quiet = now - max(waiting.since, last or waiting.since)
    if quiet < LATE_AFTER:
        return ""
    minutes = int(quiet.total_seconds() // 60)
    span = f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    orders = "1 order waits" if waiting.orders == 1 else f"{waiting.orders} orders wait"
    found = f"polling found news of {waiting.found}" if waiting.found else "polling found nothing new either"
    return f"{account.name}: no event for {span} while {orders}; {found}."
