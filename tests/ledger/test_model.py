"""Random histories against a naive model: plain sums over plain lists, no cleverness to be wrong about."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.checkpoints import checkpoint
from ledger.errors import BelowFloor, HoldEnded, NotReversible, UnknownHold
from ledger.models import Balance, Entry, Line
from ledger.queries import balance, iter_statement, open_holds, trial_balance
from ledger.services import Posted, credit, debit, hold, note, post, release, reverse, settle
from ledger.verifying import verify
from tests.ledger.conftest import deposit, open_books, usd

pytestmark = pytest.mark.django_db
REFUSALS = (BelowFloor, HoldEnded, NotReversible, UnknownHold)
AMOUNT = st.integers(1, 5_000)
PICK = st.integers(0, 5)
STEP = st.one_of(
    st.tuples(st.just("deposit"), AMOUNT, PICK),
    st.tuples(st.just("spend"), AMOUNT, PICK),
    st.tuples(st.just("hold"), AMOUNT, PICK),
    st.tuples(st.just("settle"), st.integers(0, 5_000), PICK),
    st.tuples(st.just("release"), AMOUNT, PICK),
    st.tuples(st.just("reverse"), AMOUNT, PICK),
    st.tuples(st.just("note"), AMOUNT, PICK),
)


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


def book(name: str, amount: int, picked: str, key: str) -> Posted | None:
    spent = [credit("alpha:funds", usd(amount)), debit("alpha:cost", usd(amount))] if amount else []
    if name == "deposit":
        return deposit(amount, key)
    if name == "spend":
        return post(key=key, kind="spend", lines=spent)
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


def attempt(name: str, amount: int, picked: str, key: str) -> Posted | None:
    try:
        return book(name, amount, picked, key)
    except REFUSALS:
        return None


def assert_true_to(naive: Naive) -> None:
    now = balance("alpha:funds")
    assert (now.settled, now.held, now.free) == (naive.settled, -sum(naive.holds.values()), naive.free)
    assert {entry.key for entry in open_holds("alpha:funds")} == set(naive.holds)
    rows = trial_balance("USD")
    assert sum(row.debit - row.credit for row in rows) == 0 == sum(row.held for row in rows)
    for row in Balance.objects.select_related("account"):
        lines = list(iter_statement(row.account.code))
        assert [line.seq for line in lines] == list(range(1, row.seq + 1))
        assert sum(line.amount for line in lines) == row.free
        if lines:
            assert (lines[-1].settled_after, lines[-1].held_after) == (row.settled, row.held)
    assert Line.objects.aggregate(total=Sum("amount"))["total"] in (None, 0)
    checkpoint()
    assert verify().findings == []
    connection.check_constraints()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEP, max_size=14), st.booleans())
def test_the_ledger_does_what_a_naive_model_does(steps: list[tuple[str, int, int]], repeat: bool) -> None:
    with transaction.atomic():
        open_books()
        naive = Naive()
        for number, (name, amount, pick) in enumerate(steps):
            key, picked = f"k{number}", f"k{max(0, number - 1 - pick)}"
            posted = attempt(name, amount, picked, key)
            assert (posted is not None) == naive.step(name, amount, picked, key)
            if posted and repeat:
                again = attempt(name, amount, picked, key)
                assert again is not None
                assert not again.created
        assert_true_to(naive)
        transaction.set_rollback(True)
