"""Random histories against a naive model."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.checkpoints import checkpoint
from ledger.models import Balance, Line
from ledger.queries import balance, iter_statement, open_holds, trial_balance
from ledger.verifying import verify
from tests.ledger.conftest import open_books
from tests.ledger.naive import Naive, attempt

pytestmark = pytest.mark.django_db
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
