"""Settlement money: integer cents inside, text with two decimals on the wire."""

from __future__ import annotations

import re


def text(minor: int) -> str:
    """`4610` as `46.10`; never below zero on the wire."""
    return f"{minor // 100}.{minor % 100:02d}"


def grouped(minor: int) -> str:
    """`4997576` as `49,975.76`, for people."""
    return f"{minor // 100:,}.{minor % 100:02d}"


def minor(amount: object) -> int:
    """`"46.10"` as 4610; ValueError for anything but digits with at most two decimals."""
    match = re.fullmatch(r"(\d{1,12})(?:\.(\d{1,2}))?", str(amount))
    if match is None:
        raise ValueError(f"{amount!r} is not an amount such as 1250.00.")
    return int(match[1]) * 100 + int((match[2] or "").ljust(2, "0"))


def share(amount: int, part: int, whole: int) -> int:
    """`amount * part / whole`, rounded half up to the cent."""
    return (2 * amount * part + whole) // (2 * whole)
