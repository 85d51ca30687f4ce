"""The one way an entry is written: key first, then the rules, then balances, lines and header in one transaction.

Accounts are locked in one order, so two bookings cannot deadlock each other. The rules stand here as sentences for
people and in `rules.py` as conditions of the database.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ledger import chain
from ledger.errors import (
    BadEntry,
    BelowFloor,
    BooksClosed,
    HoldEnded,
    KeyConflict,
    NotReversible,
    Unbalanced,
    UnknownAccount,
)
from ledger.models import Account, Entry, Layer
from ledger.money import Money

Reference = tuple[str, str]
NO_REFERENCE: Reference = ("", "")
TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Leg:
    """A line to be booked: an account code and a signed amount (debit positive). Build it with `debit` or `credit`."""

    account: str
    money: Money
    layer: Layer = Layer.SETTLED


@dataclass(frozen=True, slots=True)
class Posted:
    """The entry that now stands for the key; `created` is False when an earlier call had booked it."""

    entry: Entry
    created: bool


@dataclass(frozen=True, slots=True)
class Draft:
    """Everything about an entry except what the database decides: numbers, times and balances."""

    key: str
    kind: str
    legs: Sequence[Leg]
    reference: Reference = NO_REFERENCE
    effective_on: date | None = None
    actor: str = ""
    memo: str = ""
    resolves: Entry | None = None
    reverses: Entry | None = None
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", _fingerprint(self))


def book(draft: Draft) -> Posted:
    # The key comes before any rule: a retry gets the first answer, whatever has changed since.
    if first := _first_result(draft):
        return first
    _check(draft)
    try:
        with transaction.atomic():
            return Posted(_write(draft), created=True)
    except (IntegrityError, BelowFloor) as error:
        # A twin may have booked this key, or ended this hold, in the meantime.
        if first := _first_result(draft):
            return first
        _check_still_open(draft)
        if "closed_books" in str(error):
            raise _books_closed(draft) from None
        raise


def _first_result(draft: Draft) -> Posted | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT fingerprint, kind FROM ledger_entry WHERE key = %s", [draft.key])
        found = cursor.fetchone()
    if found is None:
        return None
    if found[0] != draft.fingerprint:
        raise KeyConflict(
            f"The key {draft.key} already stands for another {found[1]}. Nothing was booked. "
            "Repeat it with the same facts, or use a new key for a new fact."
        )
    return Posted(Entry.objects.get(key=draft.key), created=False)


def _check(draft: Draft) -> None:
    if not draft.key or len(draft.key) > 200:
        raise BadEntry(
            "An entry needs a key of 1 to 200 characters. Nothing was booked. Name its cause, such as deposit:42."
        )
    if not draft.legs:
        raise BadEntry("An entry needs lines. Nothing was booked. Give at least one debit and one credit.")
    if any((leg.money.minor == 0) != (leg.layer == Layer.MEMO) for leg in draft.legs):
        raise BadEntry("A line of zero moves nothing. Nothing was booked. Leave it out.")
    _check_zero_sum(draft)
    _check_still_open(draft)


def _books_closed(draft: Draft) -> BooksClosed:
    day = draft.effective_on or timezone.now().date()
    return BooksClosed(
        f"The books are closed for {day}. Nothing was booked. Book it on an open day and name its true day in the memo."
    )


def _check_zero_sum(draft: Draft) -> None:
    sums: dict[tuple[str, str], int] = {}
    for leg in draft.legs:
        place = (leg.money.currency, leg.layer)
        sums[place] = sums.get(place, 0) + leg.money.minor
    for (currency, _), total in sums.items():
        if total:
            raise Unbalanced(
                f"Debits and credits differ by {Money(abs(total), currency)}. Nothing was booked. "
                "Make them equal in each currency."
            )


def _check_still_open(draft: Draft) -> None:
    held, original = draft.resolves, draft.reverses
    if held is not None and (end := Entry.objects.filter(resolves=held).first()):
        raise HoldEnded(
            f"The hold {held.key} ended before, by {end.key}. Nothing was booked. Look at that entry first."
        )
    if original is None:
        return
    if original.reverses_id or original.lines.exclude(layer=Layer.SETTLED).exists():
        raise NotReversible(
            f"{original.key} cannot be reversed. Nothing was booked. Post the difference as an entry of its own."
        )
    if end := Entry.objects.filter(reverses=original).first():
        raise NotReversible(f"{original.key} was reversed before, by {end.key}. Nothing was booked.")


def _write(draft: Draft) -> Entry:
    """Lock, number and write, by plain SQL: this is the one path on which the time for a booking is spent."""
    with connection.cursor() as cursor:
        pots = _lock(cursor, draft)
        recorded_at = max([timezone.now(), *(pot.last_at + TICK for pot in pots.values() if pot.last_at)])
        entry = _header(draft, recorded_at)
        header = header_of(entry)
        rows = [step(entry, header, number, leg, pots[leg.account]) for number, leg in enumerate(draft.legs, start=1)]
        insert_lines(cursor, rows)
        _advance(cursor, pots, recorded_at)
        # The header last: the database judges the lines together when it arrives.
        _insert_header(cursor, entry)
    return entry


@dataclass(slots=True)
class Pot:
    """An account with its balance while lines are numbered: each line moves it on."""

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
    lines: int = 0
    moved: int = 0


_POTS = (
    "SELECT b.account_id, a.code, a.name, a.currency, b.settled, b.held, b.floor, b.seq, b.head, b.last_at"
    " FROM ledger_balance b JOIN ledger_account a ON a.id = b.account_id WHERE a.code IN ({}) ORDER BY b.account_id"
)


def _lock(cursor: Any, draft: Draft) -> dict[str, Pot]:
    """The accounts of the legs, nobody else's to move until this transaction ends: in one order, so that no two bookings
    wait for each other. SQLite has one writer at a time; there and here the numbers are checked again as they are stored.
    """
    codes = sorted({leg.account for leg in draft.legs})
    pots = pots_of(cursor, codes, lock=True)
    if unknown := sorted(set(codes) - pots.keys()):
        raise UnknownAccount(f"There is no account {', '.join(unknown)}. Nothing was booked. Open it first.")
    for leg in draft.legs:
        pot = pots[leg.account]
        if leg.money.currency != pot.currency:
            raise BadEntry(f"{pot.name} is kept in {pot.currency}, not {leg.money.currency}. Nothing was booked.")
    return pots


def pots_of(cursor: Any, codes: Sequence[str], *, lock: bool = False) -> dict[str, Pot]:
    """Accounts with their balances by code; `lock` holds them to the end of the transaction."""
    sql = _POTS.format(", ".join(["%s"] * len(codes)))
    cursor.execute(sql + " FOR UPDATE OF b" if lock and connection.vendor == "postgresql" else sql, codes)
    found = (Pot(*row) for row in cursor.fetchall())
    return {pot.code: _read(pot) for pot in found}


def _read(pot: Pot) -> Pot:
    """SQLite's times come without their zone, which is always UTC; PostgreSQL's bytes as a view."""
    pot.head = bytes(pot.head)
    if pot.last_at is not None and pot.last_at.tzinfo is None:
        pot.last_at = pot.last_at.replace(tzinfo=UTC)
    return pot


def _header(draft: Draft, recorded_at: datetime) -> Entry:
    return Entry(
        key=draft.key,
        fingerprint=draft.fingerprint,
        kind=draft.kind,
        effective_on=draft.effective_on or recorded_at.date(),
        recorded_at=recorded_at,
        reference_kind=draft.reference[0],
        reference_id=draft.reference[1],
        memo=draft.memo,
        actor=draft.actor,
        legs=len(draft.legs),
        resolves=draft.resolves,
        reverses=draft.reverses,
    )


def header_of(entry: Entry) -> bytes:
    """An entry as its lines' hashes cover it."""
    return chain.header_bytes(
        entry.pk,
        entry.key,
        entry.fingerprint,
        entry.kind,
        entry.effective_on,
        entry.recorded_at,
        entry.reference_kind,
        entry.reference_id,
        entry.memo,
        entry.actor,
        entry.legs,
        entry.resolves_id,
        entry.reverses_id,
    )


