"""A whole ledger as lines of JSON: to move it to another database, of the other engine too, or to keep a copy that anybody can check.

`records.py` says what each line holds, `importing.py` reads such a file, and `verify_export.py` checks one without this package.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from django.db import connection

from ledger.drafts import AS_TEXT
from ledger.models import Account, Checkpoint, Closing
from ledger.records import FORMAT, Record, count, nothing
from ledger.sending import id_value, on_sqlite, run

CHUNK = 1_000


def export() -> Iterator[str]:
    """The lines of the file: one state of the ledger, whoever books meanwhile, and a chunk of it in memory at a time."""
    end, digest = nothing(), sha256()
    with _one_state():
        for record in chain([FORMAT], _accounts(), _checkpoints(), _entries(), _closings()):
            line = AS_TEXT(record)
            count(end, record)
            digest.update(line.encode() + b"\n")
            yield line
    yield AS_TEXT(end | {"sha256": digest.hexdigest()})


@contextmanager
def _one_state() -> Iterator[None]:
    """All that is read inside is of one moment; not Django's transaction, which on SQLite would keep writers waiting."""
    if connection.in_atomic_block:
        yield
        return
    run([("BEGIN" if on_sqlite() else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ())])
    try:
        yield
    finally:
        connection.rollback()


def _accounts() -> Iterator[Record]:
    for row in Account.objects.select_related("balance").order_by("id").iterator(CHUNK):
        yield {
            "account": row.code, "name": row.name, "owner": row.owner, "role": row.role, "currency": row.currency,
            "floor": row.balance.floor, "opened_at": row.opened_at.isoformat(),
        }  # fmt: skip


def _checkpoints() -> Iterator[Record]:
    for row in Checkpoint.objects.order_by("no").prefetch_related("heads__account").iterator(CHUNK):
        heads = sorted([h.account.code, h.seq, h.settled, h.held, bytes(h.head).hex()] for h in row.heads.all())
        at, digest = row.at.isoformat(), bytes(row.hash).hex()
        yield {"checkpoint": row.no, "at": at, "lines": row.lines, "hash": digest, "heads": heads}


_ENTRIES = (
    "SELECT id, key, fingerprint, kind, effective_on, reference_kind, reference_id, memo, actor, resolves_id, reverses_id"
    " FROM ledger_entry WHERE id > %s ORDER BY id LIMIT %s"
)
_LINES = (
    "SELECT l.entry_id, a.code, l.layer, l.amount, l.hash FROM ledger_line l JOIN ledger_account a ON a.id = l.account_id"
    " WHERE l.entry_id > %s AND l.entry_id <= %s ORDER BY l.entry_id, l.leg"
)
_FIELDS = (
    "entry", "key", "fingerprint", "kind", "effective_on", "reference_kind", "reference_id", "memo", "actor", "resolves",
    "reverses",
)  # fmt: skip


def _entries() -> Iterator[Record]:
    after = id_value(uuid.UUID(int=0))
    while found := run([(_ENTRIES, [after, CHUNK])])[0]:
        lines = groupby(run([(_LINES, [after, found[-1][0]])])[0], key=itemgetter(0))
        of_entry = {entry_id: [[*line[1:4], bytes(line[4]).hex()] for line in rows] for entry_id, rows in lines}
        for row in found:
            record = dict(zip(_FIELDS, map(_plain, row), strict=True))
            yield record | {"lines": of_entry.get(row[0], [])}
        after = found[-1][0]


def _plain(value: Any) -> str | None:
    """As SQLite keeps ids and days."""
    return value.hex if isinstance(value, uuid.UUID) else value if value is None else str(value)


def _closings() -> Iterator[Record]:
    for row in Closing.objects.order_by("id").iterator(CHUNK):
        yield {
            "closing": row.owner, "through": str(row.through), "checkpoint": row.checkpoint_id,
            "closed_at": row.closed_at.isoformat(), "closed_by": row.closed_by, "reviewed_by": row.reviewed_by,
        }  # fmt: skip
