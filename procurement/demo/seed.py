"""The demo's data."""

from __future__ import annotations

from collections.abc import Callable

from procurement.staff.demo import create_people


def ensure(*, empty: bool, sandbox_url: str, say: Callable[[str], None]) -> None:
    """Make what is missing of the sample data and change nothing that is there; `empty` makes the people only.

    `sandbox_url` is where the supplier sandbox answers; `say` shows one line of progress on the terminal.
    """
    create_people()
