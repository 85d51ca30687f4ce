"""Small frozen values that templates in `ui/` draw, so that queries of any domain can build them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Tone = Literal["neutral", "progress", "good", "attention", "bad", "hold"]
TONES: tuple[Tone, ...] = ("neutral", "progress", "good", "attention", "bad", "hold")


@dataclass(frozen=True)
class StripCell:
    """One cell of a proof strip.

    `joins` says how it compares with the cell before; `deciding` marks the difference that decides.
    """

    label: str
    value: str
    note: str = ""
    source: str = ""
    joins: Literal["", "same", "differs", "not known"] = ""
    deciding: bool = False


@dataclass(frozen=True)
class TimelineEntry:
    """One thing that happened. `at` is UTC; `source` is User, Supplier API, Webhook, Poll or System."""

    at: datetime
    sentence: str
    actor: str = ""
    source: str = "System"
    reason: str = ""
    evidence: str = ""
    tone: Tone = "neutral"
    anchor: str = ""


@dataclass(frozen=True)
class Step:
    """One step of a process: `state` is done, current or waiting."""

    label: str
    state: Literal["done", "current", "waiting"]
    note: str = ""


@dataclass(frozen=True)
class Series:
    """One named row of values of a chart, in the order of the chart's labels."""

    name: str
    values: Sequence[float]


@dataclass(frozen=True)
class Level:
    """A value that readings could stand at, drawn as a dashed line with its words."""

    words: str
    value: float
    tone: Tone = "neutral"
