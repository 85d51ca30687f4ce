"""Charts drawn on the server as SVG: attributes and classes only, so that the strict CSP and both themes hold.

Each drawing carries a text alternative; exact values belong in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from procurement.web.parts import Level, Series

SPARK_WIDTH, SPARK_HEIGHT = 160, 32
CHART_WIDTH, CHART_HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 24
# Room at both ends of a level chart, so that no dot is cut.
SIDE = 24


def sparkline_svg(values: Sequence[float], *, label: str, tone: str = "accent") -> SafeString:
    """A word-sized line of `values`, oldest first, with its area; `label` says in words what it shows."""
    if len(values) < 2:
        return SafeString("")
    low, high = min(values), max(values)
    reach = (high - low) or 1
    step = SPARK_WIDTH / (len(values) - 1)
    points = [(i * step, 2 + (SPARK_HEIGHT - 4) * (1 - (value - low) / reach)) for i, value in enumerate(values)]
    line = _path(points)
    area = f"{line} L{SPARK_WIDTH} {SPARK_HEIGHT} L0 {SPARK_HEIGHT} Z"
    return format_html(
        '<svg class="spark" data-tone="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img" aria-label="{}">'
        '<path class="area" d="{}"/><path class="line" d="{}"/></svg>',
        tone,
        SPARK_WIDTH,
        SPARK_HEIGHT,
        label,
        area,
        line,
    )


def bar_chart_svg(series: Sequence[Series], labels: Sequence[str], *, title: str) -> SafeString:
    """Stacked bars, one for each label; each bar says its numbers to the pointer and to the screen reader."""
    totals = [sum(row.values[i] for row in series) for i in range(len(labels))]
    top = _round_up(max(totals, default=0))
    slot = (CHART_WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    bars = format_html_join("", "{}", ((_bar(series, labels, i, slot, top),) for i in range(len(labels))))
    return _frame(title, (0, top), format_html("{}{}", bars, _x_labels(labels, slot, centred=True)), "bars")


def line_chart_svg(points: Sequence[tuple[str, float]], *, title: str, tone: str = "accent") -> SafeString:
    """A line through (label, value) points, oldest first; the scale starts at zero only if values come near it."""
    if not points:
        return SafeString("")
    low, top = _reach([value for _, value in points])
    slot = (CHART_WIDTH - LEFT - RIGHT) / max(len(points) - 1, 1)
    placed = [(LEFT + i * slot, _y(value, top, low)) for i, (_, value) in enumerate(points)]
    dots = format_html_join(
        "",
        '<circle class="dot" cx="{}" cy="{}" r="3"><title>{}: {}</title></circle>',
        ((_n(x), _n(y), label, f"{value:g}") for (x, y), (label, value) in zip(placed, points, strict=True)),
    )
    drawn = format_html(
        '<g data-tone="{}">{}<path class="line" d="{}"/>{}</g>', tone, _area(placed, low), _path(placed), dots
    )
    return _frame(
        title, (low, top), format_html("{}{}", drawn, _x_labels([label for label, _ in points], slot)), "lines"
    )


def legend_html(series: Sequence[Series]) -> SafeString:
    """The names of the series beside their swatches."""
    items = format_html_join(
        "", '<li><span class="swatch s{}"></span>{}</li>', ((i + 1, row.name) for i, row in enumerate(series))
    )
    return format_html('<ul class="legend">{}</ul>', items)


def _frame(title: str, reach: tuple[float, float], inside: SafeString, kind: str) -> SafeString:
    return format_html(
        '<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}</svg>',
        kind,
        CHART_WIDTH,
        CHART_HEIGHT,
        title,
        _grid(*reach),
        inside,
    )


def _grid(low: float, top: float) -> SafeString:
    levels = [low + (top - low) * part / 4 for part in range(5)]
    heights = [(level, _y(level, top, low)) for level in levels]
    return format_html_join(
        "",
        '<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT, CHART_WIDTH - RIGHT, _n(y), _n(y), LEFT - 8, _n(y + 4), _short(level)) for level, y in heights),
    )


def _area(placed: Sequence[tuple[float, float]], low: float) -> SafeString:
    """The surface under a line; only honest, and so only drawn, when the scale starts at zero."""
    if low:
        return SafeString("")
    base = CHART_HEIGHT - BOTTOM
    return format_html(
        '<path class="area" d="{} L{} {} L{} {} Z"/>', _path(placed), _n(placed[-1][0]), base, _n(placed[0][0]), base
    )


def _bar(series: Sequence[Series], labels: Sequence[str], index: int, slot: float, top: float) -> SafeString:
    width = min(slot * 0.62, 44)
    x = LEFT + slot * index + (slot - width) / 2
    parts, base = [], 0.0
    for number, row in enumerate(series, start=1):
        value = row.values[index]
        height = _y(base, top) - _y(base + value, top)
        if value > 0:
            parts.append((f"s{number}", _n(x), _n(_y(base + value, top)), _n(width), _n(max(height - 1, 0.5))))
        base += value
    words = ", ".join(f"{row.name} {_n(row.values[index])}" for row in series)
    rects = format_html_join("", '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="2"/>', parts)
    return format_html("<g><title>{}: {}</title>{}</g>", labels[index], words, rects)


def _x_labels(labels: Sequence[str], slot: float, *, centred: bool = False) -> SafeString:
    every = max(1, -(-len(labels) // (8 if centred else 6)))
    shift = slot / 2 if centred else 0
    shown = [(i, label) for i, label in enumerate(labels) if i % every == 0]
    return format_html_join(
        "",
        '<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>',
        ((_n(LEFT + slot * i + shift), CHART_HEIGHT - 6, _anchor(i, labels, centred), label) for i, label in shown),
    )


def _anchor(index: int, labels: Sequence[object], centred: bool) -> str:
    if centred or 0 < index < len(labels) - 1:
        return "middle"
    return "start" if index == 0 else "end"


def _y(value: float, top: float, low: float = 0) -> float:
    return TOP + (CHART_HEIGHT - TOP - BOTTOM) * (1 - (value - low) / (top - low))


def _reach(values: Sequence[float]) -> tuple[float, float]:
    """Lowest and highest value of the scale: from zero, or around the values when they all lie in its upper half."""
    least, most = min(values), max(values)
    if least < most / 2 or most <= 0:
        return 0, _round_up(most)
    step = _round_up((most - least) / 4 or most / 40)
    while (low := (least // step) * step) + 4 * step < most:
        step = _round_up(step * 1.01)
    return low, low + 4 * step


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5, 8, 10 times a power of ten, so that the four grid lines have short numbers."""
    size = 1.0
    while size * 10 <= value:
        size *= 10
    return next((size * step for step in (1, 2, 4, 5, 8, 10) if size * step >= value), size * 10) or 1.0


