"""Guessing is slowed: after some misses each further try waits longer, and a try made too early is not looked at.

A try is counted before it is judged, by a conditional update: guesses sent side by side wait for one another. Nobody is
shut out for good, because that would let a stranger shut somebody out; and a browser that somebody signed in from has
misses of its own, so that a stranger who guesses at their name does not make them wait (decision 14).
"""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import salted_hmac

from procurement.errors import DomainError
from procurement.staff.models import Misses, User
from procurement.web.clock import span_words
from procurement.web.http import sender_of

FORGOTTEN_AFTER = timedelta(days=1)
CONTENDED = 5
KNOWN_FOR = timedelta(days=90)
STRANGER = ""


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


PROOF = Pace(free=5, first=timedelta(seconds=30), longest=timedelta(minutes=15))
# One name from everywhere: slow for a thief with many addresses, short for the person who meets them.
NAME = Pace(free=20, first=timedelta(seconds=5), longest=timedelta(minutes=1))
# Many names from one place, which may be a whole office.
ADDRESS = Pace(free=50, first=timedelta(seconds=5), longest=timedelta(minutes=5))


def take(*names: object, pace: Pace) -> None:
    """Count one try at what `names` say. Raises TooManyTries, and counts nothing, while the wait lasts.

    Outside of a transaction: the count must stand when the try fails.
    """
    key, now = _key(names), timezone.now()
    for _ in range(CONTENDED):
        row, _created = Misses.objects.get_or_create(key=key, defaults={"since": now, "last_at": now})
        same = Misses.objects.filter(key=key, count=row.count, since=row.since)
        misses, since = (0, now) if row.since < now - FORGOTTEN_AFTER else (row.count, row.since)
        left = row.last_at + pace.wait_after(misses) - now
        if misses and left > timedelta(0):
            raise TooManyTries(left)
        if same.update(count=misses + 1, last_at=now, since=since):
            return
    raise TooManyTries(pace.first)


def drop_forgotten() -> None:
    """Remove what counts no more; each day, so that no try has to."""
    Misses.objects.filter(since__lt=timezone.now() - FORGOTTEN_AFTER).delete()


def clear(*names: object) -> None:
    """The try was right: forget the misses before it."""
    Misses.objects.filter(key=_key(names)).delete()


def give_back(*names: object) -> None:
    """The try was right, but says nothing of the misses before it."""
    Misses.objects.filter(key=_key(names), count__gt=0).update(count=F("count") - 1)


def place_of(request: HttpRequest) -> str:
    """Where a request comes from, as far as guesses are concerned: one address, or the 64 bits that one IPv6 line has."""
    told = sender_of(request)
    try:
        address = ipaddress.ip_address(told)
    except ValueError:
        return told
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else told


def browser_of(request: HttpRequest, user: User | None) -> str:
    """The mark that a sign-in of this person left in this browser; STRANGER without one."""
    if user is None:
        return STRANGER
    name = _cookie(user)
    return str(request.get_signed_cookie(name, STRANGER, salt=name, max_age=int(KNOWN_FOR.total_seconds())))


def know_browser(response: HttpResponse, request: HttpRequest, user: User) -> None:
    """Leave the mark, after a sign-in. It opens nothing; it only keeps this browser's misses apart from strangers'."""
    response.set_signed_cookie(
        _cookie(user),
        browser_of(request, user) or secrets.token_hex(16),
        salt=_cookie(user),
        max_age=int(KNOWN_FOR.total_seconds()),
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _cookie(user: User) -> str:
    return f"{settings.SESSION_COOKIE_NAME}-known-{user.pk}"


def _key(names: tuple[object, ...]) -> str:
    return salted_hmac("countersign.tries", "\0".join(map(str, names)), algorithm="sha256").hexdigest()
