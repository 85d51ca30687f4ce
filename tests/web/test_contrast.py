"""Every pair of colours that meets on a page can be read, in both themes and with each kind of colour vision."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import pytest

from procurement.web.templatetags.ui import _BADGE_SHAPES

CSS = (Path(__file__).resolve().parents[2] / "static" / "css" / "countersign.css").read_text()
TOKENS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#[0-9A-Fa-f]{6}), (#[0-9A-Fa-f]{6})\)", CSS)
}
TOKENS["neutral-bg"] = TOKENS["surface"]
THEMES = {"light": 0, "dark": 1}
TONES = ("neutral", "progress", "good", "attention", "bad", "hold")
GROUNDS = ("canvas", "surface", "sunken", "row-hover", "row-selected")
TEXT = [(ink, ground) for ink in ("text", "muted", "subtle", "link") for ground in GROUNDS]
TEXT += [("on-accent", "accent"), ("on-danger", "danger"), ("danger", "surface"), ("danger", "canvas")]
BADGES = [(f"{tone}-text", f"{tone}-bg") for tone in TONES]
CONTROLS = [(line, ground) for line in ("control", "focus") for ground in ("canvas", "surface")]
CONTROLS += [(f"s{n}", "surface") for n in (1, 2, 3, 4)]

Rgb = tuple[float, float, float]
# Machado, Oliveira and Fernandes (2009), full severity, on linear RGB.
VISION = {
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def linear(colour: str) -> Rgb:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in parts)
    return red, green, blue


def luminance(colour: str) -> float:
    red, green, blue = linear(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def lab(rgb: Rgb) -> Rgb:
    red, green, blue = (min(max(v, 0.0), 1.0) for v in rgb)
    x = (0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047
    y = 0.2126729 * red + 0.7151522 * green + 0.0721750 * blue
    z = (0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883
    fx, fy, fz = (v ** (1 / 3) if v > 216 / 24389 else (24389 / 27 * v + 16) / 116 for v in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


def difference(one: Rgb, other: Rgb) -> float:
    """CIEDE2000 of two linear colours."""
    (l1, a1, b1), (l2, a2, b2) = lab(one), lab(other)
    mean = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    grey = 0.5 * (1 - math.sqrt(mean**7 / (mean**7 + 25**7)))
    a1, a2 = a1 * (1 + grey), a2 * (1 + grey)
    c1, c2 = math.hypot(a1, b1), math.hypot(a2, b2)
    h1, h2 = math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = 0.0 if not c1 * c2 else (h2 - h1 + 180) % 360 - 180
    dl, dc, dh = l2 - l1, c2 - c1, 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn / 2))
    lm, cm, hm = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + turn / 2) % 360 if c1 * c2 else h1 + h2
    t = 1 - 0.17 * _cos(hm - 30) + 0.24 * _cos(2 * hm) + 0.32 * _cos(3 * hm + 6) - 0.20 * _cos(4 * hm - 63)
    sl = 1 + 0.015 * (lm - 50) ** 2 / math.sqrt(20 + (lm - 50) ** 2)
    sc, sh = 1 + 0.045 * cm, 1 + 0.015 * cm * t
    turning = 30 * math.exp(-(((hm - 275) / 25) ** 2))
    rt = -math.sin(math.radians(2 * turning)) * 2 * math.sqrt(cm**7 / (cm**7 + 25**7))
    return math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rt * (dc / sc) * (dh / sh))


def _cos(degrees: float) -> float:
    return math.cos(math.radians(degrees))


def seen_by(vision: str, colour: str) -> Rgb:
    red, green, blue = linear(colour)
    one, two, three = (row[0] * red + row[1] * green + row[2] * blue for row in VISION[vision])
    return one, two, three


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    ("pairs", "least"), [(TEXT, 4.5), (BADGES, 6.5), (CONTROLS, 3.0)], ids=["text", "badges", "controls"]
)
def test_colours_that_meet_can_be_told_apart(theme: str, pairs: list[tuple[str, str]], least: float) -> None:
    shade = THEMES[theme]
    measured = {pair: contrast(TOKENS[pair[0]][shade], TOKENS[pair[1]][shade]) for pair in pairs}

    assert {pair: round(value, 2) for pair, value in measured.items() if value < least} == {}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("vision", VISION)
def test_badge_grounds_differ_for_each_kind_of_colour_vision(theme: str, vision: str) -> None:
    grounds = {tone: seen_by(vision, TOKENS[f"{tone}-bg"][THEMES[theme]]) for tone in TONES}
    measured = {pair: difference(grounds[pair[0]], grounds[pair[1]]) for pair in itertools.combinations(TONES, 2)}

    assert {pair: round(value, 2) for pair, value in measured.items() if value < 3.5} == {}


def test_the_difference_formula_agrees_with_published_values() -> None:
    black, white = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)

    assert difference(black, white) == pytest.approx(100, abs=0.1)
    assert difference(linear("#FF0000"), linear("#00FF00")) == pytest.approx(86.61, abs=0.1)
    assert difference(linear("#0000FF"), linear("#00FFFF")) == pytest.approx(66.47, abs=0.3)


def test_each_tone_has_a_shape_of_its_own() -> None:
    assert len(set(_BADGE_SHAPES.values())) == len(TONES) == len(_BADGE_SHAPES)