def step(entry: Entry, header: bytes, number: int, leg: Leg, pot: Pot) -> tuple[Any, ...]:
    """The row of a leg's line; moves the pot on to what the line leaves behind."""
    amount, currency = leg.money.minor, leg.money.currency
    pot.seq += 1
    pot.lines += 1
    pot.moved += amount
    pot.settled += amount if leg.layer == Layer.SETTLED else 0
    pot.held += amount if leg.layer == Layer.HELD else 0
    after = (amount, pot.seq, pot.settled, pot.held)
    pot.head = chain.link(pot.head, header, number, pot.code, currency, leg.layer, *after)
    at = connection.ops.adapt_datetimefield_value(entry.recorded_at)
    facts = (_uuid(entry.pk), number, entry.legs, pot.account_id, currency, str(leg.layer))
    return (*facts, *after, at, pot.head)


_LINES = (
    "INSERT INTO ledger_line (entry_id, leg, legs, account_id, currency, layer, amount, seq, settled_after, held_after,"
    " recorded_at, hash) VALUES "
)
_LINE = "(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"


def insert_lines(cursor: Any, rows: Sequence[tuple[Any, ...]]) -> None:
    cursor.execute(_LINES + ", ".join([_LINE] * len(rows)), [value for row in rows for value in row])


