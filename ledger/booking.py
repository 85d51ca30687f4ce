"""The one way an entry is written: key first, then the rules, then lines, balances and header in one transaction.

Accounts are locked in one order, so two bookings cannot deadlock each other. The rules stand here and in `drafts.py` as
sentences for people, and in `rules.py` as conditions of the database, which judges every entry again.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import IntegrityError, connection
from django.utils import timezone

from ledger import chain
from ledger.drafts import Draft, Leg, Posted, check
from ledger.errors import BadEntry, BelowFloor, BooksClosed, HoldEnded, KeyConflict, NotReversible, UnknownAccount
from ledger.models import Layer, new_id
from ledger.sending import Statement, id_value, rows_of, run, time_read, time_value

TICK = timedelta(microseconds=1)
# SQLite's plain BEGIN would lose to another writer between reading and writing; IMMEDIATE waits for its turn.
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "BEGIN"}
COMMIT: Statement = ("COMMIT", ())
SAVEPOINT: Statement = ("SAVEPOINT ledger_booking", ())
RELEASE: Statement = ("RELEASE SAVEPOINT ledger_booking", ())
ROLLBACK: Statement = ("ROLLBACK TO SAVEPOINT ledger_booking", ())


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
    last_at: datetime | None
    stored: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        self.stored = (self.seq, self.free)
        self.head = bytes(self.head)
        self.last_at = time_read(self.last_at) if self.last_at else None

    @property
    def free(self) -> int:
        return self.settled + self.held


def book(draft: Draft) -> Posted:
    """Book a draft, or find what its key stands for: in a transaction of its own, or within the caller's.

    Its own begins with the statements that read and ends with those that write: two ways to the server in all.
    """
    nested = connection.in_atomic_block or not connection.get_autocommit()
    try:
        return _book(draft, nested=nested)
    except IntegrityError as error:
        # Only what moves other accounts, or closes the books, gets here: a twin with this key, for one.
        with connection.cursor() as cursor:
            _, first, end = _read(cursor, draft)
        if first:
            return _first_result(draft, *first)
        _check_still_open(draft, end)
        if "closed_books" in str(error):
            raise _books_closed(draft) from None
        raise


def _book(draft: Draft, *, nested: bool) -> Posted:
    try:
        with connection.cursor() as cursor:
            pots, first, end = _read(cursor, draft, () if nested else [(BEGIN[connection.vendor], ())])
            # The key comes before any rule: a retry gets the first answer, whatever has changed since.
            if first:
                return _first_result(draft, *first)
            check(draft)
            _check_still_open(draft, end)
            _check_accounts(draft, pots)
            _write(cursor, draft, pots, nested=nested)
            return Posted(draft.key, created=True)
    finally:
        if not nested:
            # Nothing to do after COMMIT.
            connection.rollback()


_POTS = (
    "SELECT b.account_id, a.code, a.name, a.currency, b.settled, b.held, b.floor, b.seq, b.head, b.last_at"
    " FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id WHERE a.code IN {} ORDER BY b.account_id"
)
_FIRST = "SELECT fingerprint, kind FROM ledger_entry WHERE key = %s"
_END = "SELECT key FROM ledger_entry WHERE resolves_id = %s OR reverses_id = %s"


def _read(
    cursor: Any, draft: Draft, begin: Sequence[Statement] = ()
) -> tuple[dict[str, Pot], tuple[str, str] | None, str]:
    """The accounts of the legs, what the key stands for, and the entry that ended or reversed the earlier one, if any.

    The accounts are nobody else's to move until the transaction ends, in one order, so that no two bookings wait for
    each other; what is read after them therefore still holds when the lines are written. SQLite has one writer at a time.
    """
    earlier = draft.resolves or draft.reverses
    wanted = [(_FIRST, [draft.key])]
    if earlier:
        wanted.append((_END, [id_value(earlier.id)] * 2))
    codes = sorted({leg.account for leg in draft.legs})
    pots, first, *ends = run(cursor, [*begin, pots_sql(codes, lock=True), *wanted])[len(begin) :]
    return pots_by_code(pots), next(iter(first), None), next((key for rows in ends for (key,) in rows), "")


def pots_sql(codes: Collection[str], *, lock: bool = False) -> Statement:
    """The query of accounts with their balances; `lock` holds them to the end of the transaction."""
    sql, values = rows_of(_POTS, [[*codes] or [None]])
    return (sql + " FOR UPDATE OF b" if lock and connection.vendor == "postgresql" else sql), values


def pots_by_code(rows: Iterable[Sequence[Any]]) -> dict[str, Pot]:
    """What `pots_sql` found."""
    return {pot.code: pot for pot in (Pot(*row) for row in rows)}


def _first_result(draft: Draft, fingerprint: str, kind: str) -> Posted:
    if fingerprint != draft.fingerprint:
        raise KeyConflict(
            f"The key {draft.key} already stands for another {kind}. Nothing was booked. "
            "Repeat it with the same facts, or use a new key for a new fact."
        )
    return Posted(draft.key, created=False)


def _check_still_open(draft: Draft, end: str) -> None:
    if end and draft.resolves:
        raise HoldEnded(
            f"The hold {draft.resolves.key} ended before, by {end}. Nothing was booked. Look at that entry first."
        )
    if end and draft.reverses:
        raise NotReversible(f"{draft.reverses.key} was reversed before, by {end}. Nothing was booked.")


def _check_accounts(draft: Draft, pots: Mapping[str, Pot]) -> None:
    if unknown := sorted({leg.account for leg in draft.legs} - pots.keys()):
        raise UnknownAccount(f"There is no account {', '.join(unknown)}. Nothing was booked. Open it first.")
    for leg in draft.legs:
        pot = pots[leg.account]
        if leg.money.currency != pot.currency:
            raise BadEntry(f"{pot.name} is kept in {pot.currency}, not {leg.money.currency}. Nothing was booked.")


def _check_floors(pots: Iterable[Pot]) -> None:
    """The database checks them again as it stores the balances: two buyers cannot spend the same money."""
    for pot in pots:
        if pot.floor is not None and pot.free < pot.floor:
            raise BelowFloor(
                account=pot.code,
                name=pot.name,
                currency=pot.currency,
                free=pot.stored[1],
                after=pot.free,
                floor=pot.floor,
            )


def _books_closed(draft: Draft) -> BooksClosed:
    day = draft.effective_on or timezone.now().date()
    return BooksClosed(
        f"The books are closed for {day}. Nothing was booked. Book it on an open day and name its true day in the memo."
    )


def _write(cursor: Any, draft: Draft, pots: Mapping[str, Pot], *, nested: bool) -> None:
    """Number the lines and write them; within a caller's transaction, a refusal by the database leaves that as it was."""
    header = _header(draft, max([timezone.now(), *(pot.last_at + TICK for pot in pots.values() if pot.last_at)]))
    rows = lines_of(header, draft.legs, pots)
    _check_floors(pots.values())
    # The header last: the database judges the lines and their balances together when it arrives.
    entry = [insert_lines(rows), move_balances(pots.values()), insert_headers([header])]
    try:
        run(cursor, [SAVEPOINT, *entry, RELEASE] if nested else [*entry, COMMIT])
    except IntegrityError:
        if nested:
            run(cursor, [ROLLBACK, RELEASE])
        raise


