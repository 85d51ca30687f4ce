"""Reckon an exported ledger again with nothing but Python: every hash, balance, sum and checkpoint.

python verify_export.py FILE        (- is standard input)
"""

from __future__ import annotations

import hashlib
import json
import struct
import sys
import uuid
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 (runs on older Pythons too)
NOTHING, LAYERS = bytes(32), ("settled", "held", "memo")
KINDS = {"account": "accounts", "checkpoint": "checkpoints", "entry": "entries", "closing": "closings"}


def hold(true: bool, what: str) -> None:
    if not true:
        raise ValueError(what)


def number(value: int) -> bytes:
    hold(type(value) is int, f"{value!r} is not a whole number")
    return struct.pack(">q", value)


def text(value: str) -> bytes:
    return struct.pack(">I", len(value.encode())) + value.encode()


def id_bytes(value: str | None) -> bytes:
    return uuid.UUID(hex=value).bytes if value else bytes(16)


def header(entry: dict[str, Any]) -> bytes:
    """What each line of an entry covers of it; the first 60 bits of its id but the version are the time, in microseconds."""
    high = uuid.UUID(hex=entry["entry"]).int >> 64
    microseconds = (high >> 16) * 1000 + (high & 0xFFF)
    return b"".join([
        id_bytes(entry["entry"]), text(entry["key"]), text(entry["fingerprint"]), text(entry["kind"]),
        number(date.fromisoformat(entry["effective_on"]).toordinal()), number(microseconds),
        text(entry["reference_kind"]), text(entry["reference_id"]), text(entry["memo"]), text(entry["actor"]),
        number(len(entry["lines"])), id_bytes(entry["resolves"]), id_bytes(entry["reverses"]),
    ])  # fmt: skip


class Ledger:
    """What was read so far: of each account the last line, of each checkpoint the lines it covers that are still to come."""

    def __init__(self) -> None:
        self.accounts: dict[str, list[Any]] = {}
        self.covered: dict[tuple[str, int], list[Any]] = {}
        self.counts = dict.fromkeys([*KINDS.values(), "lines"], 0)
        self.last, self.checkpoint = "", NOTHING

    def read_account(self, one: dict[str, Any]) -> None:
        hold(one["account"] not in self.accounts, f"account {one['account']} stands twice")
        self.accounts[one["account"]] = [one["currency"], one["floor"], 0, 0, 0, NOTHING]

    def read_checkpoint(self, one: dict[str, Any]) -> None:
        no, at = one["checkpoint"], datetime.fromisoformat(one["at"])
        hold(no == self.counts["checkpoints"], f"checkpoint {no} does not follow the one before it")
        facts = [
            b"\x01",
            self.checkpoint,
            number(no),
            number((at - EPOCH) // timedelta(microseconds=1)),
            number(one["lines"]),
        ]
        for code, seq, settled, held, head in sorted(one["heads"]):
            facts += [text(code), number(seq), number(settled), number(held), bytes.fromhex(head)]
            self.covered[code, seq] = [no, settled, held, head]
        self.checkpoint = hashlib.sha256(b"".join(facts)).digest()
        hold(self.checkpoint.hex() == one["hash"], f"checkpoint {no} has another hash than what it covers")

    def read_entry(self, one: dict[str, Any]) -> None:
        hold(one["entry"] > self.last, f"entry {one['key']} is out of order")
        self.last, whole = one["entry"], header(one)
        sums: dict[tuple[str, str], int] = defaultdict(int)
        for leg, (code, layer, amount, digest) in enumerate(one["lines"], start=1):
            hold(code in self.accounts and layer in LAYERS, f"there is no account {code}, or no layer {layer}")
            hold((layer == "memo") == (amount == 0), f"line {leg} of {one['key']} moves nothing")
            currency, floor, seq, settled, held, previous = self.accounts[code]
            seq, settled, held = seq + 1, settled + amount * (layer == "settled"), held + amount * (layer == "held")
            sums[currency, layer] += amount
            facts = text(code) + text(currency) + text(layer) + b"".join(map(number, (leg, amount, seq, settled, held)))
            head = hashlib.sha256(b"\x01" + previous + facts + whole).digest()
            hold(head.hex() == digest, f"line {leg} of {one['key']}, line {seq} of {code}, has another hash")
            self.accounts[code] = [currency, floor, seq, settled, held, head]
            no, *seen = self.covered.pop((code, seq), [0, settled, held, digest])
            hold(seen == [settled, held, digest], f"checkpoint {no} covers another line {seq} of {code}")
        hold(not any(sums.values()) and bool(sums), f"debits and credits of {one['key']} differ")
        for code in {line[0] for line in one["lines"]}:
            _, floor, _, settled, held, _ = self.accounts[code]
            hold(floor is None or settled + held >= floor, f"{one['key']} takes {code} below its floor")
        self.counts["lines"] += len(one["lines"])

    def read_closing(self, one: dict[str, Any]) -> None:
        hold(0 < one["checkpoint"] <= self.counts["checkpoints"], f"there is no checkpoint {one['checkpoint']}")

    def read_end(self, one: dict[str, Any], digest: str) -> None:
        hold(not self.covered, f"missing is what a checkpoint covers: {list(self.covered)[:1]}")
        last = self.checkpoint.hex() if self.counts["checkpoints"] else None
        counted = {"end": "ledger", **self.counts, "last_checkpoint": last, "sha256": digest}
        hold(one == counted, "it does not count the lines before it")


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    hold(len(dict(pairs)) == len(pairs), "a name stands twice in an object")
    return dict(pairs)


def verify(lines: Iterable[bytes]) -> Ledger:
    """Read a whole file; ValueError, with the number of the line, at the first place that does not hold."""
    ledger, digest, line, kind = Ledger(), hashlib.sha256(), 0, ""
    try:
        for line, raw in enumerate(lines, start=1):
            hold(kind != "end", "something stands after the end")
            one = json.loads(raw, object_pairs_hook=once)
            kind = next(iter(one))
            if line == 1:
                hold(one == {"format": "ledger", "version": 1}, "another format")
            elif kind == "end":
                ledger.read_end(one, digest.hexdigest())
            else:
                ledger.counts[KINDS[kind]] += 1
                getattr(ledger, f"read_{kind}")(one)
            digest.update(raw.rstrip(b"\r\n") + b"\n")
        line += 1
        hold(kind == "end", "the end is missing")
    except (ArithmeticError, LookupError, RuntimeError, StopIteration, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"Line {line} does not hold: {error or 'it cannot be read'}") from None
    return ledger


if __name__ == "__main__":
    try:
        with sys.stdin.buffer if sys.argv[1:] == ["-"] else open(sys.argv[1], "rb") as file:
            done = verify(file)
    except (IndexError, OSError, ValueError) as error:
        sys.exit(str(error) if len(sys.argv) == 2 else __doc__)
    last, n = done.checkpoint.hex() if done.counts["checkpoints"] else "none", done.counts
    sys.stdout.write(f"{n['entries']:,} entries, {n['lines']:,} lines hold; last checkpoint {last}\n")
