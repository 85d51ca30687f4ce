"""Charts drawn on the server as SVG: attributes and classes only, so that the strict CSP and both themes hold.

Each drawing carries a text alternative; exact values belong in a table beside it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from procurement.web.parts import Series

SPARK_WIDTH, SPARK_HEIGHT = 160, 32
CHART_WIDTH, CHART_HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 24


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


def _anchor(index: int, labels: Sequence[str], centred: bool) -> str:
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
