"""Processes of their own for the tests of `procurement.work`: `python -m tests.work.child <scenario> <JSON>`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def start(scenario: str, log: Path, **options: Any) -> subprocess.Popen[bytes]:
    """Start a child on the test's own database; it writes one line to `log` for each thing it did."""
    given = {"database": str(connection.settings_dict["NAME"]), "log": str(log), **options}
    command = [sys.executable, "-m", "tests.work.child", scenario, json.dumps(given)]
    with log.with_suffix(".stderr").open("a") as errors:
        return subprocess.Popen(command, cwd=ROOT, stderr=errors)


def wait_until(happened: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def lines(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def main() -> None:
    scenario, given = sys.argv[1], json.loads(sys.argv[2])
    settings.DATABASES["default"]["NAME"] = given["database"]
    settings.WORK_LEASE_SECONDS = given.get("lease", 90)
    settings.BROKER_DIR = Path(given["broker"]) if "broker" in given else settings.BROKER_DIR
    django.setup()
    from django.core.management import call_command

    from procurement.celery import app
    from procurement.work import registry, runner, schedule

    def note(text: str) -> None:
        with Path(given["log"]).open("a") as log:
            log.write(f"{text}\n")

    def work(ref: str) -> None:
        note(ref)
        if given.get("hangs") and lines(Path(given["log"])).count(ref) == 1 and ref == given["hangs"]:
            threading.Event().wait()
        time.sleep(given.get("seconds", 0))
        note(f"finished {ref}")

    registry.handler("test.work")(work)
    if scenario == "drain":
        note(f"ready {os.getpid()}")
        wait_until(Path(given["go"]).exists)
        while runner.run_due(1000):
            pass
    elif scenario == "ticks":
        registry.JOBS.clear()
        registry.periodic("test.job", every=timedelta(days=1))(lambda: note("job ran"))
        note(f"ready {os.getpid()}")
        wait_until(Path(given["go"]).exists)
        for _ in range(20):
            schedule.tick(f"test {os.getpid()}")
    elif scenario == "loop":
        call_command("work")
    elif scenario == "worker":
        app.conf.task_default_queue = given["queue"]
        app.worker_main(["worker", "-P", "threads", "-c", "2", "--without-gossip", "--without-mingle"])


if __name__ == "__main__":
    main()
