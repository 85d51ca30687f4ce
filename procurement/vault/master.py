"""The master key that wraps the sealing keys: in the environment, in a file, or kept by HashiCorp Vault, which wraps for us.

One text names any of the three: base64 of 32 bytes, `file:/path`, or the address of a transit key.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from django.conf import settings

from procurement.vault import primitives
from procurement.vault.primitives import KEY_BYTES, NONCE_BYTES
from procurement.vault.private import KeyUnavailable, private_text

FILE = "file:"


class MasterKey(Protocol):
    """What can wrap a sealing key so that only it can unwrap it, and only under the same fields."""

    def check_value(self) -> str:
        """Sixteen characters that name this master key without giving anything of it away."""

    def wrap(self, dek: bytes, fields: bytes) -> bytes:
        """`dek` wrapped; KeyUnavailable when that cannot be done."""

    def unwrap(self, wrapped: bytes, fields: bytes) -> bytes:
        """What was wrapped under `fields`; KeyUnavailable, or NotAuthentic when anything differs."""


@dataclass(frozen=True)
class LocalKey:
    """A master key in this process's memory, from the environment or a file."""

    key: bytes = field(repr=False)

    def check_value(self) -> str:
        return primitives.mac(b"kcv", key=primitives.derive(self.key, salt=b"", info=b"countersign/1/kcv")).hex()[:16]

    def wrap(self, dek: bytes, fields: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + primitives.encrypt(dek, key=self.key, nonce=nonce, aad=fields)

    def unwrap(self, wrapped: bytes, fields: bytes) -> bytes:
        return primitives.decrypt(wrapped[NONCE_BYTES:], key=self.key, nonce=wrapped[:NONCE_BYTES], aad=fields)


def master_key() -> MasterKey:
    """The master key that wraps new keys; KeyUnavailable without one."""
    text = str(settings.MASTER_KEY or (settings.MASTER_KEY_FILE and f"{FILE}{settings.MASTER_KEY_FILE}"))
    if not text:
        raise KeyUnavailable(
            "The master key is not set, so nothing can be sealed or opened. "
            "Set COUNTERSIGN_MASTER_KEY or COUNTERSIGN_MASTER_KEY_FILE."
        )
    return named(text)


def master_keys() -> Iterator[MasterKey]:
    """Those that open stored keys: the master key, and the other one while there are two."""
    yield master_key()
    if settings.MASTER_KEY_OTHER:
        yield named(settings.MASTER_KEY_OTHER)


def named(text: str) -> MasterKey:
    """The master key that a setting names; KeyUnavailable when it is none."""
    if text.startswith(("https://", "http://")):
        # Only an installation that uses the key service loads its client.
        from procurement.vault.transit import TransitKey  # noqa: PLC0415

        return TransitKey.at(text)
    if text.startswith(FILE):
        text = private_text(Path(text.removeprefix(FILE)), "The master key file", stat.S_IRWXG | stat.S_IRWXO)
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnavailable("The master key must be base64 of 32 bytes. Nothing was sealed or opened.")
    return LocalKey(key)
