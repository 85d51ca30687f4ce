"""The tags every page uses, so that money, times, states and codes look and read the same everywhere."""

from __future__ import annotations

import functools
import itertools
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import heroicons
from django import template
from django.http import HttpRequest
from django.template import Context
from django.template.loader import render_to_string
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from ledger.money import format_amount
from procurement.web import charts, clock
from procurement.web.once import new_token
from procurement.web.parts import TONES, Level, Series

register = template.Library()

MASK = "••••-••••-"
LOOK_ALIKES = frozenset("0O1IL5S6G2Z8B")
_BADGE_SHAPES = {
    "neutral": '<circle cx="8" cy="8" r="5.25"/>',
    "progress": '<circle cx="8" cy="8" r="5.25"/><path class="fill" d="M8 2.75a5.25 5.25 0 0 1 0 10.5z"/>',
    "good": '<circle cx="8" cy="8" r="6.25"/><path d="m5.2 8.2 2 2 3.6-4.2"/>',
    "attention": '<path d="M8 1.9 14.6 13.5H1.4z"/><path d="M8 6.2v3.2M8 11.3v.4"/>',
    "bad": '<path d="M5.2 1.5h5.6l3.7 3.7v5.6l-3.7 3.7H5.2l-3.7-3.7V5.2z"/><path d="m5.8 5.8 4.4 4.4m0-4.4-4.4 4.4"/>',
    "hold": '<rect x="1.75" y="1.75" width="12.5" height="12.5" rx="2.5"/><path d="M6.2 5.2v5.6M9.8 5.2v5.6"/>',
}
_region_names: dict[str, str] = {}


class HasTone(Protocol):
    label: str
    tone: str


def register_region_names(names: Mapping[str, str]) -> None:
    """Tell the `region` tag the names of two-letter region codes; the catalogue owns them."""
    _region_names.update(names)


@register.simple_tag
def money(minor: int | None, currency: str = "") -> SafeString:
    """`1,234.50 USD` from integer minor units; "not known" for None."""
    return _money(minor, currency, signed=False)


@register.simple_tag
def movement(minor: int | None, currency: str = "") -> SafeString:
    """Money of a movement: always with its sign, `+500.00 USD` or `−120.00 USD`."""
    return _money(minor, currency, signed=True)


@register.simple_tag
def amount(minor: int | None, currency: str) -> SafeString:
    """The bare number `1,234.50`, for a column whose header names the currency."""
    if minor is None:
        return SafeString("not known")
    return format_html('<span class="money">{}</span>', format_amount(minor, currency))


def _money(minor: int | None, currency: str, *, signed: bool) -> SafeString:
    if minor is None:
        return SafeString("not known")
    plus = "+" if signed and minor > 0 else ""
    text = format_amount(minor, currency)
    return format_html('<span class="money">{}{} <span class="cur">{}</span></span>', plus, text, currency)


@register.simple_tag
def when(at: datetime | None, seconds: bool = False, relative: bool = True) -> SafeString:
    """`21 Nov 14:05 (2 h ago)` as `<time>` in UTC; no relative part from 24 hours on or with relative=False."""
    return clock.time_html(at, seconds=seconds, relative=relative)


@register.simple_tag
def deadline(at: datetime | None, passed: str = "closed") -> SafeString:
    """`Fri 28 Nov 14:05 (5 d 3 h left)`, toned by urgency; the page script ticks it each minute."""
    return clock.deadline_html(at, passed=passed)


@register.simple_tag
def badge(status: HasTone | tuple[str, str] | str, tone: str = "") -> SafeString:
    """A status word with its tone's icon, from an object with label and tone, a pair, or two words."""
    if isinstance(status, str):
        label = status
    elif isinstance(status, tuple):
        label, tone = status
    else:
        label, tone = status.label, status.tone
    tone = tone if tone in TONES else "neutral"
    return format_html('<span class="badge" data-tone="{}">{}{}</span>', tone, tone_icon(tone), label)


