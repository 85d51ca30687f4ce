"""Due work with real processes: several workers, a killed one, two schedulers, a real Celery worker."""

from __future__ import annotations

import signal
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from procurement.celery import app
from procurement.work.models import DueWork, PeriodicSlot
from procurement.work.services import make_due
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


def test_a_ring_wakes_a_celery_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """On the broker in use: the file broker, or the server named by BROKER_URL. No sweep runs here."""
    from procurement.work.bell import Bell

    queue = f"countersign-test-{uuid.uuid4().hex}"
    folder = tmp_path / "broker"
    if not settings.BROKER_URL:
        from procurement.work import broker

        monkeypatch.setitem(app.conf, "broker_transport_options", broker.options(folder))
    monkeypatch.setitem(app.conf, "task_default_queue", queue)
    make_due("test.work", "a")
    log = tmp_path / "log"
    worker = start("worker", log, queue=queue, broker=str(folder))
    bell = Bell()
    try:
        assert bell.attempt()
        wait_until(lambda: lines(log) == ["a", "finished a"])
        wait_until(lambda: not DueWork.objects.exists())
    finally:
        worker.terminate()
        returned = worker.wait(20)
        assert bell.connection is not None
        with bell.connection.channel() as channel:
            channel.queue_delete(queue)
        bell.connection.close()
    assert returned == 0
