"""Sealing everything of a purpose anew with another key, while the desk goes on reading and writing.

The key that seals is replaced first; then every value that another key sealed is opened and sealed again, each written
only if it is still the one that was read. A run that dies is finished by the next one: a value under the new key is
never touched, and both keys open what they sealed all the while.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import BinaryField, Count
from django.db.models.functions import Substr
from django.utils import timezone

from procurement.errors import Refused
from procurement.faultpoints import faultpoint
from procurement.vault import keyring
from procurement.vault.columns import SEALED_COLUMNS, Held, SealedColumn, columns_of, id_text
from procurement.vault.envelope import SealBroken
from procurement.vault.models import CryptoKey
from procurement.vault.purposes import ACTIVE, Purpose
from procurement.vault.sealing import BatchKeys, seal_anew

BATCH = 1000
# A row by its key as SQL takes it, its value as it was read, and the same value sealed anew.
Change = tuple[Any, bytes, bytes]
# Where the key's id stands in a sealed value, counted from 1 as SQL does.
KEY_ID_AT, KEY_ID_BYTES = 4, 4


@dataclass
class Rotation:
    """What a run did: the keys that seal now, how many values it sealed anew, and those that do not open."""

    keys: list[str] = field(default_factory=list)
    sealed: int = 0
    broken: list[str] = field(default_factory=list)


def key_of_value(column: SealedColumn) -> Substr:
    """The four bytes of a value that name its key."""
    return Substr(column.column, KEY_ID_AT, KEY_ID_BYTES, output_field=BinaryField())


def under_other_keys(column: SealedColumn, ids: Collection[int]) -> Any:
    """Rows whose value none of these keys sealed."""
    names = [key_id.to_bytes(KEY_ID_BYTES, "big") for key_id in ids]
    return column.rows.alias(key_of_value=key_of_value(column)).exclude(key_of_value__in=names)


def left_over(purpose: Purpose) -> int:
    """How many values of the purpose are not under a key that seals: more than 0 while a rotation is unfinished."""
    ids = keyring.active_ids(purpose)
    return sum(under_other_keys(column, ids).count() for column in columns_of(purpose))


def values_by_key() -> Counter[int]:
    """How many values each key sealed, by its id; a query for each sealed column."""
    found: Counter[int] = Counter()
    for column in SEALED_COLUMNS:
        rows = column.rows.annotate(key_of_value=key_of_value(column)).values_list("key_of_value")
        for name, count in rows.annotate(values=Count("pk")).order_by():
            found[int.from_bytes(bytes(name), "big")] += count
    return found


def erase(ids: Collection[int]) -> int:
    """Blank every value that one of these keys sealed; how many there were. Whatever else their rows hold stays."""
    names = [key_id.to_bytes(KEY_ID_BYTES, "big") for key_id in ids]
    blanked = 0
    for column in SEALED_COLUMNS:
        theirs = column.rows.alias(key_of_value=key_of_value(column)).filter(key_of_value__in=names)
        blanked += theirs.update(**{column.column: b""})
    return blanked


def unnoticed(key: CryptoKey) -> None:
    """For who need not be told that a key came into use."""


def rotate(
    purpose: Purpose,
    *,
    progress: Callable[[int, int], object],
    wait: Callable[[float], object] | None,
    replaced: Callable[[CryptoKey], object] = unnoticed,
) -> Rotation:
    """Replace the key of a purpose, or finish the replacement that was begun, and seal everything anew with it.

    `progress(done, all)` is told after every batch; `wait(seconds)` passes the time in which other processes may still
    seal with the key before, None says that there are none; `replaced` is told each new key. Refused for a purpose that seals nothing.
    """
    if not columns_of(purpose):
        raise Refused(f"Nothing is sealed for “{purpose.value}”, so there is nothing to rotate. Nothing was changed.")
    # Another run may have replaced the key a moment ago.
    keyring.forget()
    left = left_over(purpose)
    if not left:
        keyring.replace_keys(purpose, replaced)
        faultpoint("vault.key_replaced")
        left = left_over(purpose)
    done = Rotation()
    while True:
        for column in columns_of(purpose):
            _rewrap(column, done, lambda: progress(done.sealed, left))
        keys = list(CryptoKey.objects.filter(purpose=purpose.value, status=ACTIVE).order_by("created_at"))
        done.keys = [str(key) for key in keys]
        taken_up = [key.created_at + timedelta(seconds=keyring.TAKEN_UP_AFTER) for key in keys]
        rest = max(taken_up, default=timezone.now()) - timezone.now()
        if wait is None or rest <= timedelta(0):
            return done
        wait(rest.total_seconds())


def _rewrap(column: SealedColumn, done: Rotation, progress: Callable[[], object]) -> None:
    model, last = apps.get_model(column.model), None
    while True:
        # Asked for each batch: a month that had no key gets its first one on the way.
        rows = under_other_keys(column, keyring.active_ids(column.purpose)).order_by("pk")
        batch = column.held(rows[:BATCH] if last is None else rows.filter(pk__gt=last)[:BATCH])
        if not batch:
            return
        keys = BatchKeys(column.purpose)
        changes = [change for row in batch if (change := _sealed_anew(column, row, keys, done))]
        done.sealed += write(model, column.column, changes)
        faultpoint("vault.batch_sealed")
        last = batch[-1].pk
        progress()


def _sealed_anew(column: SealedColumn, row: Held, keys: BatchKeys, done: Rotation) -> Change | None:
    """The change of one value; one that does not open is named and left."""
    try:
        return row.pk, row.sealed, seal_anew(row.sealed, keys=keys, context=row.context)
    except SealBroken as error:
        name = f"{column} of {id_text(row.pk)}: {error.sentence}"
        done.broken += [name] if name not in done.broken else []
        return None


def write(model: Any, column: str, changes: Sequence[Change], *, keep: str = "") -> int:
    """One statement for a batch: each value is written only if it is still the one that was read. How many were.

    With `keep` that column takes the value that was read.
    """
    if not changes:
        return 0
    database = connections[DEFAULT_DB_ALIAS]
    quote, key = database.ops.quote_name, model._meta.pk
    table, pk, changed = quote(model._meta.db_table), quote(key.column), quote(model._meta.get_field(column).column)
    kept = f", {quote(model._meta.get_field(keep).column)} = anew.was" if keep else ""
    values = ", ".join(["(%s, %s, %s)"] * len(changes))
    with database.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET {changed} = anew.becomes{kept} FROM "  # noqa: S608 - names of our own
            f"(WITH anew (pk, was, becomes) AS (VALUES {values}) SELECT * FROM anew) AS anew "
            f"WHERE {table}.{pk} = anew.pk AND {table}.{changed} = anew.was",
            [part for change in changes for part in change],
        )
        return int(cursor.rowcount)
