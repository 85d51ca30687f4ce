"""Where the master key is kept: in the environment, in a file, or at a key service; and how it is exchanged."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError

from procurement import faultpoints
from procurement.vault import Context, KeyUnavailable, Purpose, SealBroken, keyring, open_sealed, seal, transit
from procurement.vault.models import CryptoKey

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R62")]
PLACE = Context("code", "sealed", "row-1")
TOKEN = "hvs.token-of-the-tests"
PURPOSES = [Purpose.CODE, Purpose.WEBHOOK, Purpose.BIDX, Purpose.AUDIT_MAC]


class KeyService(ThreadingHTTPServer):
    """The transit engine's encrypt and decrypt over real HTTP: one AES-256-GCM key, tokens, associated data, faults."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.versions = [AESGCM.generate_key(256)]
        self.oldest = 1
        self.calls: list[tuple[str, dict[str, str]]] = []
        # Status and raw body that are answered instead; seconds that pass before any answer.
        self.says: tuple[int, bytes] | None = None
        self.slow = 0.0

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Who does not wait for a slow answer hangs up; that is what is tested."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/transit/countersign"


class Answer(BaseHTTPRequestHandler):
    server: KeyService

    def do_POST(self) -> None:
        said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.calls.append((self.path, said))
        time.sleep(self.server.slow)
        status, body = self.server.says or self.answer(said)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def answer(self, said: dict[str, str]) -> tuple[int, bytes]:
        if self.headers["X-Vault-Token"] != TOKEN:
            return 403, b'{"errors": ["permission denied"]}'
        aad = base64.b64decode(said["associated_data"])
        if self.path == "/v1/transit/encrypt/countersign":
            nonce, version = os.urandom(12), len(self.server.versions)
            made = nonce + AESGCM(self.server.versions[-1]).encrypt(nonce, base64.b64decode(said["plaintext"]), aad)
            return self.data(ciphertext=f"vault:v{version}:{base64.b64encode(made).decode()}")
        if self.path == "/v1/transit/decrypt/countersign":
            _, of, text = said["ciphertext"].split(":")
            blob, number = base64.b64decode(text), int(of[1:])
            try:
                assert number >= self.server.oldest
                plain = AESGCM(self.server.versions[number - 1]).decrypt(blob[:12], blob[12:], aad)
            except (InvalidTag, AssertionError):
                return 400, b'{"errors": ["cipher: message authentication failed"]}'
            return self.data(plaintext=base64.b64encode(plain).decode())
        return 404, b'{"errors": []}'

    def data(self, **data: str) -> tuple[int, bytes]:
        return 200, json.dumps({"data": data, "warnings": None}).encode()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[KeyService]:
    with KeyService() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def fresh_memory() -> Iterator[None]:
    keyring.forget()
    yield
    keyring.forget()


@pytest.fixture
def local(settings: Any) -> str:
    return str(settings.MASTER_KEY)


@pytest.fixture
def at_service(service: KeyService, settings: Any, local: str) -> KeyService:
    settings.MASTER_KEY, settings.TRANSIT_TOKEN, settings.TRANSIT_TOKEN_FILE = service.address, TOKEN, ""
    return service


def opened(blob: bytes) -> str:
    """The value as a process sees it that has just started."""
    keyring.forget()
    return open_sealed(blob, purpose=Purpose.CODE, context=PLACE).expose()


def seal_all() -> bytes:
    for purpose in PURPOSES[1:]:
        keyring.active_key(purpose)
    return seal("TST0-AAAA-BBBB", purpose=Purpose.CODE, context=PLACE)


def moved_to(settings: Any, new: str) -> None:
    settings.MASTER_KEY, settings.MASTER_KEY_OTHER = new, settings.MASTER_KEY
    keyring.forget()


def rewrap(**options: Any) -> str:
    out = StringIO()
    call_command("rewrap_keys", stdout=out, **options)
    return out.getvalue()


def test_a_key_service_wraps_and_unwraps_and_the_key_stays_there(at_service: KeyService) -> None:
    blob = seal("TST0-AAAA-BBBB", purpose=Purpose.CODE, context=PLACE)

    row = CryptoKey.objects.get()
    assert bytes(row.wrapped_dek).startswith(b"vault:v1:")
    assert opened(blob) == "TST0-AAAA-BBBB"
    assert {path for path, _ in at_service.calls} == {
        "/v1/transit/encrypt/countersign",
        "/v1/transit/decrypt/countersign",
    }
    assert all(said["associated_data"] for _, said in at_service.calls)
    assert at_service.versions[0] not in bytes(row.wrapped_dek)


