"""A master key that HashiCorp Vault keeps: its transit engine wraps and unwraps over HTTP, and the key never leaves it."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings

from procurement.vault.envelope import length_prefixed
from procurement.vault.private import KeyUnavailable, private_text

# Seconds to connect, and for each read and write.
CONNECT, ANSWER = 2.0, 5.0
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
PATH = re.compile(r"/(?:v1/)?(?P<mount>[\w-]+(?:/[\w-]+)*)/(?P<name>[\w-]+)")
TOKEN = re.compile(r"[\x21-\x7e]{8,512}")
NOTHING = "Nothing was sealed or opened"


@dataclass(frozen=True)
class TransitKey:
    """A key of the transit engine, of a type with associated data: aes256-gcm96, the engine's own choice, or chacha20-poly1305."""

    origin: str
    mount: str
    name: str

    @classmethod
    def at(cls, address: str) -> TransitKey:
        """The key at `https://host:8200/MOUNT/NAME`; KeyUnavailable for an address that is none, or that goes unencrypted."""
        parts = urlsplit(address)
        found = PATH.fullmatch(parts.path)
        if not found or not parts.hostname or parts.query or parts.username:
            raise KeyUnavailable(
                f"The key service's address must be https://host:8200/transit/NAME, which it is not. {NOTHING}."
            )
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise KeyUnavailable(f"The key service's address must begin with https. {NOTHING}.")
        return cls(f"{parts.scheme}://{parts.netloc}", found["mount"], found["name"])

    def check_value(self) -> str:
        """Names the key, not the host: the service may move."""
        return sha256(length_prefixed("countersign-transit-1", self.mount, self.name)).hexdigest()[:16]

    def wrap(self, dek: bytes, fields: bytes) -> bytes:
        wrapped = self._ask("encrypt", plaintext=_base64(dek), associated_data=_base64(fields)).get("ciphertext")
        if not isinstance(wrapped, str):
            raise KeyUnavailable(f"The key service's answer holds no wrapped key. {NOTHING}.")
        return wrapped.encode()

    def unwrap(self, wrapped: bytes, fields: bytes) -> bytes:
        answer = self._ask("decrypt", ciphertext=wrapped.decode(), associated_data=_base64(fields))
        try:
            return base64.b64decode(answer.get("plaintext"), validate=True)  # type: ignore[arg-type]
        except (TypeError, binascii.Error, ValueError):
            raise KeyUnavailable(f"The key service's answer holds no key. {NOTHING}.") from None

    def _ask(self, verb: str, **said: str) -> dict[str, Any]:
        """The `data` of the service's answer; KeyUnavailable with the reason for anything else. What it says is not repeated."""
        try:
            answer = httpx.post(
                f"{self.origin}/v1/{self.mount}/{verb}/{self.name}",
                json=said,
                headers={"X-Vault-Token": token(), "X-Vault-Request": "true"},
                timeout=httpx.Timeout(ANSWER, connect=CONNECT),
                trust_env=False,
                verify=ssl.create_default_context(),
            )
        except httpx.HTTPError as error:
            why = "did not answer in time" if isinstance(error, httpx.TimeoutException) else "cannot be reached"
            raise KeyUnavailable(f"The key service {why}. {NOTHING}; try again when it is back.") from None
        if answer.status_code != 200:
            raise KeyUnavailable(f"The key service {refusal(verb, answer.status_code)}")
        try:
            data = answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            data = None
        if not isinstance(data, dict):
            raise KeyUnavailable(f"The key service answered with something else than a key. {NOTHING}.")
        return data


def refusal(verb: str, status: int) -> str:
    """The rest of a sentence about an answer that is no success."""
    if status == 403:
        return f"refused our token: it ended, or may not {verb} with this key. {NOTHING}; renew the token."
    if status == 404:
        return f"knows no such key, or has no transit engine there. {NOTHING}; check the address."
    if status == 400 and verb == "decrypt":
        return f"did not unwrap a stored key: it was changed, or the service holds another key by this name. {NOTHING}."
    if status == 503:
        return f"is sealed or in maintenance. {NOTHING}; unseal it."
    return f"answered {status}. {NOTHING}; look at its log."


def token() -> str:
    """The token we show to the service, read anew each time, because an agent renews the file."""
    text = str(settings.TRANSIT_TOKEN)
    if not text and settings.TRANSIT_TOKEN_FILE:
        text = private_text(Path(settings.TRANSIT_TOKEN_FILE), "The key service's token file", stat.S_IRWXO)
    if not TOKEN.fullmatch(text):
        raise KeyUnavailable(
            f"There is no token for the key service. {NOTHING}; "
            "set COUNTERSIGN_TRANSIT_TOKEN_FILE or COUNTERSIGN_TRANSIT_TOKEN."
        )
    return text


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
