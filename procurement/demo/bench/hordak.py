"""Posting beside django-hordak: `transfer_to` on the same server, in turn with the limit and with ours.

Hordak is no part of the project: it is installed into a folder that is gone after the run, with a database of its own. It
keeps no key for a retry, no running balance, no floor and no hash, and cannot be migrated on SQLite.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.db import connection

from ledger.verifying import verify
from procurement.demo.bench.ledger import (
    BOOKS,
    ROUNDS,
    URLCONF,
    Compared,
    Rate,
    bare,
    by_ledger,
    compared,
    prepare,
    run,
)
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.scratch import bench_settings, scratch_database

WRITER = Path(__file__).with_name("hordak_writer.py")
# Seconds until a writer has imported what it needs.
READY = 8
OURS, THEIRS = "ledger.services.post", "django-hordak transfer_to"
Command = Callable[..., list[str]]


def measure_beside(seconds: float) -> list[Compared]:
    """One and two writers on 100 accounts, ours and hordak's, each over the limit of its own round. PostgreSQL only."""
    if connection.vendor != "postgresql":
        raise BenchFailed("django-hordak cannot be migrated on SQLite; name a PostgreSQL server in DATABASE_URL.")
    found = []
    with bench_settings(URLCONF), scratch_database(), environment() as command:
        prepare()
        for writers in (1, 2):
            rounds = []
            for _ in range(ROUNDS):
                rates = {
                    name: run(step, writers, BOOKS, seconds) for name, step in (("limit", bare), (OURS, by_ledger))
                }
                rounds.append(rates | {THEIRS: written(command, writers, seconds)})
            found += [compared(name, writers, BOOKS, rounds) for name in (OURS, THEIRS)]
        if problems := verify().findings:
            raise BenchFailed(f"The books do not verify after the run: {problems[:1]}.")
    return found


@contextmanager
def environment() -> Iterator[Command]:
    """Hordak with its needs in a temporary folder, and a database for it; both gone afterwards."""
    name = f"countersign_bench_hordak_{os.getpid()}"
    with tempfile.TemporaryDirectory(prefix="countersign-hordak-") as folder:
        python = str(Path(folder) / "bin" / "python")
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        wanted = ["django-hordak==2.0.0", "psycopg[binary]", f"Django=={django.get_version()}"]
        installed = subprocess.run([python, "-m", "pip", "install", "-q", *wanted], capture_output=True, text=True)
        if installed.returncode:
            raise BenchFailed(f"django-hordak could not be installed: {installed.stderr.strip()[-200:]}")
        os.environ["HORDAK_DATABASE"] = name

        def command(what: str, *numbers: float) -> list[str]:
            # -P: the folder of the script has modules of the same names.
            return [python, "-P", str(WRITER), what, *map(str, numbers)]

        try:
            subprocess.run(command("prepare"), check=True)
            yield command
        finally:
            subprocess.run(command("drop"), check=True)
            del os.environ["HORDAK_DATABASE"]


def written(command: Command, writers: int, seconds: float) -> Rate:
    """Let so many processes transfer for so long."""
    begins = time.time() + READY
    children = [
        subprocess.Popen(command("write", begins, seconds, writer), stdout=subprocess.PIPE) for writer in range(writers)
    ]
    answers = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise BenchFailed("A writer of django-hordak failed.")
    took = sorted(second for answer in answers for second in json.loads(answer))
    return Rate(len(took) / seconds, took[int(len(took) * 0.99)] * 1000)
