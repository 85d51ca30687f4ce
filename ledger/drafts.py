"""What somebody wants to be booked, and the rules that need no look at the books: sentences for people.

`rules.py` has the same rules as conditions of the database.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from ledger.errors import BadEntry, NotReversible, Unbalanced
from ledger.models import Entry, Layer
from ledger.money import Money

Reference = tuple[str, str]
NO_REFERENCE: Reference = ("", "")
AS_TEXT = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Leg:
    """A line to be booked: an account code and a signed amount (debit positive). Build it with `debit` or `credit`."""

    account: str
    money: Money
    layer: Layer = Layer.SETTLED


@dataclass(frozen=True, slots=True)
class Posted:
    """The key that now stands for its entry; `created` is False when an earlier call had booked it."""

    key: str
    created: bool

    @property
    def entry(self) -> Entry:
        """Read when asked for: most callers only want it booked."""
        return Entry.objects.get(key=self.key)


@dataclass(frozen=True, slots=True)
class Earlier:
    """An entry that another one ends or reverses, with the legs it booked."""

    id: uuid.UUID
    key: str
    reference: Reference
    legs: tuple[Leg, ...]
    resolves: bool
    reverses: bool

    @property
    def inverse(self) -> tuple[Leg, ...]:
        return tuple(Leg(leg.account, -leg.money, leg.layer) for leg in self.legs)


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
    resolves: Earlier | None = None
    reverses: Earlier | None = None
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fingerprint", _fingerprint(self))


def check(draft: Draft) -> None:
    """Raise what is wrong with a draft, whatever the books say: BadEntry, Unbalanced or NotReversible."""
    if not draft.key or len(draft.key) > 200:
        raise BadEntry(
            "An entry needs a key of 1 to 200 characters. Nothing was booked. Name its cause, such as deposit:42."
        )
    if not draft.legs:
        raise BadEntry("An entry needs lines. Nothing was booked. Give at least one debit and one credit.")
    if any((leg.money.minor == 0) != (leg.layer == Layer.MEMO) for leg in draft.legs):
        raise BadEntry("A line of zero moves nothing. Nothing was booked. Leave it out.")
    _check_zero_sum(draft.legs)
    original = draft.reverses
    if original and (original.reverses or any(leg.layer != Layer.SETTLED for leg in original.legs)):
        raise NotReversible(
            f"{original.key} cannot be reversed. Nothing was booked. Post the difference as an entry of its own."
        )


def _check_zero_sum(legs: Sequence[Leg]) -> None:
    sums: dict[tuple[str, str], int] = {}
    for leg in legs:
        place = (leg.money.currency, leg.layer)
        sums[place] = sums.get(place, 0) + leg.money.minor
    for (currency, _), total in sums.items():
        if total:
            raise Unbalanced(
                f"Debits and credits differ by {Money(abs(total), currency)}. Nothing was booked. "
                "Make them equal in each currency."
            )


def _fingerprint(draft: Draft) -> str:
    """The first 24 bytes of the facts' SHA-256, in base64: short, and still no two facts have the same.

    Words (memo, actor) are not facts: a retry by another worker is still the same booking.
    """
    facts = [
        1,
        draft.kind,
        draft.effective_on.isoformat() if draft.effective_on else None,
        list(draft.reference),
        draft.resolves.key if draft.resolves else None,
        draft.reverses.key if draft.reverses else None,
        [[leg.account, leg.layer, leg.money.minor, leg.money.currency] for leg in draft.legs],
    ]
    return b64encode(hashlib.sha256(AS_TEXT(facts).encode()).digest()[:24]).decode()
