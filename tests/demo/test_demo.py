"""The demo as a person runs it: one command starts everything, one key stops everything."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from procurement.demo import files
from tests.work.child import ROOT, wait_until

pytestmark = [pytest.mark.requirement("R51"), pytest.mark.xdist_group("demo"), pytest.mark.any_database]


class Run:
    """One `manage.py demo --empty` on a data folder and ports of its own."""

    def __init__(self, folder: Path, *options: str, port: int | None = None) -> None:
        self.folder, self.output = folder, folder.with_suffix(".out")
        self.port, self.sandbox_port = port or free_port(), free_port()
        ports = ["--port", str(self.port), "--sandbox-port", str(self.sandbox_port)]
        environment = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "BROKER_URL"}}
        with self.output.open("a") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", "--empty", *ports, *options],
                cwd=ROOT,
                env={**environment, "COUNTERSIGN_DATA_DIR": str(folder)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_until_ready(self) -> None:
        wait_until(lambda: "is ready" in self.said() or self.process.poll() is not None, seconds=150)
        assert "is ready" in self.said(), self.said()

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def pids(self) -> dict[int, str]:
        return processes_of(self.folder)


def processes_of(folder: Path) -> dict[int, str]:
    """Every process with this data folder in its environment, with its command line."""
    mark = f"COUNTERSIGN_DATA_DIR={folder}".encode()
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (path / "environ").read_bytes().split(b"\0"):
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    for pid in processes_of(tmp_path / "data"):
        os.kill(pid, signal.SIGKILL)


def test_one_command_starts_everything_and_ctrl_c_leaves_nothing(folder: Path) -> None:
    run = Run(folder)
    run.wait_until_ready()
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/sign-in/") as answer:
        assert answer.status == 200
    wait_until(lambda: any((folder / "broker" / "processed").iterdir()))

    assert run.stop() == 0
    assert run.pids() == {}
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.glob("*.key")} == {
        "master.key": 0o600,
        "secret.key": 0o600,
    }
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_second_run_keeps_the_data_and_a_reset_keeps_the_keys(folder: Path) -> None:
    files.make_folder(folder)
    key = (folder / "master.key").read_text()
    (folder / "countersign.sqlite3").touch()
    (folder / "broker" / "inbox").mkdir(parents=True)
    files.make_folder(folder)
    assert (folder / "countersign.sqlite3").exists()

    files.wipe_data(folder)
    assert {path.name for path in folder.iterdir()} == {"master.key", "secret.key"}
    assert (folder / "master.key").read_text() == key


def test_a_dying_part_stops_all_and_is_named(folder: Path) -> None:
    run = Run(folder)
    run.wait_until_ready()
    scheduler = next(pid for pid, command in run.pids().items() if " beat " in command)
    os.kill(scheduler, signal.SIGKILL)

    assert run.process.wait(30) == 1
    assert re.search(r"The scheduler ended \(exit code -9\), so the demo was stopped", run.said())
    assert "Traceback" not in run.said()
    assert run.pids() == {}


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_killed_demo_leaves_no_orphans(folder: Path) -> None:
    run = Run(folder)
    run.wait_until_ready()
    run.stop(signal.SIGKILL)

    wait_until(lambda: run.pids() == {})


def test_a_taken_port_is_one_sentence_and_nothing_starts(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        run = Run(folder, port=port)
        assert run.process.wait(30) == 1

    assert run.said().strip() == (
        f"CommandError: Port {port} is taken, so the demo was not started. "
        "Stop what uses it, or choose another with --port."
    )
    assert not folder.exists()


def test_a_second_demo_on_the_same_data_is_refused(folder: Path) -> None:
    with files.only_demo(folder):
        run = Run(folder)
        assert run.process.wait(30) == 1

    assert "The demo is running already" in run.said()