@register.simple_tag
def tone_icon(tone: str) -> SafeString:
    """The shape that stands for a tone."""
    shape = mark_safe(_BADGE_SHAPES.get(tone, _BADGE_SHAPES["neutral"]))  # noqa: S308 - a constant of this file
    return format_html(
        '<svg class="tone" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">{}</svg>', shape
    )


@register.simple_tag
def region(code: str, name: str = "") -> SafeString:
    """Two-letter code and name, `TR Türkiye`; never a flag."""
    if not code:
        return SafeString("not known")
    named = name or _region_names.get(code, "")
    return (
        format_html('<span class="region"><b>{}</b> {}</span>', code, named)
        if named
        else format_html("<b>{}</b>", code)
    )


@register.simple_tag
def mask(last4: str) -> SafeString:
    """A hidden code: a fixed mask and the last four, read aloud letter by letter."""
    spelled = " ".join(last4)
    return format_html(
        '<span class="code" translate="no"><span aria-hidden="true">{}{}</span>'
        '<span class="vh">Code ending {}, hidden</span></span>',
        MASK,
        last4,
        spelled,
    )


@register.simple_tag
def copyable(text: object, label: str = "id", href: str = "") -> SafeString:
    """An id in full with a button that copies it; `label` names the thing, `href` makes the id a link."""
    value = str(text or "")
    if not value:
        return SafeString("")
    shown = (
        format_html('<a href="{}" class="id">{}</a>', href, value)
        if href
        else format_html('<span class="id">{}</span>', value)
    )
    return format_html(
        '<span class="copyable">{}<button type="button" class="copy js-only" data-copy="{}" aria-label="Copy {} {}">'
        "{}</button></span>",
        shown,
        value,
        label,
        value,
        icon("square-2-stack", 16, "outline"),
    )


@register.simple_tag(takes_context=True)
def query_string(context: Context, **changes: object) -> str:
    """The current query with `changes` made; None or "" removes a key, and any change but of `page` goes to page 1."""
    query = context["request"].GET.copy()
    if "page" not in changes:
        query.pop("page", None)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = str(value)
    return f"?{query.urlencode()}" if query else "?"


@register.simple_tag(takes_context=True)
def sort_header(context: Context, label: str, key: str, numeric: bool = False, css: str = "") -> SafeString:
    """A `<th scope="col">` that sorts by `key`: first ascending, again descending; `listing.sort` is the default."""
    listing = context.get("listing")
    current = listing.sort if listing else context["request"].GET.get("sort", "")
    direction = {key: "ascending", f"-{key}": "descending"}.get(current, "none")
    target = query_string(context, sort=f"-{key}" if current == key else key)
    arrow = {"ascending": " ↑", "descending": " ↓", "none": ""}[direction]
    classes = f"{'num' if numeric else ''} {css}".strip()
    return format_html(
        '<th scope="col" class="{}" aria-sort="{}"><a href="{}">{}<span aria-hidden="true">{}</span></a></th>',
        classes,
        direction,
        target,
        label,
        arrow,
    )


@register.simple_tag
def sparkline(values: Sequence[float], label: str = "", tone: str = "accent") -> SafeString:
    """A small line of values, oldest first; `label` is its text alternative."""
    return charts.sparkline_svg(values, label=label, tone=tone)


@register.simple_tag
def bar_chart(series: Sequence[Series], labels: Sequence[str], title: str) -> SafeString:
    """Stacked bars of `Series`, one bar for each label, with a legend when there are several series."""
    drawn = charts.bar_chart_svg(series, labels, title=title)
    return format_html("{}{}", charts.legend_html(series), drawn) if len(series) > 1 else drawn


@register.simple_tag
def line_chart(points: Sequence[tuple[str, float]], title: str, tone: str = "accent") -> SafeString:
    """A line through (label, value) pairs, oldest first."""
    return charts.line_chart_svg(points, title=title, tone=tone)


@register.simple_tag
def step_chart(points: Sequence[tuple[datetime, float]], title: str) -> SafeString:
    """Readings (when, value), oldest first, each standing until the next, with times to scale."""
    return charts.step_chart_svg(points, title=title)


