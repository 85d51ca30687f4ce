"""The only calls to cryptographic primitives: AES-256-GCM, HMAC-SHA256, HKDF-SHA256. Published vectors are run against these."""

from __future__ import annotations

import hmac
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES, NONCE_BYTES, TAG_BYTES = 32, 12, 16


# Making one takes longer than sealing a code. The vault forgets them with its keys.
cipher = lru_cache(maxsize=64)(AESGCM)


class NotAuthentic(Exception):
    """The key, nonce, associated data or one bit of the ciphertext is another."""


def encrypt(plain: bytes, *, key: bytes, nonce: bytes, aad: bytes) -> bytes:
    """Ciphertext and tag. ValueError for a key or nonce of another length: GCM takes more, this project does not."""
    _check_lengths(key, nonce)
    return cipher(key).encrypt(nonce, plain, aad)


def decrypt(ciphertext: bytes, *, key: bytes, nonce: bytes, aad: bytes) -> bytes:
    """The plaintext; NotAuthentic when anything differs, and for a tag of less than 16 bytes."""
    _check_lengths(key, nonce)
    try:
        return cipher(key).decrypt(nonce, ciphertext, aad)
    except InvalidTag:
        raise NotAuthentic from None


def mac(message: bytes, *, key: bytes) -> bytes:
    """HMAC-SHA256, all 32 bytes; compare with `same`."""
    return hmac.new(key, message, sha256).digest()


def same(one: bytes, other: bytes) -> bool:
    """Whether both are equal, in a time that does not say where they differ."""
    return hmac.compare_digest(one, other)


def derive(key: bytes, *, salt: bytes, info: bytes) -> bytes:
    """A working key by HKDF-SHA256, so that no key is used for two things."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info).derive(key)


def _check_lengths(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("A key has 32 bytes and a nonce 12.")
