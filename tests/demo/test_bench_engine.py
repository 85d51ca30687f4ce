"""The benches of the engine and of an idle desk: what they reckon out of what they saw."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from procurement.demo.bench import engine, idle

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


@pytest.mark.django_db  # the findings name the server’s version
def test_findings_name_the_ratio_and_the_command_that_repeats_them() -> None:
    found = engine.Speed([0.1] * 19 + [1.5], engine=8.0, bare=20.0)
    lines = engine.as_markdown(found, 20).splitlines()

    assert "20 orders in each way" in lines[0]
    assert "`python3 dev.py bench engine --requests 20`" in lines[0]
    assert "0.10 / 1.50 s" in lines[4]
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == ["engine ÷ bare client", "0.40", ""]


def test_a_rate_is_the_steps_between_the_first_and_the_last() -> None:
    assert engine.per_second([NOON + timedelta(seconds=half / 2) for half in (3, 0, 1, 2)]) == 2.0


def test_processor_time_is_read_for_every_session() -> None:
    before = idle.seconds_by_session()[os.getsid(0)]
    begun = time.process_time()
    while time.process_time() - begun < 0.1:
        pass

    assert idle.seconds_by_session()[os.getsid(0)] >= before + 0.05


@pytest.mark.django_db(transaction=True)
def test_a_sweep_that_finds_nothing_asks_little() -> None:
    sweep, minute = idle.queries_of_sweeps()

    assert sweep <= 6
    assert minute >= 30 * sweep


@pytest.mark.django_db  # the findings name the server’s version
def test_an_idle_minute_is_named_part_by_part() -> None:
    lines = idle.as_markdown(idle.Idle({"web": 0.1, "worker": 0.5, "scheduler": 0.25}, 60, 4, 150)).splitlines()

    assert "60 seconds of nobody doing anything" in lines[0]
    assert [line.split("|")[2].strip() for line in lines[4:]] == ["0.10", "0.50", "0.25", "0.85", "4", "150"]
