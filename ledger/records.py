"""What each line of an exported ledger holds, read strictly: a refusal names the line.

First stands where the chains arrive (accounts, checkpoints), then how (entries, in the order of their ids), then which books
are closed, and last what was counted. A time that an id begins with, a line's number and currency and the balance after it
are left out: they follow from the rest.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import Any

from ledger.errors import BadFile
from ledger.models import Layer
from ledger.money import MAX_MINOR, exponent

FORMAT = {"format": "ledger", "version": 1}
# In the order in which they stand in the file, each with what the last line calls their number.
KINDS = {"account": "accounts", "checkpoint": "checkpoints", "entry": "entries", "closing": "closings"}

Record = dict[str, Any]
Reader = Callable[[Any], Any]


def refused(number: int, what: str, do: str = "Export the ledger again and import that file.") -> BadFile:
    """The sentence about a line of the file."""
    return BadFile(f"Line {number}: {what}. Nothing was imported. {do}")


def nothing() -> Record:
    """What the last line of a file without records says."""
    return {"end": FORMAT["format"], **dict.fromkeys(KINDS.values(), 0), "lines": 0, "last_checkpoint": None}


def count(end: Record, record: Record) -> None:
    """Add a record to what the last line says."""
    kind = next(iter(record))
    if kind in KINDS:
        end[KINDS[kind]] += 1
    if kind == "entry":
        end["lines"] += len(record["lines"])
    elif kind == "checkpoint":
        end["last_checkpoint"] = record["hash"]


def records(lines: Iterable[str | bytes]) -> Iterator[tuple[int, str, Record]]:
    """(number of the line, kind, values) of each record and of the "end"; BadFile where the file is not as it must be."""
    end, digest, number = nothing(), sha256(), 0
    left, last = list(KINDS), uuid.UUID(int=0)
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        record, written = _json(number, line)
        kind = next(iter(record), "")
        if number == 1:
            if record != FORMAT:
                raise refused(1, "this is no ledger, or one in another format", "Export it in version 1 of the format.")
        elif kind == "end":
            _check_end(number, record, end | {"sha256": digest.hexdigest()})
            break
        elif kind not in left:
            raise refused(number, f"{kind[:20]!r} does not stand here in an exported ledger")
        else:
            left = left[left.index(kind) :]
            values = _values(number, kind, record)
            if kind == "entry" and values["entry"] <= last:
                raise refused(number, "this entry stands out of order, or twice")
            last = values.get("entry", last)
            count(end, values)
            yield number, kind, values
        digest.update(written)
    else:
        raise refused(number + 1, "the file ends before its last line, the one that counts")
    if next(numbered, None):
        raise refused(number + 1, "the file goes on after its last line")
    yield number, "end", end


def _check_end(number: int, said: Record, end: Record) -> None:
    differ = [name for name in end if said.get(name) != end[name]]
    if differ == ["sha256"]:
        raise refused(number, "the lines before the last one are not those that were written")
    if differ or said.keys() != end.keys():
        name = next(iter([*differ, *(said.keys() - end.keys())]))
        has = f"{name} {said.get(name)}, and the file has {end.get(name)}"
        raise refused(number, f"the last line does not fit those before it: {has}"[:300])


def _once(pairs: list[tuple[str, Any]]) -> Record:
    """Of a name that stands twice in an object, one reader would take the first and another one the last."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


_decoded = json.JSONDecoder(object_pairs_hook=_once).decode


def _json(number: int, line: str | bytes) -> tuple[Record, bytes]:
    """A line's object, and the bytes of the line as they were written, whatever ends it now."""
    try:
        written = (line.encode() if isinstance(line, str) else line).rstrip(b"\r\n")
        record = _decoded(written.decode())
    except (ValueError, RecursionError):
        raise refused(number, "this is not JSON, or a name stands in it twice") from None
    if not isinstance(record, dict):
        raise refused(number, "this is not a JSON object")
    return record, written + b"\n"


def _values(number: int, kind: str, record: Record) -> Record:
    shape = SHAPES[kind]
    if record.keys() != shape.keys():
        raise refused(number, f"this {kind} has other fields than {', '.join(shape)}")
    name = kind
    try:
        for name, value in record.items():
            record[name] = shape[name](value)
    except (ValueError, TypeError, OverflowError) as error:
        raise refused(number, f"{name!r} of this {kind} cannot be read ({error})"[:300]) from None
    return record


def _text(most: int = 2**31) -> Reader:
    """As long as its column, of characters that both engines keep."""

    def read(value: Any) -> str:
        if type(value) is not str or len(value) > most:
            raise ValueError(f"it is a text of up to {most} characters")
        if "\0" in value:
            raise ValueError("not every database keeps a character 0")
        return value if value.isascii() else value.encode().decode()

    return read


def _whole(value: Any) -> int:
    """Neither 1.0 nor true, which Python takes for 1; what is summed stays within 64 bits."""
    if type(value) is not int or abs(value) >= 2**63:
        raise ValueError("a number is whole and has no more than 64 bits")
    return value


def _minor(value: Any) -> int:
    if type(value) is not int or abs(value) > MAX_MINOR:
        raise ValueError("an amount is whole minor units, and none as large as this is kept")
    return value


def _currency(value: Any) -> str:
    exponent(value)
    return str(value)


def _instant(value: Any) -> datetime:
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time names its zone")
    return at.astimezone(UTC)


def _id(value: Any) -> uuid.UUID:
    return uuid.UUID(hex=_text(36)(value))


def _or_none(read: Reader) -> Reader:
    return lambda value: None if value is None else read(value)


def _rows(*readers: Reader) -> Reader:
    def read(value: Any) -> list[tuple[Any, ...]]:
        if type(value) is not list or not value:
            raise ValueError("it is a list of rows, at least one")
        return [tuple([read(one) for read, one in zip(readers, row, strict=True)]) for row in value]

    return read


SHAPES: dict[str, dict[str, Reader]] = {
    "account": {
        "account": _text(100), "name": _text(200), "owner": _text(100), "role": _text(40), "currency": _currency,
        "floor": _or_none(_whole), "opened_at": _instant,
    },
    # Heads: account, number of its last line, settled and held after it, its hash.
    "checkpoint": {
        "checkpoint": _whole, "at": _instant, "lines": _whole, "hash": _text(64),
        "heads": _rows(_text(100), _whole, _whole, _whole, bytes.fromhex),
    },
    # Lines in the order of their legs: account, layer, amount (minor units, debit positive), hash.
    "entry": {
        "entry": _id, "key": _text(200), "fingerprint": _text(64), "kind": _text(60), "effective_on": date.fromisoformat,
        "reference_kind": _text(40), "reference_id": _text(100), "memo": _text(), "actor": _text(150),
        "resolves": _or_none(_id), "reverses": _or_none(_id), "lines": _rows(_text(100), Layer, _minor, _text(64)),
    },
    "closing": {
        "closing": _text(100), "through": date.fromisoformat, "checkpoint": _whole, "closed_at": _instant,
        "closed_by": _text(150), "reviewed_by": _text(150),
    },
}  # fmt: skip
