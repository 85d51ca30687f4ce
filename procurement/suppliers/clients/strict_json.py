"""JSON from outside, read with bounds: no duplicate keys, no NaN, no floats, limited depth and size."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

DEPTH, MEMBERS = 32, 2_000
CATALOGUE_MEMBERS = 200_000


class BadJson(ValueError):
    """The text is not JSON within bounds; the message says why and quotes nothing of it."""


def _refuse_constant(name: str) -> NoReturn:
    raise BadJson("it holds NaN or Infinity")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJson("a name stands in it twice")
    return found


def _check_text(text: str) -> None:
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise BadJson("it holds characters that are no text")


def _check_bounds(data: Any, most: int) -> None:
    """Walk without recursion, so that depth costs no stack."""
    waiting, seen = [(data, 1)], 0
    while waiting:
        value, depth = waiting.pop()
        if depth > DEPTH:
            raise BadJson("it is nested too deeply")
        if isinstance(value, str):
            _check_text(value)
            continue
        children: list[Any] = []
        if isinstance(value, dict):
            children = [*value.keys(), *value.values()]
        elif isinstance(value, list):
            children = value
        seen += len(children)
        if seen > 2 * most:
            raise BadJson("it has too many members")
        waiting.extend((child, depth + 1) for child in children)


def parse(raw: bytes, *, members: int = MEMBERS) -> Any:
    """The value of `raw`; fractions become Decimal. Raises BadJson for anything doubtful."""
    try:
        data = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=Decimal
        )
    except BadJson:
        raise
    except (ValueError, RecursionError, InvalidOperation):
        raise BadJson("it is not JSON") from None
    _check_bounds(data, members)
    return data


def canonical(data: Any) -> str:
    """Keys sorted, no white space, characters as they are, numbers as they were written."""
    if isinstance(data, dict):
        inner = ",".join(f"{json.dumps(key, ensure_ascii=False)}:{canonical(data[key])}" for key in sorted(data))
        return "{" + inner + "}"
    if isinstance(data, list):
        return "[" + ",".join(canonical(item) for item in data) + "]"
    if isinstance(data, Decimal):
        return str(data)
    return json.dumps(data, ensure_ascii=False)
