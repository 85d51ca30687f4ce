"""Periodic jobs: one run in each interval, however many schedulers there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.core.management import call_command

from procurement.work import queries, registry, schedule
from procurement.work.models import Loop, PeriodicSlot
from procurement.work.registry import PeriodicJob
from procurement.work.schedule import tick

NOON = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as travelled:
        yield travelled


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One job, every five minutes; each run is noted here."""
    noted: list[str] = []
    monkeypatch.setattr(registry, "JOBS", {})
    monkeypatch.setattr(schedule, "JOBS", registry.JOBS)
    registry.JOBS["test.job"] = PeriodicJob("test.job", timedelta(minutes=5), lambda: noted.append("ran"))
    return noted


def test_a_job_runs_once_in_each_interval(runs: list[str], clock: time_machine.Traveller) -> None:
    for _ in range(4):
        tick()
        clock.shift(100)

    assert runs == ["ran", "ran"]
    assert list(PeriodicSlot.objects.order_by("slot").values_list("slot", flat=True)) == [
        NOON,
        NOON + timedelta(minutes=5),
    ]


def test_missed_intervals_are_made_good_by_one_run(runs: list[str], clock: time_machine.Traveller) -> None:
    tick()
    clock.shift(timedelta(hours=3).total_seconds())
    tick()
    tick()

    assert runs == ["ran", "ran"]


def test_a_second_scheduler_finds_the_interval_taken(runs: list[str]) -> None:
    job = registry.JOBS["test.job"]
    assert schedule.take_slot(job, NOON) is not None
    assert schedule.take_slot(job, NOON) is None


def test_a_failed_job_is_tried_again_after_a_lease(clock: time_machine.Traveller) -> None:
    tries: list[str] = []

    def fails() -> None:
        tries.append("tried")
        raise ValueError("ABCD-EFGH-JKLM")

    registry.JOBS["test.job"] = PeriodicJob("test.job", timedelta(days=1), fails)
    tick()
    tick()
    assert tries == ["tried"]
    clock.shift(90)
    tick()

    assert tries == ["tried", "tried"]
    assert "ABCD" not in PeriodicSlot.objects.get().last_error


def test_one_failing_job_does_not_keep_the_others_from_running(runs: list[str]) -> None:
    def fails() -> None:
        raise ValueError

    registry.JOBS.update({"a.fails": PeriodicJob("a.fails", timedelta(minutes=5), fails)} | registry.JOBS)
    tick()

    assert runs == ["ran"]


def test_old_intervals_are_forgotten(clock: time_machine.Traveller) -> None:
    for _ in range(30):
        tick()
        clock.shift(300)

    assert PeriodicSlot.objects.count() == schedule.SLOTS_KEPT + 1


def test_every_tick_is_a_sign_of_life(clock: time_machine.Traveller) -> None:
    assert queries.last_loop_seen() is None
    tick("one")
    clock.shift(2)
    tick("two")
    tick("two")

    assert queries.last_loop_seen() == NOON + timedelta(seconds=2)
    assert Loop.objects.count() == 2


def test_the_command_runs_until_nothing_is_due(runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("procurement.work.management.commands.work.stop_on_signals", lambda: None)
    call_command("work", "--until-idle")
    call_command("work", "--once")

    assert runs == ["ran"]
