"""Bytes sealed with a passphrase, for somebody outside who has no key of ours; docs/delivery-file.md tells them the layout.

`CSDF` | version 1 | log2 N | r | p | salt (16) | nonce (12) | ciphertext and tag. The key is Scrypt over the passphrase in
UTF-8; the cipher AES-256-GCM with everything before the ciphertext as associated data.
"""

from __future__ import annotations

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from procurement.errors import Refused
from procurement.vault.secret import Secret

MAGIC, VERSION = b"CSDF", 1
# 128 MiB and about a third of a second for each guess. A file that asks for other work is refused: it could ask for any.
LOG_N, R, P = 17, 8, 1
HEAD = MAGIC + bytes((VERSION, LOG_N, R, P))
SALT, NONCE, TAG = 16, 12, 16


class NotOpened(Refused):
    """A file that its passphrase does not open."""


def key_from(passphrase: Secret, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, n=2**LOG_N, r=R, p=P).derive(passphrase.expose_bytes())


def seal_with_passphrase(plain: bytes, passphrase: Secret) -> bytes:
    """The whole file, with a salt and a nonce of its own."""
    salt, nonce = os.urandom(SALT), os.urandom(NONCE)
    head = HEAD + salt + nonce
    return head + AESGCM(key_from(passphrase, salt)).encrypt(nonce, plain, head)


def open_with_passphrase(blob: bytes, passphrase: Secret) -> bytes:
    """What was sealed. NotOpened for a wrong passphrase, a changed byte, or anything that is no such file."""
    start = len(HEAD) + SALT + NONCE
    if len(blob) < start + TAG or not blob.startswith(HEAD):
        raise NotOpened("This is no delivery file of version 1. Nothing was opened.")
    salt, nonce = blob[len(HEAD) : len(HEAD) + SALT], blob[len(HEAD) + SALT : start]
    try:
        return AESGCM(key_from(passphrase, salt)).decrypt(nonce, blob[start:], blob[:start])
    except InvalidTag:
        raise NotOpened("The passphrase is not the one, or the file was changed. Nothing was opened.") from None
