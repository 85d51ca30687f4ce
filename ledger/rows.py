"""The rows of entries, lines and balances, and the statements that read and write them: for one entry, or for thousands.

Whoever writes in bulk keeps to the order of `booking.py`: lines, balances, headers, in one transaction.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

from ledger import chain
from ledger.drafts import Leg
from ledger.models import Layer
from ledger.sending import Statement, day_value, id_read, id_value, list_of, on_sqlite, rows_of, run, time_value

# SQLite takes at most 32,766 values in a statement.
ROWS_AT_ONCE = 2_000


class Header(NamedTuple):
    """The columns of an entry, in the order in which the hashes of its lines cover them."""

    id: uuid.UUID
    key: str
    fingerprint: str
    kind: str
    effective_on: date
    recorded_at: datetime
    reference_kind: str
    reference_id: str
    memo: str
    actor: str
    legs: int
    resolves_id: uuid.UUID | None
    reverses_id: uuid.UUID | None


@dataclass(slots=True)
class Pot:
    """An account with its balance while lines are numbered: each line moves it on from what is `stored`."""

    account_id: int
    code: str
    name: str
    currency: str
    settled: int
    held: int
    floor: int | None
    seq: int
    head: bytes
    last_id: uuid.UUID | None
    stored: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.stored = (self.seq, self.free)
        self.head = bytes(self.head)
        self.last_id = id_read(self.last_id) if self.last_id else None

    @property
    def free(self) -> int:
        return self.settled + self.held


_POTS = (
    "SELECT b.account_id, a.code, a.name, a.currency, b.settled, b.held, b.floor, b.seq, b.head, b.last_id"
    " FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id WHERE a.code IN ({}) ORDER BY b.account_id"
)


def pots_sql(codes: Collection[str], *, lock: bool = False) -> Statement:
    """The query of accounts with their balances; `lock` holds them to the end of the transaction."""
    sql, values = list_of(_POTS, [*codes] or [None])
    return (sql if on_sqlite() or not lock else sql + " FOR UPDATE OF b"), values


def read_pots(codes: Collection[str]) -> dict[str, Pot]:
    """The accounts of these codes as they stand, by code."""
    return pots_by_code(run([pots_sql(codes)])[0])


def pots_by_code(rows: Iterable[Sequence[Any]]) -> dict[str, Pot]:
    """What `pots_sql` found."""
    return {pot.code: pot for pot in (Pot(*row) for row in rows)}


def lines_of(header: Header, legs: Sequence[Leg], pots: Mapping[str, Pot]) -> list[tuple[Any, ...]]:
    """The rows of an entry's lines; moves each pot on to what its line leaves behind."""
    covered = chain.header_bytes(*header)
    entry_id = id_value(header.id)
    rows = []
    for number, leg in enumerate(legs, start=1):
        pot, amount, layer = pots[leg.account], leg.money.minor, str(leg.layer)
        pot.seq += 1
        pot.settled += amount if layer == Layer.SETTLED else 0
        pot.held += amount if layer == Layer.HELD else 0
        after = (amount, pot.seq, pot.settled, pot.held)
        pot.head = chain.link(pot.head, covered, number, pot.code, pot.currency, layer, *after)
        pot.last_id = header.id
        rows.append((entry_id, number, header.legs, pot.account_id, pot.currency, layer, *after, pot.head))
    return rows


_LINES = "ledger_line (entry_id, leg, legs, account_id, currency, layer, amount, seq, settled_after, held_after, hash)"
_ENTRIES = (
    "ledger_entry (id, key, fingerprint, kind, effective_on, recorded_at, reference_kind, reference_id, memo, actor, legs,"
    " resolves_id, reverses_id)"
)


def insert_lines(rows: Sequence[tuple[Any, ...]]) -> Statement:
    """The statement that writes lines."""
    return rows_of(f"INSERT INTO {_LINES} VALUES {{}}", rows)  # noqa: S608


def move_balances(pots: Iterable[Pot]) -> list[Statement]:
    """The statements that store what the lines left behind."""
    sql = "UPDATE ledger_balance SET settled = %s, held = %s, seq = %s, head = %s, last_id = %s WHERE account_id = %s"
    return [(sql, (p.settled, p.held, p.seq, p.head, id_value(p.last_id), p.account_id)) for p in pots]


def insert_headers(headers: Iterable[Header]) -> Statement:
    """The statement that writes entries, after their lines and balances."""
    return rows_of(f"INSERT INTO {_ENTRIES} VALUES {{}}", [_header_row(header) for header in headers])  # noqa: S608


def _header_row(h: Header) -> tuple[Any, ...]:
    return (id_value(h[0]), *h[1:4], day_value(h[4]), time_value(h[5]), *h[6:11], id_value(h[11]), id_value(h[12]))


def write_many(lines: Sequence[tuple[Any, ...]], pots: Iterable[Pot], headers: Sequence[Header]) -> None:
    """Write any number of entries in the order of `booking.py`, within the caller's transaction.

    PostgreSQL by COPY, whose every row its triggers judge too: of such an INSERT, half the time goes to its text.
    """
    if on_sqlite():
        run(insert_lines(lines[at : at + ROWS_AT_ONCE]) for at in range(0, len(lines), ROWS_AT_ONCE))
        run(move_balances(pots))
        run(insert_headers(headers[at : at + ROWS_AT_ONCE]) for at in range(0, len(headers), ROWS_AT_ONCE))
        return
    _copy(_LINES, lines)
    run(move_balances(pots))
    _copy(_ENTRIES, map(_header_row, headers))


def _copy(into: str, rows: Iterable[tuple[Any, ...]]) -> None:
    with connection.cursor() as cursor, connection.wrap_database_errors, cursor.copy(f"COPY {into} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
