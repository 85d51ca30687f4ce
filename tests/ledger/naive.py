"""A naive model of one account's books, plain sums over plain lists, and the ledger's functions behind the same step names."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from ledger.errors import BelowFloor, HoldEnded, NotReversible, UnknownHold
from ledger.models import Entry
from ledger.services import Posted, credit, debit, hold, note, post, release, reverse, settle
from tests.ledger.conftest import usd

REFUSALS = (BelowFloor, HoldEnded, NotReversible, UnknownHold)


@dataclass
class Naive:
    """What the funds account should hold: settled money, and open holds by key."""

    settled: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    reversible: dict[str, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.settled - sum(self.holds.values())

    def step(self, name: str, amount: int, picked: str, key: str) -> bool:
        """Do it if it is allowed; say whether it was."""
        if name == "deposit":
            return self._move(amount, key)
        if name == "spend":
            return self._move(-amount, key)
        if name == "hold" and self.free >= amount:
            self.holds[key] = amount
            return True
        if name == "settle" and picked in self.holds and self.free + self.holds[picked] >= amount:
            del self.holds[picked]
            self.settled -= amount
            return True
        if name == "release":
            return self.holds.pop(picked, None) is not None
        if name == "reverse" and picked in self.reversible and self.free >= self.reversible[picked]:
            self.settled -= self.reversible.pop(picked)
            return True
        return name == "note"

    def _move(self, amount: int, key: str) -> bool:
        if self.free + amount < 0:
            return False
        self.settled += amount
        self.reversible[key] = amount
        return True


def book(name: str, amount: int, picked: str, key: str, day: date | None = None) -> Posted | None:
    spent = [credit("alpha:funds", usd(amount)), debit("alpha:cost", usd(amount))] if amount else []
    if name == "deposit":
        lines = [debit("alpha:funds", usd(amount)), credit("alpha:external", usd(amount))]
        return post(key=key, kind="deposit", lines=lines, reference=("deposit", key), effective_on=day)
    if name == "spend":
        return post(key=key, kind="spend", lines=spent, effective_on=day)
    if name == "hold":
        return hold(key=key, lines=spent)
    if name == "settle":
        return settle(key=key, hold_key=picked, lines=spent)
    if name == "release":
        return release(key=key, hold_key=picked, memo="x")
    if name == "note":
        return note(key=key, account="alpha:funds", memo="x")
    original = Entry.objects.filter(key=picked).first()
    return reverse(key=key, entry=original) if original else None


def attempt(name: str, amount: int, picked: str, key: str, day: date | None = None) -> Posted | None:
    try:
        return book(name, amount, picked, key, day)
    except REFUSALS:
        return None
