"""`python3 dev.py simulate`: seeded fault runs against both suppliers' own engines, and a replay of any one of them."""

from __future__ import annotations

import argparse
import base64
import logging
import multiprocessing
import os
import queue
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.simulation.outcome import Outcome

SUPPLIERS = ("alpha", "psnb2b")


def main(arguments: list[str]) -> int:
    asked = parse(arguments)
    rows, failed = [], 0
    for supplier in [asked.supplier] if asked.supplier else SUPPLIERS:
        row, wrong = run_all(asked, supplier)
        rows.append(row)
        failed += wrong
    print_table(rows)
    return 1 if failed else 0


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 dev.py simulate", description=__doc__)
    parser.add_argument("--supplier", choices=SUPPLIERS, help="one supplier; without it both, one after the other")
    parser.add_argument("--runs", type=int, default=100, help="how many histories for each supplier")
    parser.add_argument("--seed", type=int, default=1, help="the first history's seed; the next has the next number")
    parser.add_argument("--steps", type=int, default=20, help="actions in each history before everything heals")
    parser.add_argument("--jobs", type=int, default=0, help="processes; without it one for each processor")
    parser.add_argument("--check-every", type=int, default=5, help="actions between two checks of the invariants")
    parser.add_argument("--history", action="store_true", help="print every line of every history")
    return parser.parse_args(arguments)


def run_all(asked: argparse.Namespace, supplier: str) -> tuple[list[object], int]:
    """Every seed against one supplier, shared out to the jobs; its row of the table, and how many broke an invariant."""
    forks = multiprocessing.get_context("fork")
    done: multiprocessing.Queue[Outcome | None] = forks.Queue()
    jobs = [
        forks.Process(target=one_job, args=(asked, supplier, job, done), daemon=True) for job in range(jobs_of(asked))
    ]
    for job in jobs:
        job.start()
    sums = dict.fromkeys(("orders", "paid", "unknown", "resolved", "crashes"), 0)
    began, failed, violations = time.perf_counter(), 0, 0
    for number, outcome in enumerate(outcomes(done, jobs), 1):
        for name in sums:
            sums[name] += getattr(outcome, name)
        if asked.history:
            print("\n".join(outcome.history))
        if outcome.violations:
            failed += 1
            violations += len(outcome.violations)
            report(supplier, outcome.seed, outcome.violations, asked.steps)
        progress(supplier, number, asked.runs, failed, began)
    for job in jobs:
        job.join()  # it still removes its database
    seconds = f"{time.perf_counter() - began:.0f} s"
    return [supplier, asked.runs, *sums.values(), violations, seconds], failed


def jobs_of(asked: argparse.Namespace) -> int:
    """As many processes as asked for, or as there are processors; one where there is not work for more."""
    return max(1, min(asked.jobs or os.cpu_count() or 1, asked.runs // 5))


def outcomes(done: Any, jobs: list[Any]) -> Iterator[Outcome]:
    """What the jobs report, as it comes; SystemExit when one of them died."""
    running = len(jobs)
    while running:
        try:
            outcome = done.get(timeout=5)
        except queue.Empty:
            if any(job.exitcode for job in jobs):
                raise SystemExit("A job of the simulation failed; what it said stands above.") from None
            continue
        if outcome is None:
            running -= 1
        else:
            yield outcome


def one_job(asked: argparse.Namespace, supplier: str, job: int, done: Any) -> None:
    """Every so many-th seed, in a process and on a database of its own."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "procurement.settings"
    os.environ["COUNTERSIGN_MASTER_KEY"] = base64.b64encode(b"countersign-tests-master-key-32b").decode()
    os.environ["COUNTERSIGN_ENV"] = "sandbox"
    with tempfile.TemporaryDirectory(prefix="simulation-") as folder:
        os.environ["COUNTERSIGN_DATA_DIR"] = folder
        import django

        django.setup()
        logging.disable(logging.CRITICAL)
        with a_database(job):
            from tests.simulation.simulation import Simulation

            simulation = Simulation(supplier)
            for number in range(job, asked.runs, jobs_of(asked)):
                done.put(simulation.run(asked.seed + number, steps=asked.steps, check_every=asked.check_every))
            done.put(None)


@contextmanager
def a_database(job: int, *, in_memory: bool = True) -> Iterator[None]:
    """A test database in memory or in a file, or beside the one that DATABASE_URL names; gone afterwards."""
    from django.db import connection

    kept = connection.settings_dict["NAME"]
    postgresql = connection.vendor == "postgresql"
    if postgresql:
        connection.settings_dict["TEST"]["NAME"] = f"test_{kept}_simulation_{job}"
    elif in_memory:
        connection.settings_dict["TEST"]["NAME"] = None
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(kept, verbosity=0)


def report(supplier: str, seed: int, violations: list[str], steps: int) -> None:
    more = "" if steps == 20 else f" --steps {steps}"
    print(f"\n{supplier}, seed {seed}:", *violations, sep="\n  ")
    print(f"  Again: python3 dev.py simulate --supplier {supplier} --seed {seed} --runs 1{more} --history", flush=True)


def progress(supplier: str, done: int, runs: int, failed: int, began: float) -> None:
    if done % 25 == 0 or done == runs:
        seconds = time.perf_counter() - began
        words = f"{supplier}: {done} of {runs} runs, {failed} with violations, {seconds:.0f} s"
        print(words, file=sys.stderr, flush=True)


def print_table(rows: list[list[object]]) -> None:
    names = ("supplier", "runs", "orders", "paid there", "unconfirmed", "by verdict", "crashes", "violations", "time")
    print(" | ".join(names))
    for row in rows:
        print(" | ".join(str(value).rjust(len(name)) for value, name in zip(row, names, strict=True)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