@register.simple_tag
def level_chart(
    points: Sequence[tuple[datetime, float, str]], levels: Sequence[Level], mark: tuple[datetime, str], title: str
) -> SafeString:
    """Readings (when, value, words) between the levels they could stand at, with one moment marked."""
    return charts.level_chart_svg(points, levels=levels, mark=mark, title=title)


@register.simple_tag
def icon(name: str, size: int = 16, style: str = "") -> SafeString:
    """A heroicon by name: micro up to 16 px, mini up to 20, outline above; hidden from screen readers."""
    return _icon(str(name), int(size), str(style))


@functools.cache
def _icon(name: str, size: int, style: str) -> SafeString:
    kind = style or ("micro" if size <= 16 else "mini" if size <= 20 else "outline")
    drawn = heroicons._render_icon(kind, name, size, {"aria-hidden": "true", "class": "icon"})
    return mark_safe(drawn)  # noqa: S308 - markup of the icon package, no input from people


@register.simple_tag(takes_context=True)
def once_token(context: Context) -> SafeString:
    """The hidden one-time mark of a POST form whose view is wrapped in `once`; a form shown again keeps its mark."""
    request: HttpRequest | None = context.get("request")
    sent = request.POST.get("once", "") if request and request.method == "POST" else ""
    try:
        token = uuid.UUID(sent).hex
    except ValueError:
        token = new_token()
    return format_html('<input type="hidden" name="once" value="{}">', token)


@register.simple_tag
def unique_id(prefix: str = "u") -> str:
    """An id no other element of the page has."""
    return f"{prefix}-{next(_numbers)}"


_numbers = itertools.count(1)


@register.filter
def count_of(number: int, noun: str) -> str:
    """`{{ 3|count_of:"order" }}` gives "3 orders"; an irregular plural stands after a bar: "entry|entries"."""
    one, _, many = noun.partition("|")
    return f"{number:,} {one if number == 1 else many or one + 's'}"


@register.filter
def thousands(number: int) -> str:
    """`{{ 4248|thousands }}` gives "4,248", as everywhere else."""
    return f"{number:,}"


@register.filter
def json_headers(value: Mapping[str, str]) -> str:
    """Header lines as text, one on each line, for evidence boxes."""
    return "\n".join(f"{name}: {text}" for name, text in value.items())


@register.simple_block_tag(takes_context=True)
def panel(
    context: Context,
    content: str,
    title: str = "",
    id: str = "",
    link: str = "",
    link_text: str = "",
    flush: bool = False,
) -> SafeString:
    """A bordered section with a heading: `{% panel "Lines" id="lines" %}...{% endpanel %}`; flush for a table."""
    facts = {"content": content, "title": title, "id": id, "link": link, "link_text": link_text, "flush": flush}
    return mark_safe(render_to_string("ui/panel.html", facts))  # noqa: S308 - a rendered template


@register.filter
def initials(person: object) -> str:
    """The first letters of the first and last word of a name."""
    words = str(person).split()
    return "".join(word[0] for word in (words[:1] + words[1:][-1:])).upper()


@register.filter
def pairs(text: str) -> list[tuple[str, str]]:
    """`"a:A,b:B"` as [("a", "A"), ("b", "B")], for short fixed choices in a template."""
    return [(key, label) for key, _, label in (part.partition(":") for part in text.split(","))]


@register.filter
def day_name(at: datetime) -> str:
    """`Friday 21 November`, with the year when it is not this year."""
    return clock.day_words(at)


@register.filter
def code_groups(code: str) -> SafeString:
    """A revealed code in groups of four with the characters that are easily mistaken underlined."""
    groups = [code[i : i + 4] for i in range(0, len(code), 4)] if code.isalnum() else [code]
    return mark_safe('<span class="dash">-</span>'.join(_marked(group) for group in groups))  # noqa: S308 - escaped below


def _marked(group: str) -> str:
    return "".join(format_html("<u>{}</u>" if char in LOOK_ALIKES else "{}", char) for char in group)
