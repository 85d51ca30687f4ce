"""Supplier accounts with keys, answers from a mock, and a server that misbehaves."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import create_account, set_api_key, set_webhook_secret

KEYS = {"alpha": "sk_alpha_CANARY_KEY_0001", "psnb2b": "sk_psnb2b_CANARY_KEY_0002"}
HOOK_SECRETS = {"alpha": "whsec_alpha_CANARY_0003", "psnb2b": "whsec_psnb2b_CANARY_0004"}
NO_LIMITS = {"limits": {name: {"calls": 0} for name in ("all", "orders", "polls")}}

Answer = tuple[int, Any] | httpx.Response | Exception


def make_account(dialect: str, **fields: Any) -> SupplierAccount:
    """A connected account with key and webhook secret; its limits are off unless `settings` are given."""
    details = {
        "code": dialect,
        "name": {"alpha": "Alpha PSN", "psnb2b": "PSN:B2B"}[dialect],
        "base_url": f"https://{dialect}.example/v1",
        "settlement_currency": "USD",
        "settings": NO_LIMITS,
        **fields,
    }
    account = create_account(by=None, dialect=dialect, **details)
    set_api_key(by=None, account=account, key=KEYS[dialect])
    set_webhook_secret(by=None, account=account, secret=HOOK_SECRETS[dialect])
    return account


@pytest.fixture
def alpha(db: None) -> SupplierAccount:
    return make_account("alpha")


@pytest.fixture
def psnb2b(db: None) -> SupplierAccount:
    return make_account("psnb2b")


class Script(httpx.MockTransport):
    """Answers one after the other (the last one for ever) and keeps what it was asked."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        super().__init__(self.answer)

    def answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return answer
        status, data = answer
        return httpx.Response(status, json=data)

    @property
    def sent(self) -> list[Any]:
        return [json.loads(request.content) if request.content else None for request in self.requests]


class HostileServer:
    """Accepts connections and does one thing with each; `seen` holds the bytes it read."""

    def __init__(self, behave: Callable[[socket.socket, HostileServer], None]) -> None:
        self.behave = behave
        self.seen: list[bytes] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/v1"
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with closing(connection):
                try:
                    self.behave(connection, self)
                except OSError:
                    continue

    def read_request(self, connection: socket.socket) -> bytes:
        """The whole request, headers and body."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536)
        head, _, body = data.partition(b"\r\n\r\n")
        sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
        while len(body) < int(sizes[0] if sizes else 0):
            body += connection.recv(65536)
        self.seen.append(head + b"\r\n\r\n" + body)
        return self.seen[-1]

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def hostile() -> Iterator[Callable[..., HostileServer]]:
    servers: list[HostileServer] = []

    def start(behave: Callable[[socket.socket, HostileServer], None]) -> HostileServer:
        servers.append(HostileServer(behave))
        return servers[-1]

    yield start
    for server in servers:
        server.close()
