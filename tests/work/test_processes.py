"""Due work with real processes: several workers, a killed one, two schedulers, a real Celery worker."""

from __future__ import annotations

import signal
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from procurement.celery import HARD_LIMIT_SECONDS, app
from procurement.settings import database
from procurement.suppliers.clients import transport
from procurement.work import broker, runner
from procurement.work.bell import Bell
from procurement.work.models import DueWork, PeriodicSlot
from procurement.work.services import lease_seconds, make_due
from tests.work.child import lines, start, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("T7")]


@pytest.fixture(autouse=True)
def no_bell(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doorbell is lost in every one of these tests, unless they ring it themselves."""
    monkeypatch.setattr("procurement.work.services.ring", lambda: None)


def test_many_workers_run_each_row_once(tmp_path: Path) -> None:
    with transaction.atomic():
        for number in range(60):
            make_due("test.work", f"row-{number}")
    log, go = tmp_path / "log", tmp_path / "go"
    workers = [start("drain", log, go=str(go)) for _ in range(3)]
    wait_until(lambda: len(lines(log)) == 3)
    go.touch()

    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    ran = Counter(line for line in lines(log) if line.startswith("finished"))
    assert ran == {f"finished row-{number}": 1 for number in range(60)}
    assert not DueWork.objects.exists()


def test_a_killed_workers_row_is_run_by_another_after_the_lease(tmp_path: Path) -> None:
    make_due("test.work", "a")
    log = tmp_path / "log"
    victim = start("loop", log, seconds=60, lease=2)
    wait_until(lambda: lines(log) == ["a"])
    victim.kill()
    victim.wait(10)
    died_at = timezone.now()
    heir = start("loop", log, lease=2)

    try:
        wait_until(lambda: lines(log) == ["a", "a", "finished a"])
    finally:
        heir.terminate()
    assert heir.wait(10) == 0
    assert (timezone.now() - died_at).total_seconds() < 20
    assert not DueWork.objects.exists()


def test_sigterm_finishes_the_work_in_hand_and_begins_no_more(tmp_path: Path) -> None:
    make_due("test.work", "a")
    log = tmp_path / "log"
    worker = start("loop", log, seconds=1)
    wait_until(lambda: lines(log) == ["a"])
    make_due("test.work", "b")
    worker.send_signal(signal.SIGTERM)

    assert worker.wait(15) == 0
    assert lines(log) == ["a", "finished a"]
    assert [row.ref for row in DueWork.objects.all()] == ["b"]


def test_two_schedulers_run_a_periodic_job_once(tmp_path: Path) -> None:
    log, go = tmp_path / "log", tmp_path / "go"
    beats = [start("ticks", log, go=str(go)) for _ in range(2)]
    wait_until(lambda: len(lines(log)) == 2)
    go.touch()

    assert [beat.wait(60) for beat in beats] == [0, 0]
    assert lines(log).count("job ran") == 1
    assert PeriodicSlot.objects.filter(job="test.job").count() == 1


@dataclass
class Ringing:
    """A Celery worker of two threads on a queue of its own, and a bell beside it."""

    log: Path
    bell: Bell
    worker: subprocess.Popen[bytes]


@contextmanager
def a_celery_worker(folder: Path, patch: pytest.MonkeyPatch, settings: Any, **given: Any) -> Iterator[Ringing]:
    """On the broker in use: the file broker, or the server named by BROKER_URL. No sweep runs here."""
    queue, files, log = f"countersign-test-{uuid.uuid4().hex}", folder / "broker", folder / "log"
    if not settings.BROKER_URL:
        patch.setitem(app.conf, "broker_transport_options", broker.options(files))
    patch.setitem(app.conf, "task_default_queue", queue)
    bell = Bell()
    worker = start("worker", log, queue=queue, broker=str(files), **given)
    try:
        yield Ringing(log, bell, worker)
    finally:
        worker.kill()
        worker.wait(10)
        assert bell.connection is not None
        with bell.connection.channel() as channel:
            channel.queue_delete(queue)
        bell.connection.close()


def test_a_ring_wakes_a_celery_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    make_due("test.work", "a")
    with a_celery_worker(tmp_path, monkeypatch, settings) as one:
        assert one.bell.attempt()
        wait_until(lambda: lines(one.log) == ["a", "finished a"])
        wait_until(lambda: not DueWork.objects.exists())
        one.worker.terminate()
        assert one.worker.wait(20) == 0


@pytest.mark.requirement("T4")
def test_a_thread_that_hangs_holds_up_no_other_and_loses_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """No time limit ends a thread; the lease does not need one."""
    make_due("test.work", "stuck")
    with a_celery_worker(tmp_path, monkeypatch, settings, lease=3, hangs="stuck") as one:
        assert one.bell.attempt()
        wait_until(lambda: lines(one.log) == ["stuck"])
        make_due("test.work", "other")
        assert one.bell.attempt()
        wait_until(lambda: "finished other" in lines(one.log))
        assert "finished stuck" not in lines(one.log)

        wait_until(lambda: not DueWork.objects.filter(lease_until__gt=timezone.now()).exists())
        assert one.bell.attempt()
        wait_until(lambda: lines(one.log)[-2:] == ["stuck", "finished stuck"])
        wait_until(lambda: not DueWork.objects.exists())
        assert one.worker.poll() is None


def test_every_wait_of_a_thread_ends_before_its_lease() -> None:
    """One call to a supplier, begun as late as one may be, and a database that vanished."""
    lease = lease_seconds()
    options = database("postgresql://user@server/name", Path())["OPTIONS"]
    vanished = options["keepalives_idle"] + options["keepalives_interval"] * options["keepalives_count"]

    assert transport.TOTAL + runner.BUDGET_SECONDS < HARD_LIMIT_SECONDS < lease
    assert max(vanished, options["tcp_user_timeout"] / 1000) <= 30 < lease
    assert options["connect_timeout"] <= 5
