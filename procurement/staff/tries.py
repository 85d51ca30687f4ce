"""Guessing is slowed: after some misses in a row each further try waits longer, and a try made too early is not looked at.

A try is counted before it is judged, by a conditional update: guesses sent side by side wait for one another. Nobody is
ever shut out for good, because that would let a stranger shut somebody out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone
from django.utils.crypto import salted_hmac

from procurement.errors import DomainError
from procurement.staff.models import Misses
from procurement.web.clock import span_words

FORGOTTEN_AFTER = timedelta(days=1)
CONTENDED = 5


class TooManyTries(DomainError):
    """The next try must wait."""

    status = 429

    def __init__(self, wait: timedelta) -> None:
        _, words = span_words(wait)
        super().__init__(f"Too many wrong tries. This one was not looked at. Wait {words}, then try again.")


@dataclass(frozen=True)
class Pace:
    """How many misses cost nothing, how long the first wait is, and the longest; each wait doubles the one before."""

    free: int
    first: timedelta
    longest: timedelta

    def wait_after(self, misses: int) -> timedelta:
        if misses < self.free:
            return timedelta(0)
        return min(self.longest, self.first * 2 ** min(misses - self.free, 20))


CODE = Pace(free=5, first=timedelta(seconds=30), longest=timedelta(minutes=15))


def take(*names: object, pace: Pace) -> None:
    """Count one try at what `names` say. Raises TooManyTries, and counts nothing, while the wait lasts.

    Outside of a transaction: the count must stand when the try fails.
    """
    key, now = _key(names), timezone.now()
    for _ in range(CONTENDED):
        row, _created = Misses.objects.get_or_create(key=key, defaults={"last_at": now})
        count = 0 if now - row.last_at >= FORGOTTEN_AFTER else row.count
        left = row.last_at + pace.wait_after(count) - now
        if count and left > timedelta(0):
            raise TooManyTries(left)
        as_read = Misses.objects.filter(key=key, count=row.count, last_at=row.last_at)
        if as_read.update(count=count + 1, last_at=now):
            return
    raise TooManyTries(pace.first)


def clear(*names: object) -> None:
    """The try was right: forget the misses before it."""
    Misses.objects.filter(key=_key(names)).delete()


def _key(names: tuple[object, ...]) -> str:
    return salted_hmac("countersign.tries", "\0".join(map(str, names)), algorithm="sha256").hexdigest()
