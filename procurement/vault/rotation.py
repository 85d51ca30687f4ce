"""Sealing everything of a purpose anew with another key, while the desk goes on reading and writing.

The key that seals is replaced first; then every value that another key sealed is opened and sealed again, each written
only if it is still the one that was read. A run that dies is finished by the next one: a value under the new key is
never touched, and both keys open what they sealed all the while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import BinaryField
from django.db.models.functions import Substr
from django.utils import timezone

from procurement.errors import Refused
from procurement.faultpoints import faultpoint
from procurement.vault import keyring
from procurement.vault.columns import SealedColumn, columns_of
from procurement.vault.envelope import SealBroken
from procurement.vault.models import CryptoKey
from procurement.vault.purposes import Purpose
from procurement.vault.sealing import open_sealed, seal

BATCH = 500
# Where the key's id stands in a sealed value, counted from 1 as SQL does.
KEY_ID_AT, KEY_ID_BYTES = 4, 4


@dataclass
class Rotation:
    """What a run did: how many values it sealed anew, and those that do not open."""

    key: str
    sealed: int = 0
    broken: list[str] = field(default_factory=list)


def under_other_keys(column: SealedColumn, key_id: int) -> Any:
    """Rows whose value another key sealed."""
    key = Substr(column.column, KEY_ID_AT, KEY_ID_BYTES, output_field=BinaryField())
    return column.rows.annotate(key_of_value=key).exclude(key_of_value=key_id.to_bytes(KEY_ID_BYTES, "big"))


def left_over(purpose: Purpose) -> int:
    """How many values of the purpose are not under the key that seals: more than 0 while a rotation is unfinished."""
    key_id, _ = keyring.active_key(purpose)
    return sum(under_other_keys(column, key_id).count() for column in columns_of(purpose))


def rotate(purpose: Purpose, *, progress: Callable[[int, int], object], wait: Callable[[float], object]) -> Rotation:
    """Replace the key of a purpose, or finish the replacement that was begun, and seal everything anew with it.

    `progress(done, all)` is told after every batch; `wait(seconds)` passes the time in which other processes may still
    seal with the key before. Refused for a purpose that seals nothing.
    """
    if not columns_of(purpose):
        raise Refused(f"Nothing is sealed for “{purpose.value}”, so there is nothing to rotate. Nothing was changed.")
    left = left_over(purpose)
    if not left:
        keyring.replace_key(purpose)
        faultpoint("vault.key_replaced")
        left = left_over(purpose)
    key_id, _ = keyring.active_key(purpose)
    key = CryptoKey.objects.get(pk=key_id)
    done = Rotation(str(key))
    while True:
        for column in columns_of(purpose):
            _rewrap(column, key_id, done, lambda: progress(done.sealed, left))
        rest = key.created_at + timedelta(seconds=keyring.TAKEN_UP_AFTER) - timezone.now()
        if rest <= timedelta(0):
            return done
        wait(rest.total_seconds())


def _rewrap(column: SealedColumn, key_id: int, done: Rotation, progress: Callable[[], object]) -> None:
    last = None
    while True:
        rows = under_other_keys(column, key_id).order_by("pk")
        batch = list(rows[:BATCH] if last is None else rows.filter(pk__gt=last)[:BATCH])
        if not batch:
            return
        with transaction.atomic():
            for row in batch:
                _rewrap_one(column, row, done)
        faultpoint("vault.batch_sealed")
        last = batch[-1].pk
        progress()


def _rewrap_one(column: SealedColumn, row: Any, done: Rotation) -> None:
    """Open, seal, open again to be sure, and write, if the value is still the one that was read."""
    before, context = bytes(getattr(row, column.column)), column.context(row)
    try:
        plain = open_sealed(before, purpose=column.purpose, context=context)
    except SealBroken as error:
        name = f"{column} of {row.pk}: {error.sentence}"
        done.broken += [name] if name not in done.broken else []
        return
    after = seal(plain, purpose=column.purpose, context=context)
    if open_sealed(after, purpose=column.purpose, context=context) != plain:
        raise SealBroken("what was sealed anew does not open")
    changed = column.rows.filter(pk=row.pk, **{column.column: before}).update(**{column.column: after})
    done.sealed += changed
