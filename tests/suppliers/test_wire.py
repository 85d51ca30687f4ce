"""What a broken exchange proves, against a server that really breaks it."""

from __future__ import annotations

import gzip
import socket
import struct
import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.db import transaction

from procurement.suppliers.clients import client_for, http, transport
from procurement.suppliers.clients.http import Call
from procurement.suppliers.clients.problems import HttpInTransaction, NoAnswer
from procurement.suppliers.clients.types import NotPlaced, Placed, Unknown
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.vault import Secret
from tests.suppliers.conftest import KEYS, HostileServer, Script, make_account

pytestmark = pytest.mark.django_db
BODY = b'{"denomination":50,"quantity":2,"region":"US"}'
GZIPPED = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
HEAD = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
Behaviour = Callable[[socket.socket, HostileServer], None]


def answers(*parts: bytes, pause: float = 0.0) -> Behaviour:
    def behave(connection: socket.socket, server: HostileServer) -> None:
        server.read_request(connection)
        for part in parts:
            connection.sendall(part)
            time.sleep(pause)

    return behave


def closes_before_reading(connection: socket.socket, server: HostileServer) -> None:
    """Closes at once: to the client it looks the same as a close after reading."""


def resets_after_reading(connection: socket.socket, server: HostileServer) -> None:
    server.read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def silent(connection: socket.socket, server: HostileServer) -> None:
    server.read_request(connection)
    time.sleep(3)


def drips(connection: socket.socket, server: HostileServer) -> None:
    """One byte at a time, each sooner than the read timeout: only a deadline over all ends it."""
    server.read_request(connection)
    for byte in HEAD % (b"201 Created", 40) + b'{"id":"psb_1","status":"pending"}       ':
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def account_at(url: str, dialect: str = "psnb2b") -> SupplierAccount:
    return make_account(dialect, base_url=url)


@pytest.fixture
def short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "TIMEOUT", httpx.Timeout(connect=1, write=1, read=1, pool=1))
    monkeypatch.setattr(http, "TOTAL", 2.0)


