"""Kills a worker at one point of the scenario, lets another go on, and says what is not as it must be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from django.urls import get_resolver

from procurement.vault import keyring
from tests.conftest import make_person
from tests.faults.failing import Failure
from tests.faults.forking import Ended, in_a_child
from tests.faults.killing import Points, watched
from tests.faults.scenario import Clock, Day
from tests.fixtures_sandbox import SandboxServer
from tests.orders.conftest import Shop, open_shop
from tests.simulation.snapshot import snapshot

PEOPLE = {"ben": "buyer", "mia": "manager", "sam": "support", "fay": "finance"}
MONEY = "9000.00"


@dataclass(frozen=True)
class Outcome:
    """One run: whether the point was reached, and what was wrong afterwards."""

    point: str
    visit: int
    seed: int
    killed: bool
    wrong: list[str] = field(default_factory=list)

    @property
    def again(self) -> str:
        """The one command that repeats it."""
        return f"python3 dev.py faults --point {self.point!r} --visit {self.visit} --seed {self.seed}"


class Runner:
    """Prepares once, then runs any number of murders from the same start."""

    def __init__(self, sandbox: SandboxServer) -> None:
        self.sandbox = sandbox
        # Loaded here once, and not in each child.
        get_resolver().url_patterns  # noqa: B018
        self.empty = snapshot("empty")
        for name, role in PEOPLE.items():
            make_person(name, role)
        self.shop: Shop = open_shop(sandbox, money=MONEY)
        self.clock = Clock(self.shop)
        self.start = snapshot()

    def leave(self) -> None:
        """The database as it was before."""
        self.empty.restore()
        keyring.forget()
        self.sandbox.reset()

    def put_back(self, seed: int) -> None:
        self.start.restore()
        keyring.forget()
        self.sandbox.reset(seed or 1)
        self.sandbox.settings(limits_enabled=False, loop_enabled=False)
        for code in self.shop.accounts:
            # PSN:B2B is asked twice: five seconds after the order it has the money, after ten the codes.
            delay = 5 if code == "psnb2b" else 0
            self.sandbox.account(code, delivery_delay_seconds=delay, balance={"USD": MONEY})

    def child(self, do: Any, passed: float, seed: int) -> Ended:
        def work() -> Any:
            # A connection of the parent's must not be shared.
            self.sandbox.renew_control()
            with self.clock.running(passed):
                return do(Day(self.shop, self.clock, seed))

        return in_a_child(work)

    def trace(self, seed: int = 0) -> Counter[str]:
        """Every point that an uninterrupted day passes, with how often."""

        def live(day: Day) -> dict[str, int]:
            points = Points()
            with watched(points):
                day.live()
            return dict(points.passed)

        self.put_back(seed)
        ended = self.child(live, 0.0, seed)
        if ended.error:
            raise RuntimeError(ended.error)
        return Counter(ended.result)

    def run(self, point: str, visit: int = 1, seed: int = 0) -> Outcome:
        """Kill at the visit-th passing of a point, go on, and look at everything."""

        def live(day: Day) -> None:
            with watched(Points(point, visit)):
                day.live()

        self.put_back(seed)
        ended = self.child(live, 0.0, seed)
        wrong = [ended.error] if ended.error else self.recover(seed)
        return Outcome(point, visit, seed, ended.killed, wrong)

    def recover(self, seed: int) -> list[str]:
        after = self.child(lambda day: day.recover(), self.clock.passed + 1, seed)
        return [after.error] if after.error else list(after.result)

    def place_while_failing(self, code: str, way: str, number: int) -> tuple[int, str, list[str]]:
        """How many statements (or commits) the placing had, which failed, and what was wrong afterwards."""

        def place(day: Day) -> tuple[int, str, list[str]]:
            failure = Failure(way, number)
            wrong = day.place_while_failing(code, failure)
            return failure.count, failure.where, wrong

        self.put_back(0)
        ended = self.child(place, 0.0, 0)
        return (0, "", [ended.error]) if ended.error else tuple(ended.result)
