"""Named places between two steps at which a process may die; `python3 dev.py faults` kills one at each of them.

Outside those runs `hook` is None, and a point is a look at it.
"""

from __future__ import annotations

from collections.abc import Callable

hook: Callable[[str], None] | None = None


def faultpoint(name: str) -> None:
    """Say that the step before `name` is done and the one after it has not begun."""
    if hook is not None:
        hook(name)
