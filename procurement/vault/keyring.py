"""Where sealing keys come from: the master key, and the keys it unwraps, kept in memory."""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import secrets
import stat
import threading
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, transaction

from procurement.errors import Unavailable
from procurement.vault.envelope import NONCE_BYTES, SealBroken, length_prefixed
from procurement.vault.purposes import Purpose

if TYPE_CHECKING:
    from procurement.vault.models import CryptoKey

KEY_BYTES = 32


class KeyUnavailable(Unavailable):
    """The master key is missing, malformed, readable by others, or not the one that wrapped the stored keys."""


class _Ring:
    """Unwrapped keys of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_id: dict[int, bytes] = {}
        self.active: dict[str, int] = {}
        # A key whose transaction may still roll back is not remembered: what it sealed elsewhere would be lost.
        self.uncommitted: set[int] = set()


_ring = _Ring()


def forget() -> None:
    """Drop every key held in memory; the next use reads them again."""
    with _ring.lock:
        _ring.by_id.clear()
        _ring.active.clear()


def _key_text() -> str:
    if settings.MASTER_KEY:
        return str(settings.MASTER_KEY)
    if not settings.MASTER_KEY_FILE:
        raise KeyUnavailable(
            "The master key is not set, so nothing can be sealed or opened. "
            "Set COUNTERSIGN_MASTER_KEY or COUNTERSIGN_MASTER_KEY_FILE."
        )
    path = Path(settings.MASTER_KEY_FILE)
    try:
        mode = path.stat().st_mode
        if mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise KeyUnavailable(
                "The master key file may be read by others than its owner. It was not used; set its mode to 600."
            )
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise KeyUnavailable(
            "The master key file cannot be read. Nothing was sealed or opened; check its path and owner."
        ) from None


def master_key() -> bytes:
    """The 32 bytes that wrap every sealing key; KeyUnavailable when there are none."""
    try:
        key = base64.b64decode(_key_text(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyUnavailable("The master key must be base64 of 32 bytes. Nothing was sealed or opened.")
    return key


def derive(key: bytes, *, salt: bytes, info: str) -> bytes:
    """A working key by HKDF-SHA256, so that no key is used for two things."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=salt, info=info.encode()).derive(key)


def check_value(key: bytes) -> str:
    """Sixteen hex digits that name a master key without giving anything of it away."""
    return hmac.new(derive(key, salt=b"", info="countersign/1/kcv"), b"kcv", sha256).hexdigest()[:16]


def _wrap_fields(row: CryptoKey) -> bytes:
    return length_prefixed("countersign-wrap-1", row.purpose, str(row.pk), str(row.version))


def _wrap(row: CryptoKey, dek: bytes) -> None:
    key, nonce = master_key(), os.urandom(NONCE_BYTES)
    row.kcv = check_value(key)
    row.wrapped_dek = nonce + AESGCM(key).encrypt(nonce, dek, _wrap_fields(row))


def _unwrap(row: CryptoKey) -> bytes:
    key, wrapped = master_key(), bytes(row.wrapped_dek)
    if not hmac.compare_digest(row.kcv, check_value(key)):
        raise KeyUnavailable(
            "The master key is not the one that the stored keys were wrapped with. Nothing was sealed or opened."
        )
    try:
        return AESGCM(key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], _wrap_fields(row))
    except InvalidTag:
        raise SealBroken("its key was changed") from None


def _keys() -> type[CryptoKey]:
    return apps.get_model("vault", "CryptoKey")


def _remember(row: CryptoKey, dek: bytes) -> bytes:
    with _ring.lock:
        if row.pk not in _ring.uncommitted:
            _ring.by_id[row.pk] = dek
            if row.status == "active":
                _ring.active[row.purpose] = row.pk
    return dek


def _create(purpose: Purpose) -> None:
    """Make the first key of a purpose; harmless when another process was faster."""
    row = _keys()(id=secrets.randbelow(2**32 - 1) + 1, purpose=purpose.value, version=1)
    _wrap(row, secrets.token_bytes(KEY_BYTES))
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        return
    with _ring.lock:
        _ring.uncommitted.add(row.pk)
    transaction.on_commit(lambda: _ring.uncommitted.discard(row.pk))


def verify_master_key() -> None:
    """KeyUnavailable when stored keys exist and the master key is not theirs; never makes a key (for start-up)."""
    for row in _keys().objects.order_by("pk"):
        _unwrap(row)


def _ensure_first(purpose: Purpose) -> CryptoKey:
    rows = _keys().objects.filter(purpose=purpose.value, status="active")
    row = rows.first()
    for _ in range(3):
        if row is not None:
            return row
        _create(purpose)
        row = rows.first()
    raise KeyUnavailable("No sealing key could be made. Nothing was sealed; try again.")


def active_key(purpose: Purpose) -> tuple[int, bytes]:
    """The key that seals new values of a purpose, as (id, 32 bytes); made at first use."""
    key_id = _ring.active.get(purpose.value)
    dek = _ring.by_id.get(key_id) if key_id else None
    if key_id and dek:
        return key_id, dek
    row = _ensure_first(purpose)
    return row.pk, _remember(row, _unwrap(row))


def key_by_id(key_id: int, purpose: Purpose) -> bytes:
    """The key that a sealed value names; SealBroken when it is unknown, of another purpose, or destroyed."""
    dek = _ring.by_id.get(key_id)
    if dek:
        return dek
    row = _keys().objects.filter(pk=key_id, purpose=purpose.value).exclude(status="destroyed").first()
    if row is None:
        raise SealBroken("its key is not known")
    return _remember(row, _unwrap(row))


def working_key(dek: bytes, *, key_id: int, purpose: Purpose, use: str) -> bytes:
    return derive(dek, salt=key_id.to_bytes(4, "big"), info=f"countersign/1/{purpose.value}/{use}")
