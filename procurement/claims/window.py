"""The seven days in which a supplier takes a claim (R68, R69, N3).

Seven calendar days of 24 hours in UTC, counted from the earliest proof that the code could be had
(`Code.available_at`), not from our own delivery or reveal. The last moment counts: a claim exactly seven days
after is in time, one microsecond later is late. The supplier's own clock decides in the end, so the pages warn early.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from django.utils import timezone

from procurement.errors import Refused
from procurement.orders.models import Code
from procurement.web.clock import span_words, stamp

CLAIM_WINDOW = timedelta(days=7)
# When the queue and the overview begin to press: a working weekend, and one night.
DUE_SOON = timedelta(hours=48)
URGENT = timedelta(hours=12)


class Clock(StrEnum):
    """How much of the window is left."""

    OPEN = "open"
    SOON = "soon"
    URGENT = "urgent"
    CLOSED = "closed"


def window_ends(code: Code) -> datetime:
    """The last moment (UTC) at which a claim for `code` is in time."""
    return code.available_at + CLAIM_WINDOW


def is_open(ends: datetime, at: datetime | None = None) -> bool:
    """Whether `at` (default now) is not after the last moment."""
    return (at or timezone.now()) <= ends


def hours_left(ends: datetime, at: datetime | None = None) -> float:
    """Hours until the last moment; negative after it."""
    return (ends - (at or timezone.now())) / timedelta(hours=1)


def clock_of(ends: datetime, at: datetime | None = None) -> Clock:
    """Open, soon (48 hours or less), urgent (12 hours or less) or closed."""
    left = ends - (at or timezone.now())
    if left < timedelta(0):
        return Clock.CLOSED
    if left <= URGENT:
        return Clock.URGENT
    return Clock.SOON if left <= DUE_SOON else Clock.OPEN


def clock_words(ends: datetime, filed_at: datetime | None = None, at: datetime | None = None) -> str:
    """`5 d 3 h left`, `Window closed 2 h ago`, or for a filed claim `Filed in time, 2 d 4 h before`."""
    if filed_at is not None:
        short = span_words(ends - filed_at)[0]
        return f"Filed in time, {short} before" if is_open(ends, filed_at) else f"Filed {short} late"
    left = ends - (at or timezone.now())
    short = span_words(left)[0]
    return f"{short} left" if left >= timedelta(0) else f"Window closed {short} ago"


def check_in_time(code: Code, at: datetime | None = None) -> None:
    """Refused after the last moment; the late request is then a text a person sends, nothing the system files (R68)."""
    ends = window_ends(code)
    if not is_open(ends, at):
        raise Refused(
            f"The claim window closed {stamp(ends, weekday=True)} UTC, 7 days after the code became available. "
            "No claim was filed. Copy the late request and ask the supplier by hand."
        )