def _short(value: float) -> str:
    if value >= 10_000:
        return f"{value / 1000:g}k"
    return f"{value:g}"


def _n(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{_n(x)} {_n(y)}" for x, y in points)


def level_chart_svg(
    points: Sequence[tuple[datetime, float, str]],
    *,
    levels: Sequence[Level],
    mark: tuple[datetime, str],
    title: str,
) -> SafeString:
    """Readings as dots at their times, between levels they could stand at, with one moment marked.

    A point is (when, value, words for the pointer). A level is a dashed line with its words. Times are to scale.
    """
    if not points:
        return SafeString("")
    times = [at for at, _, _ in points] + [mark[0]]
    low, top = _room([value for _, value, _ in points] + [level.value for level in levels])
    placed = [(_x(at, times), _y(value, top, low)) for at, value, _ in points]
    dots = format_html_join(
        "",
        '<circle class="dot" cx="{}" cy="{}" r="4"><title>{}</title></circle>',
        ((_n(x), _n(y), words) for (x, y), (_, _, words) in zip(placed, points, strict=True)),
    )
    return format_html(
        '<svg class="chart levels" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}'
        '<g data-tone="accent"><path class="line" d="{}"/>{}</g></svg>',
        CHART_WIDTH,
        CHART_HEIGHT,
        title,
        format_html_join("", "{}", ((_level(level, low, top, levels),) for level in levels)),
        _mark(*mark, times),
        _steps(placed),
        dots,
    )


def step_chart_svg(points: Sequence[tuple[datetime, float]], *, title: str) -> SafeString:
    """Readings (when, value), oldest first, with times to scale: each stands until the next; the last has a dot."""
    if not points:
        return SafeString("")
    times, (low, top) = [at for at, _ in points], _reach([value for _, value in points])
    placed = [(_x(at, times, LEFT, RIGHT), _y(value, top, low)) for at, value in points]
    line, base = _steps(placed), CHART_HEIGHT - BOTTOM
    area = "" if low else format_html('<path class="area" d="{} V{} H{} Z"/>', line, base, _n(placed[0][0]))
    drawn = format_html(
        '<g data-tone="accent">{}<path class="line" d="{}"/><circle class="dot" cx="{}" cy="{}" r="3"/></g>{}',
        area,
        line,
        *map(_n, placed[-1]),
        _time_labels(times),
    )
    return _frame(title, (low, top), drawn, "lines")


def _time_labels(times: Sequence[datetime]) -> SafeString:
    """Five moments from the first to the last, with the hour where less than four days are shown."""
    first, reach = times[0], times[-1] - times[0]
    if not reach:
        return SafeString("")
    form = "%-d %b %H:%M" if reach < timedelta(days=4) else "%-d %b"
    shown = [(index, first + reach * index / 4) for index in range(5)]
    return format_html_join(
        "",
        '<text class="tick" x="{}" y="{}" text-anchor="{}">{}</text>',
        (
            (_n(_x(at, times, LEFT, RIGHT)), CHART_HEIGHT - 6, _anchor(index, range(5), False), at.strftime(form))
            for index, at in shown
        ),
    )


def _room(values: Sequence[float]) -> tuple[float, float]:
    """The scale of a level chart: every value with a fifth of their reach above and below."""
    least, most = min(values), max(values)
    margin = (most - least) * 0.2 or abs(most) * 0.05 or 1
    return least - margin, most + margin


def _x(at: datetime, times: Sequence[datetime], left: int = SIDE, right: int = SIDE) -> float:
    """Where a moment stands between the first and the last of `times`."""
    first, last = min(times), max(times)
    share = (at - first) / (last - first) if last > first else 0.5
    return left + share * (CHART_WIDTH - left - right)


def _level(level: Level, low: float, top: float, levels: Sequence[Level]) -> SafeString:
    """A dashed line; its words stand above it, those of the lowest below it, away from the readings between."""
    y = _y(level.value, top, low)
    lowest = len(levels) > 1 and level.value == min(one.value for one in levels)
    return format_html(
        '<g data-tone="{}"><line class="level" x1="0" x2="{}" y1="{}" y2="{}"/>'
        '<text class="tick" x="{}" y="{}" text-anchor="end">{}</text></g>',
        level.tone,
        CHART_WIDTH,
        _n(y),
        _n(y),
        CHART_WIDTH,
        _n(y + 14 if lowest else y - 6),
        level.words,
    )


def _mark(at: datetime, words: str, times: Sequence[datetime]) -> SafeString:
    x = _x(at, times)
    return format_html(
        '<line class="mark-line" x1="{}" x2="{}" y1="{}" y2="{}"/><text class="tick" x="{}" y="{}">{}</text>',
        _n(x),
        _n(x),
        TOP,
        CHART_HEIGHT - BOTTOM,
        _n(max(x - 20, 0)),
        CHART_HEIGHT - 6,
        words,
    )


def _steps(placed: Sequence[tuple[float, float]]) -> str:
    """A path that stays at each reading until the next: between two readings nobody looked."""
    parts = [f"M{_n(placed[0][0])} {_n(placed[0][1])}"]
    parts += [f"H{_n(x)} V{_n(y)}" for x, y in placed[1:]]
    return " ".join(parts)
