"""Many workers at once in virtual time, on hosts whose clocks differ, over a network that delays both ways.

Each worker is a thread and one of them runs at a time, until time passes for it: a message is on the way, nothing is
due, or a statement outside a transaction takes its moment. Then whoever's moment comes next goes on. They share one
database connection, which is safe because time never passes inside a transaction.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any
from unittest.mock import patch

import httpx
from django.conf import settings
from django.db import connections
from django.utils import timezone

from procurement.suppliers import shared_clock
from procurement.work.runner import run_due
from procurement.work.schedule import run_periodic
from tests.simulation.simulation import LOCAL, Simulation
from tests.simulation.wire import Wire

# How far the clock of each host is off, in seconds; the database's own is right.
SKEWS = (0.0, 2.0, -2.0, 0.7)
# How often a statement outside a transaction lets others act first.
STATEMENT_PAUSES = 0.05
LOOKS_EVERY = 2.0


@dataclass
class Worker:
    """What one thread does, the clock error of its host in seconds, and the event by which it is given its turn."""

    work: Callable[[], None]
    skew: float
    turn: threading.Event = field(default_factory=threading.Event)


class Crew:
    """`hire` workers, then `run` until every one has returned. `now` is the true time, which no host need agree with."""

    def __init__(self, simulation: Simulation, *, slowest: float = 5.0) -> None:
        self.simulation, self.dice, self.now = simulation, simulation.dice, timezone.now()
        self.connection = connections["default"]
        self.wire = SlowNetwork(self, slowest)
        self.agenda: list[tuple[datetime, int, Worker]] = []
        self.numbers = count()
        self.running = Worker(lambda: None, 0.0)
        self.finished = threading.Event()
        self.failures: list[BaseException] = []

    def hire(self, work: Callable[[], None], skew: float = 0.0) -> None:
        self.wait(Worker(work, skew), 0.0)

    def hire_workers(self, number: int, *, until: Callable[[], bool]) -> None:
        """So many of the program's own workers, and one for periodic jobs and the suppliers' loop, `until()`."""

        def work() -> None:
            while not until():
                if not run_due(limit=1):
                    self.pass_time(LOOKS_EVERY)

        def sweep() -> None:
            while not until():
                run_periodic()
                # No webhook arrives, so every order is asked about until it is delivered.
                self.simulation.suppliers.request("POST", "/control/advance", {}, LOCAL, b'{"collect": true}')
                self.pass_time(LOOKS_EVERY)

        for place in range(number):
            self.hire(work, SKEWS[place % len(SKEWS)])
        self.hire(sweep)

    def run(self) -> None:
        """Let all work, each from the same moment on; the first exception of any ends it."""
        threads = [threading.Thread(target=self.live, args=(worker,), daemon=True) for *_, worker in self.agenda]
        self.connection.inc_thread_sharing()
        with (
            self.connection.execute_wrapper(self.statement),
            patch.object(settings, "SUPPLIER_TRANSPORT", lambda account: self.wire),
            patch.object(shared_clock, "now", self.shared_now),
        ):
            for thread in threads:
                thread.start()
            self.hand_over()
            self.finished.wait()
        self.connection.dec_thread_sharing()
        if self.failures:
            raise self.failures[0]
        for thread in threads:
            thread.join()

    def live(self, worker: Worker) -> None:
        worker.turn.wait()
        worker.turn.clear()
        connections["default"] = self.connection
        try:
            worker.work()
        except BaseException as failure:
            self.failures.append(failure)
            self.finished.set()
        else:
            self.hand_over()

    def wait(self, worker: Worker, seconds: float) -> None:
        heapq.heappush(self.agenda, (self.now + timedelta(seconds=seconds), next(self.numbers), worker))

    def hand_over(self) -> None:
        """Give the turn to whoever's moment is next; with nobody left it is over."""
        if not self.agenda:
            self.finished.set()
            return
        self.now, _, self.running = heapq.heappop(self.agenda)
        self.set_clock(self.running.skew)
        self.running.turn.set()

    def shared_now(self) -> datetime:
        """The database's clock."""
        return self.now

    def set_clock(self, skew: float) -> None:
        self.simulation.clock.move_to(self.now + timedelta(seconds=skew), tick=False)

    def pass_time(self, seconds: float) -> None:
        """The worker whose turn it is waits so long, and others act meanwhile."""
        worker = self.running
        assert not self.connection.in_atomic_block
        self.wait(worker, seconds)
        self.hand_over()
        worker.turn.wait()
        worker.turn.clear()

    def statement(self, execute: Callable[..., Any], *rest: Any) -> Any:
        """Outside a transaction others may act between two statements of one worker."""
        if not self.connection.in_atomic_block and self.dice.random() < STATEMENT_PAUSES:
            self.pass_time(self.dice.uniform(0, 0.01))
        return execute(*rest)

    @contextmanager
    def true_time(self) -> Iterator[None]:
        """At the supplier it is what it is, whatever the clock of the calling host says."""
        self.set_clock(0.0)
        yield
        self.set_clock(self.running.skew)


class SlowNetwork(Wire):
    """Each way takes a moment, one time in ten up to `slowest` seconds: what left first need not arrive first."""

    def __init__(self, crew: Crew, slowest: float) -> None:
        simulation = crew.simulation
        super().__init__(simulation.suppliers, simulation.dice, crew.pass_time, simulation.note)
        self.crew, self.slowest = crew, slowest
        self.hanging = ""

    def deliver(self, request: httpx.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes, str, float]:
        if self.hanging and self.hanging in request.url.path:
            # Taken by the socket, read by nobody: more than anybody waits.
            return 0, [], b"", "", float("inf")
        self.linger()
        with self.crew.true_time():
            found = super().deliver(request, body)
        self.linger()
        return found

    def linger(self) -> None:
        self.crew.pass_time(self.dice.uniform(0, self.slowest if self.dice.random() < 0.1 else self.slowest / 20))
