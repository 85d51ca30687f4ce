"""How many messages one webhook address and one sender may bring: a bucket for each, in this process's memory.

Bounded whatever strangers do: at most MOST_BUCKETS are remembered, the one used longest ago is forgotten first. A
bucket is worth no query. Several web processes each allow as much; the aim is that a flood costs nothing, not a tariff.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field

from django.conf import settings
from django.http import HttpRequest

from procurement.web.http import sender_of

MOST_BUCKETS = 4096
NOTE_EVERY = 1.0


@dataclass
class Buckets:
    """GCRA for many keys: `rate` messages a second, `burst` at once."""

    tat: OrderedDict[str, float] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, rate: float, burst: int, now: float) -> bool:
        """Use up one place of the key's bucket; False when it is empty."""
        with self.lock:
            taken_until = max(self.tat.get(key, now), now)
            # Not `+ 1 / rate - now > burst / rate`: rounding refused the first message of an empty bucket now and then.
            if taken_until - now > (burst - 1) / rate:
                return False
            self.tat[key] = taken_until + 1 / rate
            self.tat.move_to_end(key)
            if len(self.tat) > MOST_BUCKETS:
                self.tat.popitem(last=False)
            return True


@dataclass
class Turned:
    """Messages turned away and not yet counted in the database, by account; written at most once a second."""

    waiting: dict[uuid.UUID, int] = field(default_factory=dict)
    noted_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def away(self, account_id: uuid.UUID) -> None:
        with self.lock:
            self.waiting[account_id] = self.waiting.get(account_id, 0) + 1

    def take_due(self, now: float) -> dict[uuid.UUID, int]:
        """What must be written now; empty most of the time."""
        if not self.waiting or now - self.noted_at < NOTE_EVERY:
            return {}
        with self.lock:
            due, self.waiting, self.noted_at = self.waiting, {}, now
        return due


buckets, turned = Buckets(), Turned()


def forget() -> None:
    """Start afresh, as a new process does."""
    buckets.tat.clear()
    turned.waiting.clear()
    turned.noted_at = 0.0


def may_come(request: HttpRequest, account_id: uuid.UUID | None) -> bool:
    """Whether a message may be looked at; one turned away from a known address is counted, in memory first."""
    now, limits = time.monotonic(), settings.WEBHOOK_LIMITS
    free = buckets.take(f"ip {sender_of(request)}", *limits["sender"], now)
    if account_id is None:
        return free
    free = free and buckets.take(f"account {account_id}", *limits["address"], now)
    if not free:
        turned.away(account_id)
    return free


def due_counts() -> dict[uuid.UUID, int]:
    """Counts of messages turned away that should be written now."""
    return turned.take_due(time.monotonic())
