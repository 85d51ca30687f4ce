"""The doorbell and the embedded broker: nothing is lost between processes, and a dead broker costs nobody anything."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kombu import Connection

from procurement.celery import app
from procurement.work import bell as doorbell
from procurement.work import broker
from procurement.work.bell import Bell
from procurement.work.models import DueWork
from procurement.work.runner import run_due
from procurement.work.services import make_due
from tests.work.child import ROOT, wait_until

PUT = """
import sys
from pathlib import Path
from kombu import Connection
from procurement.work import broker
broker.register()
connection = Connection("atomicfiles://", transport_options=broker.options(Path(sys.argv[1])))
queue = connection.SimpleQueue("test")
for number in range(125):
    queue.put(f"{sys.argv[2]}-{number}")
"""
TAKE = """
import sys
from pathlib import Path
from queue import Empty
from kombu import Connection
from procurement.work import broker
broker.register()
connection = Connection("atomicfiles://", transport_options=broker.options(Path(sys.argv[1])))
queue = connection.SimpleQueue("test")
try:
    while True:
        message = queue.get(timeout=3)
        print(message.payload, flush=True)
        message.ack()
except Empty:
    pass
"""


def script(text: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", text, *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_the_file_broker_loses_and_doubles_nothing_between_processes(tmp_path: Path) -> None:
    takers = [script(TAKE, str(tmp_path)) for _ in range(2)]
    putters = [script(PUT, str(tmp_path), str(number)) for number in range(4)]

    for putter in putters:
        assert putter.communicate(timeout=60) == ("", "")
    taken: list[str] = []
    for taker in takers:
        out, err = taker.communicate(timeout=60)
        assert err == ""
        taken += out.split()
    assert sorted(taken) == sorted(f"{putter}-{number}" for putter in range(4) for number in range(125))
    assert not list(tmp_path.rglob("*.draft"))


def test_the_brokers_folders_are_their_owners_alone(tmp_path: Path) -> None:
    broker.register()
    with Connection("atomicfiles://", transport_options=broker.options(tmp_path / "broker")) as connection:
        connection.SimpleQueue("test").put("a")

    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "broker").iterdir()} == {0o700}


def test_pruning_removes_old_files_and_leaves_fresh_ones(tmp_path: Path) -> None:
    for part in ("inbox", "processed", "control"):
        (tmp_path / part).mkdir()
    long_ago = time.time() - 7200
    old = [tmp_path / "inbox" / "1.test.msg", tmp_path / "processed" / "2.test.msg", tmp_path / "inbox" / "3.msg.draft"]
    fresh = [
        tmp_path / "inbox" / "4.test.msg",
        tmp_path / "processed" / "5.test.msg",
        tmp_path / "control" / "x.exchange",
    ]
    for path in old + fresh:
        path.touch()
    for path in [*old, tmp_path / "control" / "x.exchange"]:
        os.utime(path, (long_ago, long_ago))

    assert broker.prune(tmp_path) == 3
    assert [path.exists() for path in old + fresh] == [False] * 3 + [True] * 3


@pytest.fixture
def silent_broker(monkeypatch: pytest.MonkeyPatch) -> object:
    """A server that accepts a connection and never says a word."""
    server = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setitem(app.conf, "broker_write_url", f"amqp://guest@127.0.0.1:{server.getsockname()[1]}//")
    monkeypatch.setitem(app.conf, "broker_transport_options", {})
    yield server
    server.close()


def test_a_silent_broker_is_given_up_in_a_second(silent_broker: object, caplog: pytest.LogCaptureFixture) -> None:
    begun = time.monotonic()

    assert not Bell().attempt()
    assert time.monotonic() - begun < 2
    assert "due work starts with the next sweep" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_a_dead_broker_neither_slows_nor_fails_a_request_and_the_work_is_done(
    silent_broker: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell = Bell()
    monkeypatch.setattr("procurement.work.services.ring", bell.ring)
    seen: list[str] = []
    monkeypatch.setattr("procurement.work.runner.HANDLERS", {"test.work": seen.append})
    begun = time.monotonic()
    for number in range(20):
        make_due("test.work", str(number))

    assert time.monotonic() - begun < 1
    assert run_due() == 20
    assert len(seen) == 20
    assert not DueWork.objects.exists()


def test_rings_in_a_burst_become_few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    bell = Bell()
    sent: list[float] = []

    def send() -> None:
        time.sleep(0.05)
        sent.append(time.monotonic())

    monkeypatch.setattr(bell, "send", send)
    for _ in range(500):
        bell.ring()
    wait_until(lambda: sent and not bell.wanted.is_set() and time.monotonic() - sent[-1] > 0.2)

    assert 1 <= len(sent) <= 5


def test_a_ring_after_a_failure_waits_and_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doorbell, "PAUSE_AFTER_FAILURE_SECONDS", 0.05)
    bell = Bell()
    sent: list[bool] = []

    def send() -> None:
        sent.append(bool(sent))
        if len(sent) == 1:
            raise OSError("gone")

    monkeypatch.setattr(bell, "send", send)
    bell.ring()
    wait_until(lambda: sent)
    bell.ring()
    wait_until(lambda: len(sent) == 2)
