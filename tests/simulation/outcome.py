"""What a simulated history came to; plain data, so that it travels between processes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Outcome:
    """`paid` counts the supplier's orders, `unknown` our orders that were ever unconfirmed, `resolved` those by verdict."""

    seed: int
    orders: int
    paid: int
    unknown: int
    resolved: int
    crashes: int
    violations: list[str]
    history: list[str]
