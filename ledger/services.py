"""Booking. Each function is idempotent by `key`: the same facts give the first result, other facts are a KeyConflict.

Call them inside or outside a transaction. A caller that books several entries in one transaction keeps to one order of
accounts, or two such callers can wait for each other. Amounts are minor units, times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from django.db import IntegrityError, transaction

from ledger.booking import book
from ledger.drafts import NO_REFERENCE, Draft, Earlier, Leg, Posted, Reference
from ledger.errors import AccountConflict, BadEntry, NotReversible, UnknownAccount, UnknownHold
from ledger.models import Account, Balance, Entry, Layer
from ledger.money import Money, exponent
from ledger.sending import id_read, run


def debit(account: str, money: Money) -> Leg:
    """A positive leg: into funds, onto a cost."""
    return Leg(account, _positive(money))


def credit(account: str, money: Money) -> Leg:
    """A negative leg: out of funds, off a cost."""
    return Leg(account, -_positive(money))


def open_account(
    *, code: str, name: str, currency: str, role: str, owner: str = "", floor: int | None = None
) -> Account:
    """The account of this code, opened if new; AccountConflict if the code has another currency, role, owner or floor.

    `floor` (minor units) is what settled + held may never go below; None means no limit. It is fixed from then on.
    """
    exponent(currency)
    if not code or (floor or 0) > 0:
        raise BadEntry(
            "An account needs a code, and a floor of zero or less, because it opens empty. Nothing was opened."
        )
    wanted = {"currency": currency, "role": role, "owner": owner}
    found = _account(code)
    if found is None:
        try:
            with transaction.atomic():
                found = Account.objects.create(code=code, name=name, **wanted)
                Balance.objects.create(account=found, floor=floor)
                return found
        except IntegrityError:
            # A twin opened it in the meantime.
            found = _account(code)
            if found is None:
                raise
    if (found.currency, found.role, found.owner, found.balance.floor) != (currency, role, owner, floor):
        raise AccountConflict(
            f"Account {code} exists with another currency, role, owner or floor. Nothing was opened. "
            "Choose another code."
        )
    return found


def post(
    *,
    key: str,
    kind: str,
    lines: Sequence[Leg],
    reference: Reference = NO_REFERENCE,
    effective_on: date | None = None,
    actor: str = "",
    memo: str = "",
) -> Posted:
    """Book money that has moved. `effective_on` None is the day it is recorded (UTC).

    Raises Unbalanced, BadEntry, UnknownAccount, BelowFloor or KeyConflict, and then books nothing.
    """
    return book(Draft(key, kind, _in_layer(lines, Layer.SETTLED), reference, effective_on, actor, memo))


def hold(
    *,
    key: str,
    lines: Sequence[Leg],
    kind: str = "hold",
    reference: Reference = NO_REFERENCE,
    effective_on: date | None = None,
    actor: str = "",
    memo: str = "",
) -> Posted:
    """Set money aside: `lines` are the expected movement, held until `settle` or `release` ends it."""
    return book(Draft(key, kind, _in_layer(lines, Layer.HELD), reference, effective_on, actor, memo))


def settle(
    *,
    key: str,
    hold_key: str,
    lines: Sequence[Leg],
    kind: str = "settlement",
    reference: Reference | None = None,
    effective_on: date | None = None,
    actor: str = "",
    memo: str = "",
) -> Posted:
    """End a hold and book what it truly cost, in one entry; no `lines` means that nothing was charged.

    The whole hold ends, also when `lines` are only a part: hold the rest again under a key of its own.
    Raises HoldEnded, UnknownHold.
    """
    held = _hold(hold_key)
    legs = (*held.inverse, *_in_layer(lines, Layer.SETTLED))
    return book(Draft(key, kind, legs, reference or held.reference, effective_on, actor, memo, resolves=held))


def release(
    *,
    key: str,
    hold_key: str,
    memo: str,
    kind: str = "release",
    effective_on: date | None = None,
    actor: str = "",
) -> Posted:
    """End a hold without a charge; `memo` says why. Raises HoldEnded, UnknownHold."""
    held = _hold(hold_key)
    return book(Draft(key, kind, held.inverse, held.reference, effective_on, actor, memo, resolves=held))


def reverse(
    *,
    key: str,
    entry: Entry,
    kind: str = "reversal",
    effective_on: date | None = None,
    actor: str = "",
    memo: str = "",
) -> Posted:
    """Correct an entry by its exact opposite, once. NotReversible for a reversal, and for holds and their ends.

    A hold ends by `settle` or `release`; a wrong settlement is corrected by a `post` of the difference.
    """
    original = _earlier(entry.key)
    if original is None:
        raise NotReversible(f"There is no entry {entry.key}. Nothing was booked. Look at the ledger again.")
    return book(Draft(key, kind, original.inverse, original.reference, effective_on, actor, memo, reverses=original))


def note(
    *,
    key: str,
    account: str,
    memo: str,
    kind: str = "memo",
    reference: Reference = NO_REFERENCE,
    effective_on: date | None = None,
    actor: str = "",
) -> Posted:
    """Record on an account something that moved no money, such as a failed attempt: one memo line of amount 0."""
    currency = Account.objects.filter(code=account).values_list("currency", flat=True).first()
    if currency is None:
        raise UnknownAccount(f"There is no account {account}. Nothing was booked. Open it first.")
    leg = Leg(account, Money(0, currency), Layer.MEMO)
    return book(Draft(key, kind, (leg,), reference, effective_on, actor, memo))


def _account(code: str) -> Account | None:
    return Account.objects.select_related("balance").filter(code=code).first()


_EARLIER = (
    "SELECT e.id, e.reference_kind, e.reference_id, e.resolves_id IS NOT NULL, e.reverses_id IS NOT NULL,"
    " a.code, l.amount, l.currency, l.layer FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id"
    " JOIN ledger_account a ON a.id = l.account_id WHERE e.key = %s ORDER BY l.leg"
)


def _earlier(key: str) -> Earlier | None:
    (rows,) = run([(_EARLIER, [key])])
    if not rows:
        return None
    entry_id, kind, reference_id, resolves, reverses = rows[0][:5]
    legs = tuple(Leg(code, Money(amount, currency), Layer(layer)) for *_, code, amount, currency, layer in rows)
    return Earlier(id_read(entry_id), key, (kind, reference_id), legs, bool(resolves), bool(reverses))


def _hold(key: str) -> Earlier:
    found = _earlier(key)
    if found is None or found.resolves or found.legs[0].layer != Layer.HELD:
        raise UnknownHold(f"There is no hold {key}. Nothing was booked. Hold the money first.")
    return found


def _in_layer(legs: Iterable[Leg], layer: Layer) -> tuple[Leg, ...]:
    return tuple(leg if leg.layer == layer else Leg(leg.account, leg.money, layer) for leg in legs)


def _positive(money: Money) -> Money:
    if money.minor <= 0:
        raise ValueError("A debit or credit is a positive amount; use the other one for the other direction.")
    return money
