"""Booking. Each function is idempotent by `key`: the same facts give the first result, other facts are a KeyConflict.

Call them inside or outside a transaction. A caller that books several entries in one transaction keeps to one order of
accounts, or two such callers can wait for each other. Amounts are minor units, times are UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

from django.db import IntegrityError, transaction

from ledger.booking import NO_REFERENCE, Draft, Leg, Posted, Reference, accounts_by_code, book
from ledger.errors import AccountConflict, BadEntry, UnknownHold
from ledger.models import Account, Balance, Entry, Layer
from ledger.money import Money, exponent


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
    legs = (*_inverse(held), *_in_layer(lines, Layer.SETTLED))
    return book(Draft(key, kind, legs, reference or _reference(held), effective_on, actor, memo, resolves=held))


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
    return book(Draft(key, kind, _inverse(held), _reference(held), effective_on, actor, memo, resolves=held))


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
    return book(Draft(key, kind, _inverse(entry), _reference(entry), effective_on, actor, memo, reverses=entry))


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
    found = accounts_by_code([account])[account]
    leg = Leg(account, Money(0, found.currency), Layer.MEMO)
    return book(Draft(key, kind, (leg,), reference, effective_on, actor, memo))


def _account(code: str) -> Account | None:
    return Account.objects.select_related("balance").filter(code=code).first()


def _hold(key: str) -> Entry:
    found = Entry.objects.filter(key=key, resolves=None, lines__layer=Layer.HELD).first()
    if found is None:
        raise UnknownHold(f"There is no hold {key}. Nothing was booked. Hold the money first.")
    return found


def _inverse(entry: Entry) -> tuple[Leg, ...]:
    lines = entry.lines.select_related("account").order_by("leg")
    return tuple(Leg(line.account.code, Money(-line.amount, line.currency), Layer(line.layer)) for line in lines)


def _in_layer(legs: Iterable[Leg], layer: Layer) -> tuple[Leg, ...]:
    return tuple(Leg(leg.account, leg.money, layer) for leg in legs)


def _reference(entry: Entry) -> Reference:
    return entry.reference_kind, entry.reference_id


def _positive(money: Money) -> Money:
    if money.minor <= 0:
        raise ValueError("A debit or credit is a positive amount; use the other one for the other direction.")
    return money
