"""Both suppliers at the other end of a pipe, at the time of whoever asks."""

from __future__ import annotations

import atexit
import json
import pickle
import subprocess
import sys
import time
from typing import Any

from tests.fixtures_sandbox import ROOT

HOME = "http://suppliers.test"


class Suppliers:
    """The sandbox in a child process; every call carries our clock's time, so that both sides always agree on it."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.simulation.engine_room"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.receive() != "ready":
            raise RuntimeError("The suppliers did not start.")

    def receive(self) -> Any:
        assert self.process.stdout is not None
        return pickle.load(self.process.stdout)

    def ask(self, name: str, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        pickle.dump((name, time.time(), arguments), self.process.stdin)
        self.process.stdin.flush()
        return self.receive()

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)

    def request(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes, str, float]:
        found: tuple[int, list[tuple[str, str]], bytes, str, float] = self.ask(
            "request", method, path, query, headers, body
        )
        return found

    def control(self, method: str, path: str, data: dict[str, Any] | None = None, **query: str) -> dict[str, Any]:
        """One call to the sandbox's controls; RuntimeError with its sentence where it refuses."""
        body = b"" if data is None else json.dumps(data).encode()
        headers = {"Host": "localhost", "Content-Type": "application/json"}
        status, _, content, _, _ = self.request(method, f"/control/{path}", query, headers, body)
        if status != 200:
            raise RuntimeError(f"{method} {path}: {status} {content.decode()}")
        answer: dict[str, Any] = json.loads(content)
        return answer

    def orders(self) -> list[dict[str, Any]]:
        """Every order they accepted, oldest first."""
        found: list[dict[str, Any]] = self.control("GET", "orders")["orders"]
        return found

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.control("GET", "requests", last="5000")["requests"]
        return found

    def arm(self, supplier: str, kind: str, **params: Any) -> None:
        self.control("POST", "faults", {"supplier": supplier, "kind": kind, "count": 1, "params": params})

    def webhooks(self) -> list[dict[str, Any]]:
        """Orders brought up to now, and the webhooks that are due, handed over instead of sent."""
        found: list[dict[str, Any]] = self.control("POST", "advance", {"collect": True})["webhooks"]
        return found


_running: list[Suppliers] = []


def the_suppliers() -> Suppliers:
    """The child of this process, started when first needed."""
    if not _running:
        _running.append(Suppliers())
        atexit.register(_running[0].close)
    return _running[0]