ORDER = b'{"id":"psb_1","status":"pending"}'
UNPROVEN = {
    "closed before the request was read": (closes_before_reading, False),
    "reset after the request was read": (resets_after_reading, False),
    "closed after the request was read": (answers(), False),
    "silence": (silent, False),
    "garbage": (answers(b"\x00\x01 nonsense\r\n\r\n"), False),
    "half a status line": (answers(b"HTTP/1.1 20"), False),
    "endless headers": (answers(b"HTTP/1.1 201 Created\r\n" + b"X-A: " + b"a" * 300_000), False),
    "truncated body": (answers(HEAD % (b"201 Created", 500) + ORDER), True),
    "stalled body": (answers(HEAD % (b"201 Created", 500) + ORDER[:10], pause=3), True),
    "bad gzip": (
        answers(GZIPPED % (b"201 Created", 4) + b"rubb"),
        True,
    ),
    "empty 201": (answers(HEAD % (b"201 Created", 0)), True),
    "no content": (answers(b"HTTP/1.1 204 No Content\r\n\r\n"), True),
    "broken JSON": (answers(HEAD % (b"201 Created", 9) + b'{"id":"ps'), True),
    "no id": (answers(HEAD % (b"201 Created", 20) + b'{"status":"pending"}'), True),
    "HTML with 200": (answers(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>"), False),
    "server error": (answers(HEAD % (b"503 Busy", 2) + b"{}"), False),
    "redirect": (answers(b"HTTP/1.1 307 Go\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"), False),
    "too large": (answers(HEAD % (b"201 Created", 3_000_000) + b" " * 3_000_000), True),
}


@pytest.mark.requirement("R26", "R30", "R31", "R104")
@pytest.mark.parametrize("name", UNPROVEN)
def test_broken_exchange_is_unknown_and_never_failed(
    name: str, hostile: Callable[[Behaviour], HostileServer], short_times: None
) -> None:
    behave, has_yes = UNPROVEN[name]
    server = hostile(behave)
    account = account_at(server.url)
    verdict = client_for(account).place_order(BODY, ("attempt", "a-1"))
    assert isinstance(verdict, Unknown), verdict
    assert verdict.placed_no_id is has_yes
    assert "Do not place it again" in verdict.sentence
    exchange = Exchange.objects.get()
    assert (exchange.sent, exchange.subject_kind, exchange.subject_id) == (True, "attempt", "a-1")
    assert KEYS["psnb2b"] not in exchange.response_body + exchange.request_body
    assert len(server.seen) <= 1


def test_complete_answer_is_an_order(hostile: Callable[[Behaviour], HostileServer]) -> None:
    server = hostile(answers(HEAD % (b"201 Created", len(ORDER)) + ORDER))
    verdict = client_for(account_at(server.url)).place_order(BODY)
    assert isinstance(verdict, Placed)
    assert (verdict.remote_id, verdict.status) == ("psb_1", "processing")
    assert BODY in server.seen[0]
    assert f"Authorization: Bearer {KEYS['psnb2b']}".encode() in server.seen[0]
    assert b"Accept: application/json" in server.seen[0]


def test_gzip_answer_is_read(hostile: Callable[[Behaviour], HostileServer]) -> None:
    packed = gzip.compress(ORDER)
    server = hostile(answers(GZIPPED % (b"200 OK", len(packed)) + packed))
    assert isinstance(client_for(account_at(server.url)).place_order(BODY), Placed)


def test_gzip_bomb_is_not_unpacked(hostile: Callable[[Behaviour], HostileServer]) -> None:
    packed = gzip.compress(b" " * 50_000_000)
    server = hostile(answers(GZIPPED % (b"200 OK", len(packed)) + packed))
    with pytest.raises(NoAnswer):
        client_for(account_at(server.url)).read_balance()


def test_dripping_answer_ends_at_the_deadline(hostile: Callable[[Behaviour], HostileServer], short_times: None) -> None:
    server = hostile(drips)
    account = account_at(server.url)
    began = time.monotonic()
    verdict = client_for(account).place_order(BODY)
    assert time.monotonic() - began < 3
    assert isinstance(verdict, Unknown)


NOT_REACHED = {
    "refused": "http://127.0.0.1:1/v1",
    "no such host": "http://no-such-host.invalid/v1",
}


@pytest.mark.parametrize("name", NOT_REACHED)
def test_nothing_sent_is_not_placed(name: str) -> None:
    verdict = client_for(account_at(NOT_REACHED[name])).place_order(BODY)
    assert isinstance(verdict, NotPlaced)
    assert (verdict.reason_code, verdict.permanent) == ("not_sent", False)
    assert Exchange.objects.get().sent is False


def test_tls_that_never_completes_is_not_placed(
    hostile: Callable[[Behaviour], HostileServer], short_times: None
) -> None:
    server = hostile(lambda connection, server: time.sleep(3))
    verdict = client_for(account_at(server.url.replace("http:", "https:"))).place_order(BODY)
    assert isinstance(verdict, NotPlaced)
    assert verdict.reason_code == "not_sent"


def test_illegal_key_is_a_configuration_error_and_is_not_quoted(
    hostile: Callable[[Behaviour], HostileServer], caplog: pytest.LogCaptureFixture
) -> None:
    server = hostile(answers(HEAD % (b"201 Created", len(ORDER)) + ORDER))
    account = account_at(server.url)
    verdict = client_for(account, key=Secret("sk_live_TOPSECRET\n")).place_order(BODY)
    assert isinstance(verdict, NotPlaced)
    assert verdict.permanent
    assert server.seen == []
    assert "TOPSECRET" not in verdict.sentence + caplog.text + repr(Exchange.objects.values())


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1"])
def test_live_account_never_calls_into_our_own_network(
    address: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENVIRONMENT, settings.SUPPLIER_HOSTS = "live", ["api.example"]
    monkeypatch.setattr(
        transport.socket,
        "getaddrinfo",
        lambda *args, **kwargs: [(2, 1, 6, "", ("8.8.8.8", 443)), (2, 1, 6, "", (address, 443))],
    )
    account = make_account("psnb2b", environment="live", base_url="https://api.example/v1")
    verdict = client_for(account).place_order(BODY)
    assert isinstance(verdict, NotPlaced)
    assert verdict.reason_code == "not_sent"


@pytest.mark.requirement("R103")
@pytest.mark.parametrize(
    "address",
    [
        "https://other.example/v1",
        "https://api.example.other.example/v1",
        "https://api.example:8443/v1",
        "http://api.example/v1",
        "http://api.example:443/v1",
    ],
)
def test_live_account_calls_only_the_hosts_that_the_installation_lists(
    address: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ENVIRONMENT, settings.SUPPLIER_HOSTS = "live", ["api.example"]
    monkeypatch.setattr(transport.socket, "getaddrinfo", lambda *args, **kwargs: pytest.fail("it was looked up"))
    account = make_account("psnb2b", environment="live", base_url="https://api.example/v1")
    SupplierAccount.objects.update(base_url=address)  # as if it had been stored before the list was shortened
    account.base_url = address
    reply = http.send(account, Call("x", "GET", "/orders"), key=Secret("k" * 8), request_id=uuid.uuid4())
    assert (reply.sent, reply.error) == (False, "ConnectError")


def test_the_connection_goes_to_the_address_that_was_looked_at(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that resolves to something else a moment later gains nothing: it is resolved once."""
    settings.ENVIRONMENT, settings.SUPPLIER_HOSTS = "live", ["api.example"]
    looked_up: list[str] = []
    reached: list[str] = []

    def resolve(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        looked_up.append(host)
        return [(2, 1, 6, "", ("8.8.8.8", 443))]

    def connect(self: Any, host: str, *args: Any, **kwargs: Any) -> Any:
        reached.append(host)
        raise transport.httpcore.ConnectError

    monkeypatch.setattr(transport.socket, "getaddrinfo", resolve)
    monkeypatch.setattr(transport.httpcore.SyncBackend, "connect_tcp", connect)
    account = make_account("psnb2b", environment="live", base_url="https://api.example/v1")
    assert isinstance(client_for(account).place_order(BODY), NotPlaced)
    assert (looked_up, reached) == (["api.example"], ["8.8.8.8"])


def test_environment_proxies_are_not_used(
    hostile: Callable[[Behaviour], HostileServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = hostile(answers(HEAD % (b"201 Created", len(ORDER)) + ORDER))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    client_for(account_at("http://127.0.0.1:1/v1")).place_order(BODY)
    assert proxy.seen == []


class TestInsideTransactions:
    def test_call_inside_a_transaction_is_refused(self, psnb2b: SupplierAccount) -> None:
        script = Script((201, {"id": "psb_1", "status": "pending"}))
        client = client_for(psnb2b, script)
        for call in (client.read_balance, lambda: client.place_order(BODY)):
            with transaction.atomic(), pytest.raises(HttpInTransaction):
                call()
        assert script.requests == []
        assert not Exchange.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_refused_where_tests_commit_too(self) -> None:
        account = make_account("psnb2b")
        script = Script((201, {"id": "psb_1", "status": "pending"}))
        with transaction.atomic(), pytest.raises(HttpInTransaction):
            client_for(account, script).place_order(BODY)
        assert script.requests == []
        assert isinstance(client_for(account, script).place_order(BODY), Placed)

    def test_durable_block_is_refused(self, psnb2b: SupplierAccount) -> None:
        with transaction.atomic(durable=True), pytest.raises(HttpInTransaction):
            http.refuse_inside_transaction()


def test_interrupted_call_leaves_its_row(psnb2b: SupplierAccount) -> None:
    """A process that is stopped while it waits leaves evidence that something may have been sent."""

    def stop(request: httpx.Request) -> httpx.Response:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client_for(psnb2b, httpx.MockTransport(stop)).place_order(BODY, ("attempt", "a-1"))
    row = Exchange.objects.get()
    assert (row.outcome, row.sent, row.status) == ("under way", None, None)


def test_settings_hook_points_every_client_at_a_mock(psnb2b: SupplierAccount, settings: Any) -> None:
    script = Script((200, {"balance": "12.50", "currency": "USD", "tier": {"name": "T1", "discount_percent": "0"}}))
    settings.SUPPLIER_TRANSPORT = lambda account: script
    assert client_for(psnb2b).read_balance().balances[0].available == 1250


def test_call_names_are_paths_below_the_base_address(psnb2b: SupplierAccount) -> None:
    script = Script((200, {}))
    http.send(
        psnb2b,
        Call("x", "GET", "/orders", query={"a": "b c"}),
        key=Secret("k" * 8),
        request_id=uuid.uuid4(),
        transport=script,
    )
    assert str(script.requests[0].url) == "https://psnb2b.example/v1/orders?a=b+c"
