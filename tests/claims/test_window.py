"""The seven days: the last moment, both sides of it, and the words of the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from procurement.claims import window
from procurement.errors import Refused
from procurement.orders.models import Code

AVAILABLE = datetime(2026, 11, 14, 14, 5, tzinfo=UTC)
ENDS = datetime(2026, 11, 21, 14, 5, tzinfo=UTC)


def code_available(at: datetime = AVAILABLE) -> Code:
    return Code(available_at=at)


@pytest.mark.requirement("R68", "R69")
@pytest.mark.parametrize(
    ("moment", "open_"),
    [
        (ENDS - timedelta(seconds=1), True),
        (ENDS, True),
        (ENDS + timedelta(microseconds=1), False),
        (ENDS + timedelta(seconds=1), False),
    ],
)
def test_the_last_moment_of_the_seventh_day_counts_and_nothing_after_it(moment: datetime, open_: bool) -> None:
    assert window.window_ends(code_available()) == ENDS
    assert window.is_open(ENDS, moment) is open_
    if open_:
        window.check_in_time(code_available(), moment)
    else:
        with pytest.raises(Refused, match="closed"):
            window.check_in_time(code_available(), moment)


@pytest.mark.requirement("R69")
def test_days_are_counted_in_utc_across_a_change_of_clocks() -> None:
    """A week over the end of summer time has 169 hours on a wall clock in Berlin, and 168 here."""
    summer = timezone(timedelta(hours=2))
    available = datetime(2026, 10, 22, 12, 0, tzinfo=summer)
    assert window.window_ends(code_available(available)) == datetime(2026, 10, 29, 10, 0, tzinfo=UTC)


@pytest.mark.requirement("R68")
@pytest.mark.parametrize(
    ("before_end", "clock"),
    [
        (timedelta(days=7), window.Clock.OPEN),
        (timedelta(hours=48, seconds=1), window.Clock.OPEN),
        (timedelta(hours=48), window.Clock.SOON),
        (timedelta(hours=12, seconds=1), window.Clock.SOON),
        (timedelta(hours=12), window.Clock.URGENT),
        (timedelta(0), window.Clock.URGENT),
        (timedelta(microseconds=-1), window.Clock.CLOSED),
    ],
)
def test_the_clock_presses_from_48_and_from_12_hours(before_end: timedelta, clock: window.Clock) -> None:
    assert window.clock_of(ENDS, ENDS - before_end) == clock
    assert window.hours_left(ENDS, ENDS - before_end) == pytest.approx(before_end / timedelta(hours=1))


def test_the_clock_speaks() -> None:
    assert window.clock_words(ENDS, at=ENDS - timedelta(days=5, hours=3)) == "5 d 3 h left"
    assert window.clock_words(ENDS, at=ENDS + timedelta(hours=2)) == "Window closed 2 h ago"
    assert window.clock_words(ENDS, filed_at=ENDS - timedelta(days=2, hours=4)) == "Filed in time, 2 d 4 h before"
    assert window.clock_words(ENDS, filed_at=ENDS + timedelta(hours=3)) == "Filed 3 h late"
