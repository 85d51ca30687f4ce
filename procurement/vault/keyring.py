"""Where sealing keys come from: the master key, and the keys it unwraps, kept in memory."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import stat
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.errors import Refused, Unavailable
from procurement.vault import primitives
from procurement.vault.envelope import SealBroken, length_prefixed
from procurement.vault.primitives import KEY_BYTES, NONCE_BYTES
from procurement.vault.purposes import Purpose

if TYPE_CHECKING:
    from procurement.vault.models import CryptoKey

ACTIVE, DECRYPT_ONLY = "active", "decrypt_only"
# Seconds after which every process has noticed that another key seals.
TAKEN_UP_AFTER = 60.0


class KeyUnavailable(Unavailable):
    """The master key is missing, malformed, readable by others, or not the one that wrapped the stored keys."""


class _Ring:
    """Unwrapped keys of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_id: dict[int, bytes] = {}
        # The key that seals, and until when that is believed without asking.
        self.active: dict[str, tuple[int, float]] = {}
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


def check_value(key: bytes) -> str:
    """Sixteen hex digits that name a master key without giving anything of it away."""
    return primitives.mac(b"kcv", key=primitives.derive(key, salt=b"", info=b"countersign/1/kcv")).hex()[:16]


def _wrap_fields(row: CryptoKey) -> bytes:
    return length_prefixed("countersign-wrap-1", row.purpose, str(row.pk), str(row.version))


def _wrap(row: CryptoKey, dek: bytes) -> None:
    key, nonce = master_key(), os.urandom(NONCE_BYTES)
    row.kcv = check_value(key)
    row.wrapped_dek = nonce + primitives.encrypt(dek, key=key, nonce=nonce, aad=_wrap_fields(row))


def _unwrap(row: CryptoKey) -> bytes:
    key, wrapped = master_key(), bytes(row.wrapped_dek)
    if row.kcv != check_value(key):
        raise KeyUnavailable(
            "The master key is not the one that the stored keys were wrapped with. Nothing was sealed or opened."
        )
    try:
        nonce, ciphertext = wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:]
        return primitives.decrypt(ciphertext, key=key, nonce=nonce, aad=_wrap_fields(row))
    except primitives.NotAuthentic:
        raise SealBroken("its key was changed") from None


def _keys() -> type[CryptoKey]:
    return apps.get_model("vault", "CryptoKey")


def _remember(row: CryptoKey, dek: bytes) -> bytes:
    with _ring.lock:
        if row.pk not in _ring.uncommitted:
            _ring.by_id[row.pk] = dek
            if row.status == ACTIVE:
                _ring.active[row.purpose] = (row.pk, time.monotonic() + TAKEN_UP_AFTER)
    return dek


def _insert(purpose: Purpose, version: int) -> CryptoKey:
    """A new random key; not remembered before it is committed."""
    row = _keys()(id=secrets.randbelow(2**32 - 1) + 1, purpose=purpose.value, version=version)
    _wrap(row, secrets.token_bytes(KEY_BYTES))
    row.save(force_insert=True)
    with _ring.lock:
        _ring.uncommitted.add(row.pk)
    transaction.on_commit(lambda: _ring.uncommitted.discard(row.pk))
    return row


def _create(purpose: Purpose) -> None:
    """Make the first key of a purpose; harmless when another process was faster."""
    try:
        with transaction.atomic():
            _insert(purpose, 1)
    except IntegrityError:
        return


def verify_master_key() -> None:
    """KeyUnavailable when stored keys exist and the master key is not theirs; never makes a key (for start-up)."""
    for row in _keys().objects.order_by("pk"):
        _unwrap(row)


def _ensure_first(purpose: Purpose) -> CryptoKey:
    rows = _keys().objects.filter(purpose=purpose.value, status=ACTIVE)
    row = rows.first()
    for _ in range(3):
        if row is not None:
            return row
        _create(purpose)
        row = rows.first()
    raise KeyUnavailable("No sealing key could be made. Nothing was sealed; try again.")


def replace_key(purpose: Purpose) -> CryptoKey:
    """Make a new key the one that seals; the one before opens what it sealed. All processes seal with it after `TAKEN_UP_AFTER`."""
    try:
        with transaction.atomic():
            before = _ensure_first(purpose)
            _keys().objects.filter(pk=before.pk).update(status=DECRYPT_ONLY, retired_at=timezone.now())
            row = _insert(purpose, before.version + 1)
    except IntegrityError:
        raise Refused(f"Somebody else replaced the {purpose.value} key just now. Nothing was changed by you.") from None
    forget()
    return row


def active_key(purpose: Purpose) -> tuple[int, bytes]:
    """The key that seals new values of a purpose, as (id, 32 bytes); made at first use."""
    key_id, until = _ring.active.get(purpose.value, (0, 0.0))
    dek = _ring.by_id.get(key_id)
    if dek and time.monotonic() < until:
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
    info = f"countersign/1/{purpose.value}/{use}".encode()
    return primitives.derive(dek, salt=key_id.to_bytes(4, "big"), info=info)
