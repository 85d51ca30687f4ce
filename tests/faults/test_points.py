"""kill -9 at every named point of a small day: a fresh worker goes on, nothing is lost, nothing is bought twice (T4)."""

from __future__ import annotations

import ast
import re
from datetime import datetime
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from procurement import faultpoints
from procurement.orders.models import Attempt, Order
from procurement.orders.services import placing
from procurement.orders.states import ATTEMPT, ORDER
from procurement.states import transition
from tests.faults.forking import in_a_child
from tests.faults.killing import Points, kind_of
from tests.faults.running import Runner

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("T4")]
# So that several processes share the work.
SHARES = 4
# One point in twelve, others on each database; `dev.py faults` takes them all.
FROM, EVERY = 0 if connection.vendor == "sqlite" else 6, 12
SENT = "http.orders.place.receive_response_headers"


def named_points(runner: Runner) -> list[str]:
    return sorted(point for point in runner.trace() if kind_of(point) == "named")


@pytest.mark.parametrize("share", range(SHARES))
def test_killed_at_each_named_point_a_fresh_worker_makes_everything_good(runner: Runner, share: int) -> None:
    mine = named_points(runner)[FROM::EVERY][share::SHARES]
    assert len(mine) >= 3

    for point in mine:
        outcome = runner.run(point)
        assert outcome.killed, f"{point} was not reached"
        assert outcome.wrong == [], outcome.again


def test_killed_at_the_later_visits_of_a_send_too(runner: Runner) -> None:
    for visit in (2, 3):
        outcome = runner.run(SENT, visit, seed=visit)
        assert outcome.wrong == [], outcome.again


def back_to_ready(order: Order, attempt: Attempt) -> datetime:
    """What must never be: an attempt that lost its worker goes out again."""
    with transaction.atomic():
        transition(attempt, "ready", by=None, machine=ATTEMPT)
        transition(order, "approved", by=None, machine=ORDER)
    return timezone.now()


def test_a_wrong_reaper_is_found(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner can fail: an order that was sent without a key is sent again."""
    assert runner.run(SENT, visit=2).wrong == []
    monkeypatch.setattr(placing, "reap", back_to_ready)

    outcome = runner.run(SENT, visit=2)

    assert outcome.killed
    assert "T1: B-1 was bought 2 times" in outcome.wrong
    assert outcome.again == f"python3 dev.py faults --point '{SENT}' --visit 2 --seed 0"


def test_work_that_nobody_takes_up_again_is_found(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.scenario.tick", lambda loop: 0)
    runner.put_back(0)
    runner.child(lambda day: day.order("alpha", 2, "A-1"), 0.0, 0)

    wrong = runner.recover(0)

    assert any(sentence.startswith("T4: order.place") for sentence in wrong)
    assert any(sentence.startswith("T3: A-1") for sentence in wrong)


def templates() -> set[str]:
    """The names that stand in the program, with `.+` for what is put in."""
    found = set()
    for path in Path(settings.ROOT, "procurement").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "faultpoint":
                found.add(pattern(node.args[0]))
    return found


def pattern(name: ast.expr) -> str:
    parts = name.values if isinstance(name, ast.JoinedStr) else [name]
    return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts)


def test_no_point_of_the_program_is_missed_and_there_are_more_than_enough(runner: Runner) -> None:
    passed = named_points(runner)

    assert len(passed) >= 100
    assert {name for name in templates() if not any(re.fullmatch(name, point) for point in passed)} == set()


def test_a_point_costs_nothing_until_somebody_listens() -> None:
    assert faultpoints.hook is None
    faultpoints.faultpoint("anything")


def test_a_process_dies_at_the_visit_it_is_told_and_not_before() -> None:
    def pass_by(times: int) -> bool:
        points = Points("here", 3)

        def walk() -> None:
            for _ in range(times):
                points("here")

        return in_a_child(walk).killed

    assert [pass_by(times) for times in (2, 3)] == [False, True]
