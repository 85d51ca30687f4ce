"""Where sealing keys come from: the master key, and the keys it unwraps, kept in memory."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Max
from django.utils import timezone

from procurement.errors import Refused
from procurement.faultpoints import faultpoint
from procurement.vault import primitives
from procurement.vault.envelope import SealBroken, length_prefixed
from procurement.vault.master import MasterKey, master_key, master_keys
from procurement.vault.primitives import KEY_BYTES
from procurement.vault.private import KeyUnavailable
from procurement.vault.purposes import ACTIVE, BESIDE, DECRYPT_ONLY, DESTROYED, Purpose

if TYPE_CHECKING:
    from procurement.vault.models import CryptoKey

# Seconds after which every process has noticed that another key seals.
TAKEN_UP_AFTER = 60.0
# The advisory lock of PostgreSQL that index keys are held by; any number that nobody else uses.
INDEX_KEYS_LOCK = 0x0C0DE


@dataclass(frozen=True)
class _Held:
    """One unwrapped key, what it was unwrapped from, and until when it is believed to exist without asking."""

    dek: bytes = field(repr=False)
    wrapped: bytes
    until: float


@dataclass(frozen=True)
class IndexKey:
    """One of the keys that a fingerprint is made with, one after the other; `beside`: rows without the next one's are still there."""

    id: int
    dek: bytes = field(repr=False)
    beside: bool


class _Ring:
    """Unwrapped keys of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.by_id: dict[int, _Held] = {}
        # The key that seals for a purpose and month, and until when that is believed without asking.
        self.active: dict[tuple[str, str], tuple[int, float]] = {}
        # A key whose transaction may still roll back is not remembered: what it sealed elsewhere would be lost.
        self.uncommitted: set[int] = set()


_ring = _Ring()


def forget() -> None:
    """Drop every key held in memory; the next use reads them again."""
    with _ring.lock:
        _ring.by_id.clear()
        _ring.active.clear()
    working_key.cache_clear()
    primitives.cipher.cache_clear()


def _wrap_fields(row: CryptoKey) -> bytes:
    month = (row.period,) if row.period else ()
    return length_prefixed("countersign-wrap-1", row.purpose, str(row.pk), str(row.version), *month)


def _wrap(row: CryptoKey, dek: bytes) -> None:
    master = master_key()
    row.kcv, row.wrapped_dek = master.check_value(), master.wrap(dek, _wrap_fields(row))


def _master_of(row: CryptoKey) -> MasterKey:
    """The master key that wrapped a stored key; KeyUnavailable if it is none of ours."""
    for master in master_keys():
        if master.check_value() == row.kcv:
            return master
    raise KeyUnavailable(
        "The master key is not the one that the stored keys were wrapped with. Nothing was sealed or opened."
    )


def _unwrap(row: CryptoKey) -> bytes:
    try:
        return _master_of(row).unwrap(bytes(row.wrapped_dek), _wrap_fields(row))
    except primitives.NotAuthentic:
        raise SealBroken("its key was changed") from None


def _open(row: CryptoKey) -> bytes:
    """A stored key as this process may use it: unwrapped once, for the master key may be a service on another host."""
    held = _ring.by_id.get(row.pk)
    if held and held.wrapped == bytes(row.wrapped_dek):
        _master_of(row)
        return _remember(row, held.dek)
    return _remember(row, _unwrap(row))


def wrapped_otherwise() -> int:
    """How many stored keys another master key wrapped than the present one."""
    return _existing().exclude(kcv=master_key().check_value()).count()


def rewrap(*, again: bool = False) -> int:
    """Wrap every stored key that the master key before wrapped with the present one; how many there were.

    Each is unwrapped once more to be sure and written only if it is still the one that was read: a run that died is
    finished by the next. With `again` all are wrapped anew, for a new version of the same key at the key service.
    """
    present, done = master_key().check_value(), 0
    for row in _existing():
        if row.kcv == present and not again:
            continue
        before, dek = bytes(row.wrapped_dek), _unwrap(row)
        _wrap(row, dek)
        if _unwrap(row) != dek:
            raise KeyUnavailable("A key that was wrapped anew does not open. It was left as it was.")
        same = _keys().objects.filter(pk=row.pk, wrapped_dek=before)
        done += same.update(wrapped_dek=row.wrapped_dek, kcv=row.kcv)
        faultpoint("vault.key_rewrapped")
    return done


def _keys() -> type[CryptoKey]:
    return apps.get_model("vault", "CryptoKey")


def _existing() -> Any:
    return _keys().objects.exclude(status=DESTROYED).order_by("pk")


def _remember(row: CryptoKey, dek: bytes) -> bytes:
    with _ring.lock:
        if row.pk not in _ring.uncommitted:
            until = time.monotonic() + TAKEN_UP_AFTER
            _ring.by_id[row.pk] = _Held(dek, bytes(row.wrapped_dek), until)
            if row.status == ACTIVE:
                _ring.active[row.purpose, row.period] = (row.pk, until)
    return dek


def _insert(purpose: Purpose, period: str, version: int) -> CryptoKey:
    """A new random key; not remembered before it is committed."""
    row = _keys()(id=secrets.randbelow(2**32 - 1) + 1, purpose=purpose.value, period=period, version=version)
    _wrap(row, secrets.token_bytes(KEY_BYTES))
    row.save(force_insert=True)
    with _ring.lock:
        _ring.uncommitted.add(row.pk)
    transaction.on_commit(lambda: _ring.uncommitted.discard(row.pk))
    return row


def _create(purpose: Purpose, period: str) -> None:
    """Make the first key of a purpose and month; harmless when another process was faster."""
    before = _keys().objects.filter(purpose=purpose.value, period=period).aggregate(last=Max("version"))["last"] or 0
    try:
        with transaction.atomic():
            _insert(purpose, period, before + 1)
    except IntegrityError:
        return


def verify_master_key() -> None:
    """KeyUnavailable when stored keys exist and the master key is not theirs; never makes a key (for start-up)."""
    for row in _existing():
        _open(row)


def _ensure_first(purpose: Purpose, period: str = "") -> CryptoKey:
    rows = _keys().objects.filter(purpose=purpose.value, period=period, status=ACTIVE)
    row = rows.first()
    for _ in range(3):
        if row is not None:
            return row
        _create(purpose, period)
        row = rows.first()
    raise KeyUnavailable("No sealing key could be made. Nothing was sealed; try again.")


def active_ids(purpose: Purpose) -> list[int]:
    """The keys that seal for a purpose, one for each month that has any."""
    return list(_keys().objects.filter(purpose=purpose.value, status=ACTIVE).values_list("pk", flat=True))


def replace_keys(purpose: Purpose, replaced: Callable[[CryptoKey], object]) -> None:
    """Make new keys those that seal; the ones before open what they sealed. All processes seal with them after `TAKEN_UP_AFTER`.

    `replaced` is told each of them, in the transaction that makes it.
    """
    try:
        with transaction.atomic():
            for before in _keys().objects.filter(purpose=purpose.value, status=ACTIVE).order_by("pk"):
                _keys().objects.filter(pk=before.pk).update(status=DECRYPT_ONLY, retired_at=timezone.now())
                replaced(_insert(purpose, before.period, before.version + 1))
    except IntegrityError:
        raise Refused(f"Somebody else replaced the {purpose.value} key just now. Nothing was changed by you.") from None
    forget()


def index_keys() -> list[IndexKey]:
    """The keys of a fingerprint, oldest first; asked for each time. Inside a transaction they stay these until its end."""
    if connection.in_atomic_block:
        _hold_index_keys(alone=False)
    if not active_ids(Purpose.BIDX):
        _ensure_first(Purpose.BIDX)
    rows = _keys().objects.filter(purpose=Purpose.BIDX.value).order_by("version").values_list("pk", "status")
    return [IndexKey(pk, key_by_id(pk, Purpose.BIDX), status == BESIDE) for pk, status in rows]


def add_index_key(replaced: Callable[[CryptoKey], object], unfinished: Callable[[], bool]) -> None:
    """Let every fingerprint that is stored from now on be made with one more key, beside the one before.

    Nothing, while the replacement before is unfinished. `replaced` is told of the new key, in the same transaction.
    """
    with transaction.atomic():
        _hold_index_keys(alone=True)
        before = _ensure_first(Purpose.BIDX)
        if not (_replaced_index_key().exists() or unfinished()):
            _keys().objects.filter(pk=before.pk).update(status=BESIDE)
            replaced(_insert(Purpose.BIDX, "", before.version + 1))


def retire_index_key(lacking: Callable[[], bool]) -> bool:
    """Let no fingerprint be stored under the key before any more, unless some row is lacking the new one: then False."""
    with transaction.atomic():
        _hold_index_keys(alone=True)
        if _replaced_index_key().exists() and lacking():
            return False
        _replaced_index_key().update(status=DECRYPT_ONLY, retired_at=timezone.now())
    return True


def index_key_is_replaced() -> bool:
    """Whether two index keys are in use beside each other."""
    return bool(_replaced_index_key().exists())


def _replaced_index_key() -> Any:
    return _keys().objects.filter(purpose=Purpose.BIDX.value, status=BESIDE)


def _hold_index_keys(*, alone: bool) -> None:
    """Until the transaction ends nobody changes the index keys, and with `alone` nobody stores a fingerprint either.

    SQLite's writers are alone as it is. No constraint can do this: one row under the old key alone, stored by somebody
    who read the keys before the new one came, would be compared with no row that is under the new key alone.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            lock = "pg_advisory_xact_lock" if alone else "pg_advisory_xact_lock_shared"
            cursor.execute(f"SELECT {lock}(%s)", [INDEX_KEYS_LOCK])


