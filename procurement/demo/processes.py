"""Child processes in sessions of their own that never outlive the demo."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 15.0
START_SECONDS = 30.0


@dataclass
class Child:
    """A running part of the demo and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def last_words(self, count: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])


def start(name: str, command: list[str], *, folder: Path, environment: Mapping[str, str]) -> Child:
    """Start `python <command>` with its output in logs/<name>.log."""
    log = folder / "logs" / f"{name.replace(' ', '-')}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=settings.ROOT,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent() if sys.platform == "linux" else None,
        )
    return Child(name, process, log)


def die_with_parent() -> Callable[[], None]:
    """What a new child does first on Linux: ask the kernel to end it with the demo, even by SIGKILL."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it died between the fork and the request
            os._exit(1)

    return ask


def watch(parent: int, children: list[int]) -> None:
    """Where the kernel has no such request: poll, and end the children once the demo's process is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    for pid in children:
        signal_group(pid, signal.SIGTERM)


def signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return


def stop(children: list[Child], seconds: float = STOP_SECONDS) -> None:
    """Ask all to finish, wait, then kill what is left, down to the last grandchild."""
    for child in children:
        if child.process.poll() is None:
            child.process.terminate()
    deadline = time.monotonic() + seconds
    for child in children:
        try:
            child.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
    for child in children:
        signal_group(child.process.pid, signal.SIGKILL)


def check_free(port: int, option: str) -> None:
    """Refuse a port that another program serves: its answers would be taken for ours."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            advice = f"Stop what uses it, or choose another with {option}."
            raise CommandError(f"Port {port} is taken, so the demo was not started. {advice}") from None


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
