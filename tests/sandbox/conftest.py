from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from tests.fixtures_sandbox import SandboxServer, sandbox_server

__all__ = ["sandbox_server"]

NOON = "2026-03-02T12:00:00Z"


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """The server with everything forgotten, its clock standing at noon of 2 March 2026."""
    sandbox_server.reset()
    sandbox_server.set_clock(frozen_at=NOON)
    return sandbox_server


@pytest.fixture
def alpha(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with sandbox.api("alpha") as client:
        yield client


@pytest.fixture
def psnb2b(sandbox: SandboxServer) -> Iterator[httpx.Client]:
    with sandbox.api("psnb2b") as client:
        yield client


class Receiver:
    """A receiver of webhooks that keeps what came and answers as told."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answer = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                self.send_response(receiver.answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *parts: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.received]

    def wait_for(self, count: int) -> list[dict[str, Any]]:
        """The bodies, once so many came; fails after 10 seconds."""
        for _ in range(200):
            if len(self.received) >= count:
                return self.bodies()
            time.sleep(0.05)
        raise AssertionError(f"{len(self.received)} of {count} webhooks came.")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def alpha_order(alpha: httpx.Client) -> Callable[..., httpx.Response]:
    """Post an order of two psn-us-50 at Alpha; members can be changed by name."""
    counter = iter(range(1, 1_000))

    def post(**changes: Any) -> httpx.Response:
        number = next(counter)
        body = {"product_id": "psn-us-50", "quantity": 2, "client_order_id": f"ORDER-{number}"}
        return alpha.post("orders", json=body | {"idempotency_key": f"key-{number}"} | changes)

    return post


@pytest.fixture
def psnb2b_order(psnb2b: httpx.Client) -> Callable[..., httpx.Response]:
    """Post an order of two US 50 at PSN:B2B; members can be changed by name."""

    def post(**changes: Any) -> httpx.Response:
        return psnb2b.post("orders", json={"region": "US", "denomination": 50, "quantity": 2} | changes)

    return post


@pytest.fixture
def later(sandbox: SandboxServer) -> Callable[[float], None]:
    """Move the standing clock to so many seconds past noon."""

    def move(seconds: float) -> None:
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(1_772_452_800 + seconds))
        sandbox.set_clock(frozen_at=moment)

    return move
