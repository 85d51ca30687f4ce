"""Hypothesis chooses who acts when: every actor's action, time, faults and deaths, over the real program and database.

The invariants are checked after each step, and once more when everything has healed and a day was reconciled.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import ClassVar

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.simulation.simulation import MOODS, Simulation
from tests.simulation.wire import FAULTS, READ_FAULTS

SUPPLIERS = st.sampled_from(("alpha", "psnb2b"))
EXAMPLES, STEPS = (12 if connection.vendor == "sqlite" else 4), 25


class Purchasing(RuleBasedStateMachine):
    """One history; the seed only feeds what Hypothesis does not choose: latencies, ids, waits."""

    simulation: ClassVar[Simulation]

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()

    @initialize(seed=st.integers(0, 9))
    def begin(self, seed: int) -> None:
        self.stack.enter_context(self.simulation.running(seed))

    def teardown(self) -> None:
        try:
            if self.simulation.history:
                self.simulation.heal_and_drain()
                self.check(quiescent=True)
        finally:
            self.simulation.history = []
            self.stack.close()

    def check(self, *, quiescent: bool) -> None:
        found = self.simulation.violations(quiescent=quiescent)
        assert not found, "\n".join([*self.simulation.history, *found])

    @invariant()
    def holds(self) -> None:
        if self.simulation.history:
            self.check(quiescent=False)

    # --- people ---

    @rule(supplier=SUPPLIERS, face=st.sampled_from((10, 50)), quantity=st.sampled_from((1, 2, 12)))
    def buyer_orders(self, supplier: str, face: int, quantity: int) -> None:
        self.simulation.buy(supplier, face, quantity)

    @rule()
    def buyer_cancels(self) -> None:
        self.simulation.cancel()

    @rule()
    def buyer_sends_a_draft_on(self) -> None:
        self.simulation.submit_again()

    @rule(verdict=st.sampled_from(("approve", "reject", "send back")))
    def manager_decides(self, verdict: str) -> None:
        self.simulation.decide(verdict)

    @rule(mistaken=st.booleans())
    def support_and_finance_give_verdicts(self, mistaken: bool) -> None:
        self.simulation.give_verdicts(mistaken=mistaken)

    @rule()
    def support_and_finance_accept(self) -> None:
        self.simulation.accept_contradictions()

    @rule(supplier=SUPPLIERS, back=st.booleans())
    def administrator_pauses_or_resumes(self, supplier: str, back: bool) -> None:
        (self.simulation.resume if back else self.simulation.pause)(supplier)

    # --- the program's loops: dispatcher, poller, reconciler and housekeeping, as due ---

    @rule()
    def a_worker_works(self) -> None:
        self.simulation.work()

    @rule()
    def time_comes_and_a_worker_works(self) -> None:
        self.simulation.jump_ahead()
        self.simulation.work()

    @rule(kind=st.sampled_from(("statement", "commit", "wire", "paid")), number=st.integers(1, 20), after=st.booleans())
    def a_worker_dies(self, kind: str, number: int, after: bool) -> None:
        self.simulation.death.plan(kind, number if kind != "paid" else 1 + number % 2, after=after)
        self.simulation.jump_ahead(at_most=10.0)
        self.simulation.work()

    @rule()
    def webhooks_come(self) -> None:
        self.simulation.collect_mail()
        self.simulation.deliver_mail()

    # --- the world ---

    @rule(seconds=st.sampled_from((1, 29, 61, 91, 1200, 21_600)))
    def time_passes(self, seconds: int) -> None:
        self.simulation.jump(seconds)

    @rule(fault=st.sampled_from(FAULTS))
    def a_paid_post_will_meet(self, fault: str) -> None:
        self.simulation.wire.plan("order", fault)

    @rule(fault=st.sampled_from(READ_FAULTS))
    def a_reading_will_meet(self, fault: str) -> None:
        self.simulation.wire.plan("read", fault)

    @rule(supplier=SUPPLIERS, mood=st.sampled_from(MOODS["both"]))
    def a_supplier_will(self, supplier: str, mood: tuple[str, dict[str, object]]) -> None:
        self.simulation.suppliers.arm(supplier, mood[0], **mood[1])

    @rule(seconds=st.sampled_from((0.0, 60.0, 1200.0)))
    def balances_lag(self, seconds: float) -> None:
        self.simulation.wire.balance_lag = seconds

    @rule()
    def alpha_forgets_its_keys(self) -> None:
        self.simulation.suppliers.ask("forget_keys", 3600.0)


@pytest.mark.requirement("R21", "R26", "R31")
def test_whoever_acts_when_the_invariants_hold(simulate: Callable[..., Simulation]) -> None:
    Purchasing.simulation = simulate()
    chosen = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Purchasing, settings=chosen)
