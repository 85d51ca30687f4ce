"""Reading an order out of a 2xx answer to a paid POST: the id first, the rest as far as it fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from procurement.suppliers.clients.fields import as_currency, as_identifier, as_major, to_minor

T = TypeVar("T")


class Echo:
    """Reads single fields leniently and remembers the names of those that did not fit."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.misfits: list[str] = []

    def take(self, name: str, read: Callable[[Any], T]) -> T | None:
        """The field through `read`; None when it is absent, null or wrong (then it is named in `misfits`)."""
        value = self.data.get(name)
        if value is None:
            return None
        try:
            return read(value)
        except ValueError:
            self.misfits.append(name)
            return None

    def identifier(self, name: str) -> str:
        return self.take(name, as_identifier) or ""

    def total(self, name: str, usual_currency: str) -> tuple[int | None, str]:
        """An amount in minor units with its currency, which is the account's own unless the answer names one."""
        currency = self.take("currency", as_currency) or usual_currency
        return self.take(name, lambda value: to_minor(as_major(value), currency)), currency


def as_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 100:
        raise ValueError("must be a short text")
    return value


def as_count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= 10_000_000:
        raise ValueError("must be a whole number")
    return value
