"""What a desk costs on which nobody does anything: processor seconds of a minute, and the queries of its sweeps."""

from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import time_machine
from django.utils import timezone

from procurement.celery import TICK_SECONDS
from procurement.demo.bench.desk import Desk, running_desk, wait_for
from procurement.demo.bench.measuring import BenchFailed, counted_queries
from procurement.demo.bench.report import facts_line, table
from procurement.work.models import DueWork
from procurement.work.schedule import tick

PARTS = ("web", "worker", "scheduler")


@dataclass(frozen=True)
class Idle:
    """Processor seconds by process in `minute` seconds; queries of a sweep that finds nothing, and of a minute of sweeps."""

    seconds: Mapping[str, float]
    minute: float
    sweep: int
    queries: int


def measure_idle(minute: float = 60.0) -> Idle:
    """Wait `minute` seconds beside a desk with two supplier accounts and no order; Linux only."""
    if not Path("/proc/self/stat").exists():
        raise BenchFailed("The processor time of other processes can be read on Linux only.")
    with running_desk() as desk:
        wait_for(lambda: not DueWork.objects.exists(), "The end of what is due at first")
        before = spent(desk)
        threading.Event().wait(minute)
        after = spent(desk)
        for part in PARTS:
            desk.signal(part, signal.SIGSTOP)
        seconds = {part: after[part] - before[part] for part in PARTS}
        return Idle(seconds, minute, *queries_of_sweeps())


def queries_of_sweeps() -> tuple[int, int]:
    """Queries of a sweep that finds nothing, and of a minute of sweeps with its periodic jobs and balance readings."""
    tick("bench")
    with counted_queries() as one:
        tick("bench")
    with time_machine.travel(timezone.now()) as clock, counted_queries() as minute:
        for _ in range(round(60 / TICK_SECONDS)):
            tick("bench")
            clock.shift(TICK_SECONDS)
    return len(one), len(minute)


def spent(desk: Desk) -> dict[str, float]:
    """Processor seconds so far of each process with its children."""
    by_session = seconds_by_session()
    return {part: by_session[desk.children[part].process.pid] for part in PARTS}


def seconds_by_session() -> dict[int, float]:
    """Processor seconds of all processes by session; each part of the desk has one of its own."""
    found: dict[int, float] = defaultdict(float)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            found[int(fields[3])] += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def as_markdown(found: Idle) -> str:
    rows = [[f"processor seconds, {part}", f"{found.seconds[part]:.2f}"] for part in PARTS]
    rows.append(["processor seconds, together", f"{sum(found.seconds.values()):.2f}"])
    rows.append(["queries of a sweep that finds nothing (every 2 s)", str(found.sweep)])
    rows.append(["queries of all sweeps with their jobs", str(found.queries)])
    facts = facts_line(f"{round(found.minute)} seconds of nobody doing anything", "python3 dev.py bench idle")
    head = [f"{found.minute:.0f} s, two supplier accounts", "found"]
    return "\n".join([facts, "", *table(head, rows, numbers_from=1)])