def destroy(ids: Collection[int]) -> None:
    """Forget these keys for good: what they sealed opens nowhere, neither here nor in a backup that is read with these keys."""
    now = timezone.now()
    rows = _keys().objects.filter(pk__in=ids)
    rows.exclude(status=DESTROYED).update(status=DESTROYED, wrapped_dek=b"", destroyed_at=now)
    forget()
    # Somebody may have read them again before this is committed.
    transaction.on_commit(forget)


def active_key(purpose: Purpose, period: str = "") -> tuple[int, bytes]:
    """The key that seals new values of a purpose (and month), as (id, 32 bytes); made at first use."""
    key_id, until = _ring.active.get((purpose.value, period), (0, 0.0))
    held = _ring.by_id.get(key_id)
    if held and time.monotonic() < until:
        return key_id, held.dek
    row = _ensure_first(purpose, period)
    return row.pk, _open(row)


def key_by_id(key_id: int, purpose: Purpose) -> bytes:
    """The key that a sealed value names; SealBroken when it is unknown, of another purpose, or destroyed."""
    held = _ring.by_id.get(key_id)
    if held and time.monotonic() < held.until:
        return held.dek
    row = _keys().objects.filter(pk=key_id, purpose=purpose.value).first()
    if row is None or row.status == DESTROYED:
        forget()
        raise SealBroken("its key was destroyed" if row else "its key is not known")
    return _open(row)


@lru_cache(maxsize=256)
def working_key(dek: bytes, *, key_id: int, purpose: Purpose, use: str) -> bytes:
    info = f"countersign/1/{purpose.value}/{use}".encode()
    return primitives.derive(dek, salt=key_id.to_bytes(4, "big"), info=info)
