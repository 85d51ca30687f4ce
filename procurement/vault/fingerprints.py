"""The keyed fingerprint by which a code is found, and kept unique, without being opened (R61).

It is an HMAC under the first index key, and over that one under each index key after it: the index key is replaced
without a code being opened, and erased codes are taken along. While it is replaced a row bears its fingerprint under
the key before beside the new one, so that one UNIQUE compares all rows, made anew or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

from procurement.vault import keyring, primitives
from procurement.vault.envelope import length_prefixed
from procurement.vault.purposes import Purpose
from procurement.vault.sealing import normalise_code
from procurement.vault.secret import Secret


class Fingerprints(NamedTuple):
    """What a row of a code bears, by its columns; the second only while the index key is replaced."""

    fingerprint: bytes
    fingerprint_before: bytes | None = None

    @property
    def both(self) -> list[bytes]:
        """What the same code may stand under in `fingerprint`."""
        return [one for one in self if one is not None]


def fingerprints(codes: Iterable[str | Secret]) -> list[Fingerprints]:
    """32 bytes for each code that are equal exactly for equal codes, and cannot be computed without the keys.

    Whoever stores them asks in the same transaction: the keys do not change before it ends.
    """
    keys = keyring.index_keys()
    return [_fingerprints(code, keys) for code in codes]


def _fingerprints(code: str | Secret, keys: list[keyring.IndexKey]) -> Fingerprints:
    made, before = mac(length_prefixed("code", normalise_code(code)), keys[0]), None
    for earlier, key in pairwise(keys):
        made, before = made_anew(made, key), made if earlier.beside else None
    return Fingerprints(made, before)


def made_anew(fingerprint: bytes, key: keyring.IndexKey) -> bytes:
    """A fingerprint under the key after the one that made it."""
    return mac(length_prefixed("fingerprint", fingerprint), key)


def mac(message: bytes, key: keyring.IndexKey) -> bytes:
    working = keyring.working_key(key.dek, key_id=key.id, purpose=Purpose.BIDX, use="index")
    return primitives.mac(message, key=working)
