"""The one way an entry is written: key first, then the rules, then lines, balances and header in one transaction.

Accounts are locked in one order, so two bookings cannot deadlock each other. The rules stand here and in `drafts.py` as
sentences for people, and in `rules.py` as conditions of the database, which judges every entry again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from django.db import DEFAULT_DB_ALIAS, IntegrityError, connection, connections
from django.utils import timezone

from ledger.chain import MICROSECOND
from ledger.drafts import Draft, Posted, check
from ledger.errors import BadEntry, BelowFloor, BooksClosed, HoldEnded, KeyConflict, NotReversible, UnknownAccount
from ledger.models import new_id, time_of
from ledger.rows import Header, Pot, insert_headers, insert_lines, lines_of, move_balances, pots_by_code, pots_sql
from ledger.sending import Statement, id_value, on_sqlite, run

# SQLite's plain BEGIN would lose to another writer between reading and writing; IMMEDIATE waits for its turn.
BEGIN: Statement = ("BEGIN", ())
BEGIN_IMMEDIATE: Statement = ("BEGIN IMMEDIATE", ())
COMMIT: Statement = ("COMMIT", ())
SAVEPOINT: Statement = ("SAVEPOINT ledger_booking", ())
RELEASE: Statement = ("RELEASE SAVEPOINT ledger_booking", ())
ROLLBACK: Statement = ("ROLLBACK TO SAVEPOINT ledger_booking", ())


def book(draft: Draft) -> Posted:
    """Book a draft, or find what its key stands for: in a transaction of its own, or within the caller's.

    Its own begins with the statements that read and ends with those that write: two ways to the server in all.
    """
    db = connections[DEFAULT_DB_ALIAS]
    nested = db.in_atomic_block or not db.get_autocommit()
    try:
        return _book(draft, nested=nested)
    except IntegrityError as error:
        # Only what moves other accounts, or closes the books, gets here: a twin with this key, for one.
        _, first, end = _read(draft)
        if first:
            return _first_result(draft, *first)
        _check_still_open(draft, end)
        if "closed_books" in str(error):
            raise _books_closed(draft) from None
        raise


def _book(draft: Draft, *, nested: bool) -> Posted:
    committed = False
    try:
        pots, first, end = _read(draft, () if nested else [BEGIN_IMMEDIATE if on_sqlite() else BEGIN])
        # The key comes before any rule: a retry gets the first answer, whatever has changed since.
        if first:
            return _first_result(draft, *first)
        check(draft)
        _check_still_open(draft, end)
        _check_accounts(draft, pots)
        _write(draft, pots, nested=nested)
        committed = True
        return Posted(draft.key, created=True)
    finally:
        if not (nested or committed):
            connection.rollback()


_FIRST = "SELECT fingerprint, kind FROM ledger_entry WHERE key = %s"
_ENDED = "SELECT key FROM ledger_entry WHERE resolves_id = %s"
_REVERSED = "SELECT key FROM ledger_entry WHERE reverses_id = %s"


def _read(draft: Draft, begin: Sequence[Statement] = ()) -> tuple[dict[str, Pot], tuple[str, str] | None, str]:
    """The accounts of the legs, what the key stands for, and the entry that ended or reversed the earlier one, if any.

    The accounts are nobody else's to move until the transaction ends, in one order, so that no two bookings wait for
    each other; what is read after them therefore still holds when the lines are written. SQLite has one writer at a time.
    """
    wanted: list[Statement] = [(_FIRST, [draft.key])]
    if draft.resolves:
        wanted.append((_ENDED, [id_value(draft.resolves.id)]))
    if draft.reverses:
        wanted.append((_REVERSED, [id_value(draft.reverses.id)]))
    codes = sorted({leg.account for leg in draft.legs})
    pots, first, *ends = run([*begin, pots_sql(codes, lock=True), *wanted])[len(begin) :]
    return pots_by_code(pots), next(iter(first), None), next((key for rows in ends for (key,) in rows), "")


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


def _write(draft: Draft, pots: Mapping[str, Pot], *, nested: bool) -> None:
    """Number the lines and write them; within a caller's transaction, a refusal by the database leaves that as it was."""
    last = [time_of(pot.last_id) for pot in pots.values() if pot.last_id]
    header = _header(draft, max([timezone.now(), *(at + MICROSECOND for at in last)]))
    rows = lines_of(header, draft.legs, pots)
    _check_floors(pots.values())
    # The header last: the database judges the lines and their balances together when it arrives.
    entry = [insert_lines(rows), *move_balances(pots.values()), insert_headers([header])]
    try:
        run([SAVEPOINT, *entry, RELEASE] if nested else [*entry, COMMIT])
    except IntegrityError:
        if nested:
            run([ROLLBACK, RELEASE])
        raise


def _header(draft: Draft, recorded_at: datetime) -> Header:
    return Header(
        new_id(recorded_at),
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
