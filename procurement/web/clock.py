"""Times and spans in words: absolute first, relative only under 24 hours, units spelled for screen readers."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from procurement.web.parts import Tone

DAY = timedelta(days=1)
_UNITS = (("d", "day", 86400), ("h", "hour", 3600), ("min", "minute", 60))


def stamp(at: datetime, *, seconds: bool = False, weekday: bool = False) -> str:
    """`21 Nov 14:05` in UTC; the year is added when it is not this year."""
    at = at.astimezone(timezone.get_default_timezone())
    year = "" if at.year == timezone.now().year else f" {at.year}"
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    day = f"{at:%a} {at.day}" if weekday else str(at.day)
    return f"{day} {at:%b}{year} {clock}"


def day_words(at: datetime) -> str:
    """`Friday 21 November`; the year is added when it is not this year."""
    at = at.astimezone(timezone.get_default_timezone())
    year = "" if at.year == timezone.now().year else f" {at.year}"
    return f"{at:%A} {at.day} {at:%B}{year}"


def span_words(span: timedelta) -> tuple[str, str]:
    """A span short and spelled: ("5 d 3 h", "5 days 3 hours"); the two largest units, "under a minute" below one."""
    rest = int(abs(span).total_seconds())
    short: list[str] = []
    spelled: list[str] = []
    for sign, word, size in _UNITS:
        count, rest = divmod(rest, size)
        if count or short:
            short.append(f"{count} {sign}")
            spelled.append(f"{count} {word}{'' if count == 1 else 's'}")
    if not short:
        return "under 1 min", "under a minute"
    kept = [index for index in range(min(2, len(short))) if index == 0 or not short[index].startswith("0 ")]
    return " ".join(short[i] for i in kept), " ".join(spelled[i] for i in kept)


def span_html(span: timedelta) -> SafeString:
    """A span for eyes and for ears; a lone "5 m" is read as five metres."""
    short, spelled = span_words(span)
    if short == spelled:
        return format_html("{}", short)
    return format_html('<span aria-hidden="true">{}</span><span class="vh">{}</span>', short, spelled)


def time_html(at: datetime | None, *, seconds: bool = False, relative: bool = True) -> SafeString:
    """A `<time>` element in UTC, followed by "(2 h ago)" under 24 hours; nothing for no time."""
    if at is None:
        return SafeString("")
    element = _time_element(at, stamp(at, seconds=seconds), "seconds" if seconds else "")
    distance = timezone.now() - at
    if not relative or abs(distance) >= DAY:
        return element
    words = (
        format_html("{} ago", span_html(distance))
        if distance >= timedelta(0)
        else format_html("in {}", span_html(distance))
    )
    return format_html('{} <span class="rel">({})</span>', element, words)


def deadline_tone(at: datetime) -> Literal["neutral", "attention", "bad"]:
    """Attention from 48 hours before, bad from 12 hours before and after."""
    left = at - timezone.now()
    if left <= timedelta(hours=12):
        return "bad"
    return "attention" if left <= timedelta(hours=48) else "neutral"


def deadline_html(at: datetime | None, *, passed: str = "closed") -> SafeString:
    """`Fri 28 Nov 14:05 (5 d 3 h left)`; after it, "(closed 2 h ago)" with `passed` as the verb."""
    if at is None:
        return SafeString("")
    left = at - timezone.now()
    tone: Tone = deadline_tone(at)
    words = (
        format_html("{} left", span_html(left))
        if left > timedelta(0)
        else format_html("{} {} ago", passed, span_html(left))
    )
    return format_html(
        '<span class="deadline" data-tone="{}" data-deadline="{}" data-passed="{}">{} '
        '<span class="rel" data-left>({})</span></span>',
        tone,
        iso(at),
        passed,
        _time_element(at, stamp(at, weekday=True), "weekday"),
        words,
    )


def iso(at: datetime) -> str:
    """ISO 8601 in UTC, to the second, with a Z."""
    return at.astimezone(timezone.get_default_timezone()).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time_element(at: datetime, text: str, style: str) -> SafeString:
    full = at.astimezone(timezone.get_default_timezone()).strftime("%A %-d %B %Y %H:%M:%S UTC")
    kind = format_html(' data-format="{}"', style) if style else SafeString("")
    return format_html('<time datetime="{}" title="{}"{}>{}</time>', iso(at), full, kind, text)
