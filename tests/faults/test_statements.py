"""The database fails once while an order is placed, at each statement and each COMMIT in turn: nothing is lost or sent twice."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.faults.failing import COMMIT, COMMIT_ANSWER, STATEMENT
from tests.faults.running import Runner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R20", "R22", "R26")]
# Of the statements every eighth, others on each database; `python3 dev.py faults --statements` takes all.
STEP = {STATEMENT: 8, COMMIT: 1, COMMIT_ANSWER: 1}
FIRST = {STATEMENT: 1 if connection.vendor == "sqlite" else 5, COMMIT: 1, COMMIT_ANSWER: 1}


@pytest.mark.parametrize("way", STEP)
@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_a_failing_database_loses_nothing_and_sends_nothing_twice(runner: Runner, code: str, way: str) -> None:
    count, _, wrong = runner.place_while_failing(code, way, 0)
    assert wrong == []
    assert count >= (40 if way == STATEMENT else 4)

    for number in range(FIRST[way], count + 1, STEP[way]):
        _, where, wrong = runner.place_while_failing(code, way, number)
        assert where
        assert wrong == [], f"{way} {number}, {where}"
