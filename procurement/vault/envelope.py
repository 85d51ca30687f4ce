"""The one format of a sealed value: `'G' | fmt | alg | key id (u32) | nonce (12) | ciphertext | tag (16)`.

Pure functions over bytes; keys come from `keyring`. The first seven bytes and the whole context are authenticated, so a
sealed value opens only in the row, column and supplier it was sealed for.
"""

from __future__ import annotations

import os
import struct
from functools import lru_cache
from typing import NamedTuple

from procurement.errors import Unavailable
from procurement.vault import primitives
from procurement.vault.primitives import NONCE_BYTES, TAG_BYTES

HEADER, LENGTH = struct.Struct(">cBBI"), struct.Struct(">I")
MAGIC, FORMAT, AES_256_GCM = b"G", 1, 1
OVERHEAD = HEADER.size + NONCE_BYTES + TAG_BYTES
LARGEST = 8 * 1024 * 1024
CONTEXT_LABEL = "gc-aad-1"


class SealBroken(Unavailable):
    """A sealed value does not open: it was changed, moved from another record, or its key is gone."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"A sealed value could not be opened: {why}. Nothing was shown or changed. Tell an administrator."
        )


class Context(NamedTuple):
    """Where a sealed value lives. A value sealed for one context opens in no other: all fields are compared but the last.

    `period` is the month whose key seals it; which key that was stands in the sealed value, authenticated.
    """

    table: str
    column: str
    row: str
    supplier: str = ""
    order: str = ""
    period: str = ""

    def fields(self, purpose: str) -> tuple[str, ...]:
        return (CONTEXT_LABEL, purpose, self.table, self.column, self.row, self.supplier, self.order)

    def place(self, purpose: str) -> bytes:
        """The fields as they are authenticated."""
        return _place_of_all(purpose, self.table, self.column) + length_prefixed(self.row, self.supplier, self.order)


def length_prefixed(*fields: str | bytes) -> bytes:
    """Fields joined so that no two different lists give the same bytes."""
    parts = [field.encode() if isinstance(field, str) else field for field in fields]
    return b"".join([piece for part in parts for piece in (LENGTH.pack(len(part)), part)])


@lru_cache(maxsize=64)
def _place_of_all(purpose: str, table: str, column: str) -> bytes:
    """What the values of one column have in common: a rotation needs it for each of them."""
    return length_prefixed(CONTEXT_LABEL, purpose, table, column)


def encrypt(plain: bytes, *, key: bytes, key_id: int, fields: tuple[str, ...]) -> bytes:
    """Seal `plain` with a 32-byte key; raises ValueError when it is longer than 8 MiB."""
    return _encrypt(plain, key, key_id, length_prefixed(*fields))


def _encrypt(plain: bytes, key: bytes, key_id: int, place: bytes) -> bytes:
    if len(plain) > LARGEST:
        raise ValueError("The value is too large to be sealed.")
    header = HEADER.pack(MAGIC, FORMAT, AES_256_GCM, key_id)
    nonce = os.urandom(NONCE_BYTES)
    return header + nonce + primitives.encrypt(plain, key=key, nonce=nonce, aad=header + place)


def key_id_of(blob: bytes) -> int:
    """The id of the key that sealed `blob`; SealBroken for anything but this format."""
    if not OVERHEAD <= len(blob) <= LARGEST + OVERHEAD:
        raise SealBroken("it has the wrong length")
    magic, fmt, alg, key_id = HEADER.unpack_from(blob)
    if (magic, fmt, alg) != (MAGIC, FORMAT, AES_256_GCM):
        raise SealBroken("it is not in a known format")
    return int(key_id)


def decrypt(blob: bytes, *, key: bytes, fields: tuple[str, ...]) -> bytes:
    """Open `blob`; SealBroken when a bit of it, its header or its context differs."""
    key_id_of(blob)
    return _decrypt(blob, key, length_prefixed(*fields))


def _decrypt(blob: bytes, key: bytes, place: bytes) -> bytes:
    header, nonce = blob[: HEADER.size], blob[HEADER.size : HEADER.size + NONCE_BYTES]
    try:
        return primitives.decrypt(blob[HEADER.size + NONCE_BYTES :], key=key, nonce=nonce, aad=header + place)
    except primitives.NotAuthentic:
        raise SealBroken("it was changed, or belongs to another record") from None


def encrypt_anew(blob: bytes, *, old: bytes, key: bytes, key_id: int, place: bytes) -> bytes:
    """What `blob` (of this format) holds, sealed for the same place with another key, and opened once more to be sure."""
    plain = _decrypt(blob, old, place)
    anew = _encrypt(plain, key, key_id, place)
    if _decrypt(anew, key, place) != plain:
        raise SealBroken("what was sealed anew does not open")
    return anew