@pytest.mark.django_db(transaction=True)
def test_a_key_service_is_asked_once_for_each_key_not_for_each_code(at_service: KeyService) -> None:
    blob = seal("TST0-AAAA-BBBB", purpose=Purpose.CODE, context=PLACE)
    keyring.forget()
    at_service.calls.clear()

    for _ in range(5):
        open_sealed(blob, purpose=Purpose.CODE, context=PLACE)
        keyring.verify_master_key()

    assert len(at_service.calls) == 1


def test_a_key_row_moved_to_another_purpose_is_refused_by_the_service(at_service: KeyService) -> None:
    seal_all()
    one, other = CryptoKey.objects.get(purpose="code"), CryptoKey.objects.get(purpose="webhook")
    CryptoKey.objects.filter(pk=one.pk).update(wrapped_dek=bytes(other.wrapped_dek))
    keyring.forget()

    with pytest.raises(KeyUnavailable, match="it was changed, or the service holds another key"):
        keyring.active_key(Purpose.CODE)


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (403, b"{}", "refused our token: it ended"),
        (404, b"{}", "knows no such key"),
        (400, b"{}", "did not unwrap a stored key"),
        (503, b"{}", "is sealed or in maintenance"),
        (500, b"{}", "answered 500"),
        (302, b"{}", "answered 302"),
        (200, b"<html>", "answered with something else"),
        (200, b'{"data": {}}', "answer holds no key"),
        (200, b'{"data": {"plaintext": "%%"}}', "answer holds no key"),
        (200, b'[{"data": 1}]', "answered with something else"),
    ],
)
def test_every_failure_of_the_key_service_is_a_sentence_and_opens_nothing(
    at_service: KeyService, status: int, body: bytes, sentence: str
) -> None:
    blob = seal("TST0-AAAA-BBBB", purpose=Purpose.CODE, context=PLACE)
    at_service.says = (status, body)

    with pytest.raises(KeyUnavailable, match=sentence) as caught:
        opened(blob)

    assert "Nothing was sealed or opened" in caught.value.sentence
    assert TOKEN not in caught.value.sentence
    with pytest.raises(SystemCheckError, match=r"vault\.E001"):
        call_command("check", databases=["default"])
    at_service.says = None
    assert opened(blob) == "TST0-AAAA-BBBB"


def test_a_key_service_that_refuses_makes_no_key(at_service: KeyService, settings: Any) -> None:
    settings.TRANSIT_TOKEN = "another-token"
    with pytest.raises(KeyUnavailable, match="refused our token"):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    assert not CryptoKey.objects.exists()


def test_a_key_service_that_hangs_or_is_away_is_not_waited_for(
    at_service: KeyService, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transit, "ANSWER", 0.2)
    at_service.slow = 0.6
    with pytest.raises(KeyUnavailable, match="did not answer in time"):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    settings.MASTER_KEY = "http://127.0.0.1:1/transit/countersign"
    with pytest.raises(KeyUnavailable, match="cannot be reached"):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    assert not CryptoKey.objects.exists()


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("http://vault.example.com:8200/transit/countersign", "must begin with https"),
        ("https://vault.example.com:8200/", "must be https://host:8200/transit/NAME"),
        ("https://someone@vault.example.com/transit/countersign", "must be https://host:8200/transit/NAME"),
        ("https://vault.example.com/transit/countersign?a=b", "must be https://host:8200/transit/NAME"),
    ],
)
def test_a_key_service_is_never_asked_in_clear_or_at_a_strange_address(
    settings: Any, address: str, sentence: str
) -> None:
    settings.MASTER_KEY, settings.TRANSIT_TOKEN = address, TOKEN
    with pytest.raises(KeyUnavailable, match=sentence):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    assert not CryptoKey.objects.exists()


