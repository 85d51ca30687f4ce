"""The chain: every line carries a SHA-256 over itself, its entry's header and the line before it on its account.

Whoever changes, removes or reorders a line must forge every later hash of that account, and the checkpoints over them
(`checkpoints.py`). Fields are encoded without separators: a version byte first, numbers as 8 bytes big-endian, texts
behind their length, so that no two different lines have the same bytes.
"""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from struct import Struct

VERSION = b"\x01"
GENESIS = bytes(32)
NOBODY = bytes(16)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
number = Struct(">q").pack
LENGTH = Struct(">I").pack
LINE = Struct(">qqqqq").pack


def text(value: str) -> bytes:
    raw = value.encode()
    return LENGTH(len(raw)) + raw


# Of what comes again and again: codes, currencies, layers and kinds.
word = lru_cache(maxsize=4096)(text)


def moment(at: datetime) -> bytes:
    """Microseconds since 1970: what both engines keep."""
    return number((at - EPOCH) // MICROSECOND)


def header_bytes(
    entry_id: uuid.UUID,
    key: str,
    fingerprint: str,
    kind: str,
    effective_on: date,
    recorded_at: datetime,
    reference_kind: str,
    reference_id: str,
    memo: str,
    actor: str,
    legs: int,
    resolves_id: uuid.UUID | None,
    reverses_id: uuid.UUID | None,
) -> bytes:
    """Every column of an entry; each of its lines is bound to it."""
    return b"".join(
        (
            entry_id.bytes,
            text(key),
            text(fingerprint),
            word(kind),
            number(effective_on.toordinal()),
            moment(recorded_at),
            word(reference_kind),
            text(reference_id),
            text(memo),
            word(actor),
            number(legs),
            resolves_id.bytes if resolves_id else NOBODY,
            reverses_id.bytes if reverses_id else NOBODY,
        )
    )


def link(
    previous: bytes,
    header: bytes,
    leg: int,
    account: str,
    currency: str,
    layer: str,
    amount: int,
    seq: int,
    settled_after: int,
    held_after: int,
) -> bytes:
    """The hash of a line: over the one before it on its account (`GENESIS` for the first), the header, and itself."""
    numbers = LINE(leg, amount, seq, settled_after, held_after)
    facts = b"".join((VERSION, previous, word(account), word(currency), word(layer), numbers, header))
    return hashlib.sha256(facts).digest()
