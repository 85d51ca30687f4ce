"""A server under TLS is who its certificate says; before that is known, nothing is told to it."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kombu import Connection

from procurement.celery import TLS
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import NotPlaced
from procurement.suppliers.models import Exchange
from procurement.work.bell import bounded_options
from tests.suppliers.test_wire import BODY, account_at

BRIEF = bounded_options()


def certificate(folder: Path, host: str) -> Path:
    """A certificate and its key in one file, signed by itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    # kombu calls this computer by its number.
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    names += [x509.IPAddress(ip_address("127.0.0.1"))] if host == "localhost" else []
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    file = folder / "server.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(serialization.Encoding.PEM, form, plain)
    )
    return file


class Server:
    """Takes connections under TLS; keeps the first bytes it is told, and how each handshake failed."""

    def __init__(self, file: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(file)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"localhost:{self.listening.getsockname()[1]}"
        self.told, self.failed = b"", [""]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                plain, _ = self.listening.accept()
            except OSError:
                return
            with plain:
                self.take(plain)

    def take(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            with self.context.wrap_socket(plain, server_side=True) as taken:
                self.told += taken.recv(100)
        except OSError as error:
            self.failed.append(str(error))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[list[Server]]:
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.listening.close()


@pytest.mark.parametrize("scheme", sorted(TLS))
@pytest.mark.parametrize(
    ("host", "trusted", "told"),
    [("localhost", True, True), ("localhost", False, False), ("other.example", True, False)],
)
def test_only_a_broker_with_a_trusted_certificate_of_its_host_is_told_anything(
    scheme: str,
    host: str,
    trusted: bool,
    told: bool,
    serve: list[Server],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = certificate(tmp_path, host)
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(file))
    server = Server(file)
    serve.append(server)

    with (
        suppress(Exception),
        Connection(
            f"{scheme}://desk:secret@{server.address}//", ssl=dict(TLS[scheme]), transport_options=BRIEF
        ) as broker,
    ):
        # No broker stands behind the certificate: it ends in an error in any case.
        broker.channel()
    server.listening.close()

    assert bool(server.told) is told
    assert told or "alert" in server.failed[1].lower()


@pytest.mark.django_db
def test_a_supplier_that_nobody_vouches_for_is_told_nothing_and_the_failure_is_kept(
    serve: list[Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = certificate(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))  # which counts for servers of ours only
    server = Server(file)
    serve.append(server)

    verdict = client_for(account_at(f"https://{server.address}")).place_order(BODY)

    assert isinstance(verdict, NotPlaced)
    assert server.told == b""
    exchange = Exchange.objects.get()
    assert (exchange.sent, exchange.error_class) == (False, "ConnectError")