_BALANCES = (
    "UPDATE ledger_balance SET settled = v.column2, held = v.column3, seq = v.column4, head = v.column5, last_at = %s"
    " FROM (VALUES {}) AS v WHERE ledger_balance.account_id = v.column1 AND ledger_balance.seq = v.column6"
)


def _advance(cursor: Any, pots: Mapping[str, Pot], at: datetime) -> None:
    """Store what the lines left behind. The database checks the floor here: two buyers cannot spend the same money."""
    values = [(p.account_id, p.settled, p.held, p.seq, p.head, p.seq - p.lines) for p in pots.values()]
    sql = _BALANCES.format(", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(values)))
    moment = connection.ops.adapt_datetimefield_value(at)
    try:
        cursor.execute(sql, [moment, *(value for row in values for value in row)])
    except IntegrityError as error:
        below = [p for p in pots.values() if p.floor is not None and p.settled + p.held < p.floor]
        if "ledger_balance_floor" not in str(error) or not below:
            raise
        raise _below_floor(below[0]) from None
    if cursor.rowcount != len(values):
        raise IntegrityError(f"A balance moved while it was locked: {', '.join(pots)}.")


def _below_floor(pot: Pot) -> BelowFloor:
    after = pot.settled + pot.held
    return BelowFloor(
        account=pot.code,
        name=pot.name,
        currency=pot.currency,
        free=after - pot.moved,
        after=after,
        floor=pot.floor or 0,
    )


_ENTRY = (
    "INSERT INTO ledger_entry (id, key, fingerprint, kind, effective_on, recorded_at, reference_kind, reference_id, memo,"
    " actor, legs, resolves_id, reverses_id) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


def _insert_header(cursor: Any, entry: Entry) -> None:
    day = connection.ops.adapt_datefield_value(entry.effective_on)
    at = connection.ops.adapt_datetimefield_value(entry.recorded_at)
    words = (entry.reference_kind, entry.reference_id, entry.memo, entry.actor, entry.legs)
    links = (_uuid(entry.resolves_id), _uuid(entry.reverses_id))
    cursor.execute(_ENTRY, (_uuid(entry.pk), entry.key, entry.fingerprint, entry.kind, day, at, *words, *links))
    entry._state.adding, entry._state.db = False, connection.alias


def _uuid(value: uuid.UUID | None) -> Any:
    """As the engine keeps it: SQLite as 32 hex digits."""
    return value.hex if value and connection.vendor == "sqlite" else value


def accounts_by_code(codes: Iterable[str]) -> dict[str, Account]:
    wanted = set(codes)
    found = {account.code: account for account in Account.objects.filter(code__in=wanted)}
    if unknown := sorted(wanted - found.keys()):
        raise UnknownAccount(f"There is no account {', '.join(unknown)}. Nothing was booked. Open it first.")
    return found


def _fingerprint(draft: Draft) -> str:
    """SHA-256 of the facts. Words (memo, actor) are not facts: a retry by another worker is still the same booking."""
    facts = [
        1,
        draft.kind,
        draft.effective_on.isoformat() if draft.effective_on else None,
        list(draft.reference),
        draft.resolves.key if draft.resolves else None,
        draft.reverses.key if draft.reverses else None,
        [[leg.account, leg.layer, leg.money.minor, leg.money.currency] for leg in draft.legs],
    ]
    return hashlib.sha256(json.dumps(facts, separators=(",", ":")).encode()).hexdigest()
