"""`python3 dev.py faults`: kill a worker at every point of a small day, let another go on, and check what must hold."""

from __future__ import annotations

import argparse
import base64
import logging
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.faults.running import Outcome, Runner

KINDS = ("named", "commit", "statement")


def main(arguments: list[str]) -> int:
    asked = parse(arguments)
    if asked.jobs > 1:
        return side_by_side(arguments, asked.jobs)
    os.environ["DJANGO_SETTINGS_MODULE"] = "procurement.settings"
    os.environ["COUNTERSIGN_MASTER_KEY"] = base64.b64encode(b"countersign-tests-master-key-32b").decode()
    os.environ["COUNTERSIGN_ENV"] = "sandbox"
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        os.environ["COUNTERSIGN_DATA_DIR"] = folder
        import django

        django.setup()
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        with a_runner(Path(folder)) as runner:
            return work(asked, runner)


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 dev.py faults", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print every point and how often a day passes it")
    parser.add_argument("--points", default="*", metavar="PATTERN", help="points whose names fit, such as 'order.*'")
    parser.add_argument("--kind", choices=KINDS, action="append", help="named in the program, commit or statement")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds; 0 is a day without the suppliers' moods")
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--point", help="one point, by its name")
    parser.add_argument("--visit", type=int, default=0, help="which passing of it; without it the seed chooses")
    parser.add_argument("--statements", action="store_true", help="instead, fail each statement and COMMIT of placing")
    parser.add_argument("--jobs", type=int, default=1, help="so many processes, each with a database and a sandbox")
    parser.add_argument("--share", default="0/1", help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def side_by_side(arguments: list[str], jobs: int) -> int:
    """The same in several processes, each with its share; their lines as they come."""
    command = [sys.executable, "-m", "tests.faults", *arguments, "--jobs", "1"]
    running = [subprocess.Popen([*command, "--share", f"{job}/{jobs}"]) for job in range(jobs)]
    return max([process.wait() for process in running])


@contextmanager
def a_runner(folder: Path) -> Iterator[Runner]:
    """A sandbox process, and a test database of its own; both gone afterwards."""
    from django.db import connection

    from procurement.work import services
    from tests.emptying import quick_emptying, wait_for_no_disk
    from tests.faults.running import Runner
    from tests.fixtures_sandbox import SandboxServer

    services.ring = lambda: None
    kept = connection.settings_dict["NAME"]
    postgresql = connection.vendor == "postgresql"
    connection.settings_dict["TEST"]["NAME"] = f"test_faults_{os.getpid()}" if postgresql else str(folder / "test.db")
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    wait_for_no_disk()
    sandbox = SandboxServer()
    try:
        with quick_emptying():
            yield Runner(sandbox)
    finally:
        sandbox.close()
        connection.creation.destroy_test_db(kept, verbosity=0)


def work(asked: argparse.Namespace, runner: Runner) -> int:
    if asked.statements:
        return fail_statements(runner)
    if asked.point and asked.visit:
        return report([runner.run(asked.point, asked.visit, asked.seed)], 1)
    share, shares = map(int, asked.share.split("/"))
    points = chosen(asked, runner.trace())
    if asked.list:
        print("\n".join(f"{times:4} {point}" for point, times in sorted(points.items())))
        return 0
    outcomes = []
    began, mine = time.perf_counter(), sorted(points)[share::shares]
    for seed in range(asked.seed, asked.seed + asked.seeds):
        for point in mine:
            # Each seed meets another passing of a point that is passed often.
            visit = asked.visit or 1 + (Random(f"{seed} {point}").randrange(points[point]) if seed else 0)
            outcomes.append(runner.run(point, visit, seed))
            if outcomes[-1].wrong:
                name(outcomes[-1])
        words = f"seed {seed}: {len(outcomes)} runs, {sum(bool(one.wrong) for one in outcomes)} with something wrong"
        print(f"{words}, {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    return report(outcomes, len(mine))


def chosen(asked: argparse.Namespace, passed: Counter[str]) -> Counter[str]:
    from tests.faults.killing import kind_of

    kinds = asked.kind or KINDS
    pattern = asked.point or asked.points
    fits = {point for point in passed if kind_of(point) in kinds and (point == pattern or fnmatch(point, pattern))}
    return Counter({point: passed[point] for point in fits})


def name(outcome: Outcome) -> None:
    print(f"\n{outcome.point}, visit {outcome.visit}, seed {outcome.seed}:", *outcome.wrong, sep="\n  ")
    print(f"  Again: {outcome.again}", flush=True)


def report(outcomes: list[Outcome], points: int) -> int:
    wrong = [outcome for outcome in outcomes if outcome.wrong]
    if len(outcomes) == 1 and wrong:
        name(outcomes[0])
    killed = sum(outcome.killed for outcome in outcomes)
    print(f"{points} points, {len(outcomes)} runs, {killed} killed at their point, {len(wrong)} with something wrong")
    return 1 if wrong or not outcomes else 0


def fail_statements(runner: Runner) -> int:
    from tests.faults.failing import WAYS

    bad = 0
    for code in ("alpha", "psnb2b"):
        for way in WAYS:
            count, _, _ = runner.place_while_failing(code, way, 0)
            for number in range(1, count + 1):
                _, where, wrong = runner.place_while_failing(code, way, number)
                bad += bool(wrong)
                if wrong:
                    print(f"\n{code}, {way} {number} ({where}):", *wrong, sep="\n  ", flush=True)
            print(f"{code}: {count} times {way}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
