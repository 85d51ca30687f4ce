"""A share of the seeded fault runs, their repeatability, and proof that the checker sees what it should."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from procurement import states
from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Order, UnclaimedOrder
from procurement.orders.services import placing
from procurement.orders.services.outcomes import free_lane
from procurement.orders.states import ATTEMPT, ORDER
from procurement.states import transition
from procurement.suppliers import budget
from procurement.suppliers.clients.psnb2b import Psnb2bClient
from tests.fixtures_sandbox import ROOT
from tests.simulation.simulation import Simulation

Simulate = Callable[..., Simulation]
# Putting PostgreSQL's rows back takes longer than the run itself.
SHARE = 8 if connection.vendor == "sqlite" else 3


@pytest.mark.requirement("R21", "R26", "R31")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_no_fault_buys_twice_loses_money_or_leaves_work_behind(simulate: Simulate, supplier: str) -> None:
    simulation, broken = simulate(supplier), []
    for seed in range(1, SHARE + 1):
        outcome = simulation.run(seed)
        if outcome.violations:
            broken.append(f"seed {seed}: {outcome.violations}")
    again = f"python3 dev.py simulate --supplier {supplier} --seed N --runs 1 --history"
    assert not broken, "\n".join([*broken, f"Again: {again}"])


def test_the_same_seed_is_the_same_history(simulate: Simulate) -> None:
    simulation = simulate()
    first, other = simulation.run(7), simulation.run(8)
    assert len(first.history) > 20
    assert first.history == simulation.run(7).history != other.history


@pytest.mark.any_database
def test_a_replay_in_another_process_is_the_same_byte_for_byte() -> None:
    def replay(hash_seed: str) -> bytes:
        command = [sys.executable, "-m", "tests.simulation", "--supplier", "psnb2b", "--seed", "11", "--runs", "1"]
        told = os.environ | {"PYTHONHASHSEED": hash_seed, "DATABASE_URL": ""}
        done = subprocess.run([*command, "--history"], cwd=ROOT, env=told, stdout=-1, check=True)
        return done.stdout.rpartition(b"supplier |")[0]

    first = replay("1")
    assert first.count(b"\n") > 20
    assert first == replay("2")


# --- mistakes made on purpose: each must be seen, by its name ---


def names(found: list[str]) -> set[str]:
    return {sentence.partition(":")[0] for sentence in found}


def work_for(simulation: Simulation, minutes: int) -> None:
    end = timezone.now() + timedelta(minutes=minutes)
    while timezone.now() < end:
        simulation.work()
        simulation.jump_ahead(at_most=60.0)


def die_in_a_paid_post(simulation: Simulation) -> None:
    """The supplier took the order and the worker is gone before it can store the answer."""
    simulation.buy("psnb2b", 50, 2)
    simulation.death.plan("paid", 2, after=False)
    simulation.work()
    assert Attempt.objects.get().state == "sending"
    assert len(simulation.suppliers.orders()) == 1


def test_a_reaper_that_makes_an_attempt_ready_again_is_seen(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ready_again(order: Order, attempt: Attempt) -> datetime:
        transition(attempt, "ready", by=None, machine=ATTEMPT)
        transition(order, "approved", by=None, machine=ORDER)
        free_lane(attempt)
        return timezone.now()

    simulation = simulate("psnb2b")
    with simulation.running(1):
        die_in_a_paid_post(simulation)
        work_for(simulation, 5)
        assert simulation.violations() == []
        assert Order.objects.get().state == "unknown"

    monkeypatch.setattr(placing, "reap", ready_again)
    with simulation.running(1):
        die_in_a_paid_post(simulation)
        work_for(simulation, 5)
        assert "I1" in names(simulation.violations())
        assert len(simulation.suppliers.orders()) == 2


def test_a_worker_that_reaps_nothing_is_seen(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "reap", lambda order, attempt: timezone.now() + timedelta(minutes=1))
    simulation = simulate("psnb2b")
    with simulation.running(1):
        die_in_a_paid_post(simulation)
        work_for(simulation, 5)
        assert names(simulation.violations()) == {"I5"}


def test_a_client_that_sends_again_without_a_key_is_seen(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Psnb2bClient, "idempotent", True)
    simulation = simulate("psnb2b")
    with simulation.running(1):
        simulation.wire.plan("order", "reset_after")
        simulation.buy("psnb2b", 50, 2)
        work_for(simulation, 5)
        assert "I1" in names(simulation.violations())


def test_a_lane_that_everybody_may_take_is_seen(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "take_lane", lambda account, attempt: True)
    simulation = simulate("psnb2b")
    with simulation.running(1):
        simulation.wire.plan("order", "reset_before")
        simulation.buy("psnb2b", 50, 2)
        simulation.buy("psnb2b", 50, 3)
        work_for(simulation, 5)
        assert names(simulation.violations()) == {"I8"}


def test_money_that_stays_held_is_seen(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postings, "release_order", lambda **given: None)
    simulation = simulate("alpha")
    with simulation.running(1):
        simulation.buy("alpha", 50, 2)
        simulation.cancel()
        assert names(simulation.violations()) == {"I3"}


def test_calls_without_a_limit_are_seen(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_limit(account: Any, use: str) -> budget.Ticket:
        return ()

    monkeypatch.setattr(budget, "take", no_limit)
    monkeypatch.setattr(placing, "obstacle", lambda order: None)
    simulation = simulate("psnb2b")
    with simulation.running(1):
        for _ in range(12):
            simulation.buy("psnb2b", 10, 1)
        simulation.work()
        assert "I7" in names(simulation.violations())


def test_a_step_without_its_record_is_seen(simulate: Simulate, monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = simulate("alpha")
    with simulation.running(1):
        monkeypatch.setattr(states, "record", lambda *given, **facts: None)
        simulation.buy("alpha", 50, 2)
        assert names(simulation.violations()) == {"I6"}


# --- what comes after the verdict ---


@pytest.mark.parametrize("told", [True, False], ids=["with webhooks", "without a word"])
def test_a_purchase_after_two_people_ended_it_is_shown_once_a_day_is_reconciled(simulate: Simulate, told: bool) -> None:
    simulation = simulate("psnb2b")
    with simulation.running(3):
        simulation.wire.plan("order", "late")
        simulation.buy("psnb2b", 50, 2)
        simulation.work()
        simulation.wire.late[0].at += timedelta(hours=1)
        work_for(simulation, 22)
        simulation.give_verdicts()
        assert Order.objects.get().state == "place_failed"
        simulation.fates = {"now" if told else "never": 1}
        simulation.jump(3600)
        assert [row["order_id"] for row in simulation.suppliers.orders()] == ["psb_10000"]
        simulation.heal_and_drain()
        assert simulation.violations(quiescent=True) == []
        assert UnclaimedOrder.objects.filter(remote_id="psb_10000").exists() is told
