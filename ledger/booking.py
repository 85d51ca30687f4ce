"""The one way an entry is written: key first, then the rules, then balances, lines and header in one transaction.

Accounts are locked in one order, so two bookings cannot deadlock each other. The rules stand here as sentences for
people and in `rules.py` as conditions of the database.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from ledger.errors import BadEntry, BelowFloor, HoldEnded, KeyConflict, NotReversible, Unbalanced, UnknownAccount
from ledger.models import Account, Balance, Entry, Layer, Line
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
    except (IntegrityError, BelowFloor):
        # A twin may have booked this key, or ended this hold, in the meantime.
        if first := _first_result(draft):
            return first
        _check_still_open(draft)
        raise


def _first_result(draft: Draft) -> Posted | None:
    found = Entry.objects.filter(key=draft.key).first()
    if found is None:
        return None
    if found.fingerprint != draft.fingerprint:
        raise KeyConflict(
            f"The key {draft.key} already stands for another {found.kind}. Nothing was booked. "
            "Repeat it with the same facts, or use a new key for a new fact."
        )
    return Posted(found, created=False)


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
    accounts = accounts_by_code(leg.account for leg in draft.legs)
    _check_currencies(draft, accounts)
    balances = _lock(sorted(account.pk for account in accounts.values()))
    recorded_at = _next_time(balances.values())
    entry = _header(draft, recorded_at)
    lines = [
        _line(entry, number, leg, balances[accounts[leg.account].pk]) for number, leg in enumerate(draft.legs, start=1)
    ]
    Line.objects.bulk_create(lines)
    for account in sorted(accounts.values(), key=lambda account: account.pk):
        _advance(account, balances[account.pk], [line for line in lines if line.account_id == account.pk])
    # The header last: the database judges the lines together when it arrives.
    entry.save(force_insert=True)
    return entry


def accounts_by_code(codes: Iterable[str]) -> dict[str, Account]:
    wanted = set(codes)
    found = {account.code: account for account in Account.objects.filter(code__in=wanted)}
    if unknown := sorted(wanted - found.keys()):
        raise UnknownAccount(f"There is no account {', '.join(unknown)}. Nothing was booked. Open it first.")
    return found


def _check_currencies(draft: Draft, accounts: dict[str, Account]) -> None:
    for leg in draft.legs:
        account = accounts[leg.account]
        if leg.money.currency != account.currency:
            raise BadEntry(
                f"{account.name} is kept in {account.currency}, not {leg.money.currency}. Nothing was booked."
            )


def _lock(account_ids: Sequence[int]) -> dict[int, Balance]:
    """The balances, nobody else's to change until this transaction ends: an UPDATE takes the row on both engines."""
    for account_id in account_ids:
        Balance.objects.filter(pk=account_id).update(seq=F("seq"))
    return Balance.objects.in_bulk(account_ids)


def _next_time(balances: Iterable[Balance]) -> datetime:
    """Now, or just after the last line of any account touched: clocks step back, an account's history does not."""
    return max([timezone.now(), *(balance.last_at + TICK for balance in balances if balance.last_at)])


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


def _line(entry: Entry, number: int, leg: Leg, balance: Balance) -> Line:
    """The line of a leg; moves the balance in memory on to what the line leaves behind."""
    amount = leg.money.minor
    balance.seq += 1
    balance.settled += amount if leg.layer == Layer.SETTLED else 0
    balance.held += amount if leg.layer == Layer.HELD else 0
    return Line(
        entry_id=entry.pk,
        leg=number,
        legs=entry.legs,
        account_id=balance.pk,
        currency=leg.money.currency,
        layer=leg.layer,
        amount=amount,
        seq=balance.seq,
        settled_after=balance.settled,
        held_after=balance.held,
        recorded_at=entry.recorded_at,
    )


def _advance(account: Account, balance: Balance, lines: Sequence[Line]) -> None:
    """Store what the lines left behind. The database checks the floor here: two buyers cannot spend the same money."""
    unmoved = Balance.objects.filter(pk=account.pk, seq=balance.seq - len(lines))
    try:
        changed = unmoved.update(
            settled=balance.settled, held=balance.held, seq=balance.seq, last_at=lines[-1].recorded_at
        )
    except IntegrityError as error:
        if "ledger_balance_floor" not in str(error):
            raise
        raise _below_floor(account, balance, sum(line.amount for line in lines)) from None
    if changed != 1:
        raise IntegrityError(f"The balance of {account.code} moved while it was locked.")


def _below_floor(account: Account, balance: Balance, moved: int) -> BelowFloor:
    return BelowFloor(
        account=account.code,
        name=account.name,
        currency=account.currency,
        free=balance.free - moved,
        after=balance.free,
        floor=balance.floor or 0,
    )


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