def test_the_token_may_stand_in_a_file_that_not_everybody_reads(
    at_service: KeyService, settings: Any, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    settings.TRANSIT_TOKEN, settings.TRANSIT_TOKEN_FILE = "", str(file)
    file.chmod(0o644)
    with pytest.raises(KeyUnavailable, match="token file may be read by others"):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    file.chmod(0o640)
    assert opened(seal("a", purpose=Purpose.CODE, context=PLACE)) == "a"
    for wrong in ("", "two words here", "line\nbreak-in-it"):
        file.write_text(wrong)
        keyring.forget()
        with pytest.raises(KeyUnavailable, match="There is no token for the key service"):
            keyring.verify_master_key()


def test_a_master_key_named_as_a_file_must_be_private_too(settings: Any, local: str, tmp_path: Path) -> None:
    file = tmp_path / "master.key"
    file.write_text(local)
    settings.MASTER_KEY = f"file:{file}"
    file.chmod(0o640)
    with pytest.raises(KeyUnavailable, match="read by others"):
        seal("a", purpose=Purpose.CODE, context=PLACE)
    file.chmod(0o600)
    assert opened(seal("a", purpose=Purpose.CODE, context=PLACE)) == "a"


@pytest.mark.requirement("R101")
def test_keys_move_from_one_master_key_to_the_key_service_and_back(
    service: KeyService, settings: Any, local: str
) -> None:
    settings.TRANSIT_TOKEN = TOKEN
    blob = seal_all()

    moved_to(settings, service.address)
    assert opened(blob) == "TST0-AAAA-BBBB"
    assert rewrap().startswith("4 keys were wrapped anew; the present master key wraps all of them.")
    settings.MASTER_KEY_OTHER = ""
    assert opened(blob) == "TST0-AAAA-BBBB"
    keyring.verify_master_key()

    moved_to(settings, local)
    assert rewrap().startswith("4 keys")
    settings.MASTER_KEY_OTHER = ""
    service.calls.clear()
    assert opened(blob) == "TST0-AAAA-BBBB"
    assert service.calls == []


def test_a_move_that_died_is_finished_by_the_next_run(
    settings: Any, local: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = seal_all()
    moved_to(settings, base64.b64encode(os.urandom(32)).decode())

    class Died(BaseException):
        pass

    def die(name: str) -> None:
        if name == "vault.key_rewrapped":
            raise Died

    monkeypatch.setattr(faultpoints, "hook", die)
    with pytest.raises(Died):
        keyring.rewrap()
    monkeypatch.setattr(faultpoints, "hook", None)
    assert keyring.wrapped_otherwise() == 3
    assert opened(blob) == "TST0-AAAA-BBBB"

    assert rewrap().startswith("3 keys were wrapped anew")
    assert rewrap().startswith("0 keys were wrapped anew")
    settings.MASTER_KEY_OTHER = ""
    assert opened(blob) == "TST0-AAAA-BBBB"


def test_a_move_without_the_other_master_key_changes_nothing(settings: Any) -> None:
    seal_all()
    before = list(CryptoKey.objects.order_by("pk").values_list("kcv", "wrapped_dek"))
    settings.MASTER_KEY = base64.b64encode(os.urandom(32)).decode()

    with pytest.raises(CommandError, match="not the one that the stored keys were wrapped with"):
        rewrap()

    assert list(CryptoKey.objects.order_by("pk").values_list("kcv", "wrapped_dek")) == before


def test_a_new_version_inside_the_key_service_is_taken_up_by_wrapping_again(at_service: KeyService) -> None:
    blob = seal_all()
    at_service.versions.append(AESGCM.generate_key(256))
    assert rewrap().startswith("0 keys")

    assert rewrap(again=True).startswith("4 keys were wrapped anew")

    at_service.oldest = 2
    assert opened(blob) == "TST0-AAAA-BBBB"
    assert all(bytes(row.wrapped_dek).startswith(b"vault:v2:") for row in CryptoKey.objects.all())


def test_a_changed_key_row_still_breaks_the_seal_and_not_the_master_key(local: str) -> None:
    blob = seal("a", purpose=Purpose.CODE, context=PLACE)
    row = CryptoKey.objects.get()
    CryptoKey.objects.update(wrapped_dek=bytes(row.wrapped_dek)[:-1] + b"\0\0")
    with pytest.raises(SealBroken, match="its key was changed"):
        opened(blob)