def _header(draft: Draft, recorded_at: datetime) -> Header:
    return Header(
        new_id(),
        draft.key,
        draft.fingerprint,
        draft.kind,
        draft.effective_on or recorded_at.date(),
        recorded_at,
        *draft.reference,
        draft.memo,
        draft.actor,
        len(draft.legs),
        draft.resolves.id if draft.resolves else None,
        draft.reverses.id if draft.reverses else None,
    )


def lines_of(header: Header, legs: Sequence[Leg], pots: Mapping[str, Pot]) -> list[tuple[Any, ...]]:
    """The rows of an entry's lines; moves each pot on to what its line leaves behind."""
    covered = chain.header_bytes(*header)
    entry_id, at = id_value(header.id), time_value(header.recorded_at)
    rows = []
    for number, leg in enumerate(legs, start=1):
        pot, amount, layer = pots[leg.account], leg.money.minor, str(leg.layer)
        pot.seq += 1
        pot.settled += amount if layer == Layer.SETTLED else 0
        pot.held += amount if layer == Layer.HELD else 0
        after = (amount, pot.seq, pot.settled, pot.held)
        pot.head = chain.link(pot.head, covered, number, pot.code, pot.currency, layer, *after)
        pot.last_at = header.recorded_at
        rows.append((entry_id, number, header.legs, pot.account_id, pot.currency, layer, *after, at, pot.head))
    return rows


def insert_lines(rows: Sequence[tuple[Any, ...]]) -> Statement:
    """The statement that writes lines."""
    return rows_of(
        "INSERT INTO ledger_line (entry_id, leg, legs, account_id, currency, layer, amount, seq, settled_after, held_after,"
        " recorded_at, hash) VALUES {}",
        rows,
    )


def move_balances(pots: Iterable[Pot]) -> Statement:
    """The statement that stores what the lines left behind."""
    values = [(p.account_id, p.settled, p.held, p.seq, p.head, time_value(p.last_at)) for p in pots]
    return rows_of(
        "UPDATE ledger_balance SET settled = v.column2, held = v.column3, seq = v.column4, head = v.column5,"
        " last_at = v.column6 FROM (VALUES {}) AS v WHERE ledger_balance.account_id = v.column1",
        values,
    )


def insert_headers(headers: Iterable[Header]) -> Statement:
    """The statement that writes entries, after their lines and balances."""
    day = connection.ops.adapt_datefield_value
    rows = [
        (id_value(h[0]), *h[1:4], day(h[4]), time_value(h[5]), *h[6:11], id_value(h[11]), id_value(h[12]))
        for h in headers
    ]
    return rows_of(
        "INSERT INTO ledger_entry (id, key, fingerprint, kind, effective_on, recorded_at, reference_kind, reference_id,"
        " memo, actor, legs, resolves_id, reverses_id) VALUES {}",
        rows,
    )
