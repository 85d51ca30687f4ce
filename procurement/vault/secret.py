"""A value that may not be printed, logged, pickled or serialised by accident (R62, R100)."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Holds a code, key or secret in memory. Only `expose()` gives it back; every other way out refuses."""

    __slots__ = ("__value",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: str | bytes) -> None:
        self.__value = value.encode() if isinstance(value, str) else bytes(value)

    def expose(self) -> str:
        """The text itself. Keep the result in the smallest possible scope."""
        return self.__value.decode()

    def expose_bytes(self) -> bytes:
        """The bytes themselves, for values that are no text."""
        return self.__value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__value, other.__value)

    def __repr__(self) -> str:
        return "<Secret>"

    def __str__(self) -> NoReturn:
        raise TypeError("A secret is not text; call expose() where it is truly needed.")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("A secret cannot be formatted into text.")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret cannot be pickled or copied.")
