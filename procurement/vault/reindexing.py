"""Replacing the key of the fingerprints while codes come in and are searched for; no code is opened.

A new index key stands beside the one before; every row gets its fingerprint under it and keeps the one before in
`fingerprint_before`; when all have both, the one before is dropped. What a row bears says how far it is: a run that
died is finished by the next one, and no row is made anew twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps
from django.db import transaction

from procurement.faultpoints import faultpoint
from procurement.vault import keyring
from procurement.vault.columns import INDEXED_MODELS, as_the_driver_gives
from procurement.vault.fingerprints import made_anew
from procurement.vault.models import CryptoKey
from procurement.vault.purposes import ACTIVE, Purpose
from procurement.vault.rotation import BATCH, Rotation, unnoticed, write


def indexed() -> Iterator[type[Any]]:
    return (apps.get_model(name) for name in INDEXED_MODELS)


def rows_of(model: Any, *, replaced: bool) -> Any:
    """Rows that bear two fingerprints, or only one."""
    return model._base_manager.filter(fingerprint_before__isnull=not replaced)


def some_rows(*, replaced: bool) -> bool:
    return any(rows_of(model, replaced=replaced).exists() for model in indexed())


def rotate_fingerprints(
    *, progress: Callable[[int, int], object], replaced: Callable[[CryptoKey], object] = unnoticed
) -> Rotation:
    """Replace the index key, or finish the replacement that was begun; `progress(done, all)` is told after every batch.

    `replaced` is told the new key. Nobody need be waited for: who stores a code asks for the keys each time.
    """
    keyring.forget()
    done = Rotation()
    keyring.add_index_key(replaced, unfinished=lambda: some_rows(replaced=True))
    faultpoint("vault.index_key_added")
    left = sum(rows_of(model, replaced=False).count() for model in indexed())
    while keyring.index_key_is_replaced():
        for model in indexed():
            _in_batches(model, _make_anew, done, lambda: progress(done.sealed, left))
        if keyring.retire_index_key(lacking=lambda: some_rows(replaced=False)):
            faultpoint("vault.index_key_retired")
    for model in indexed():
        _in_batches(model, _drop_those_before)
    done.keys = [str(CryptoKey.objects.get(purpose=Purpose.BIDX.value, status=ACTIVE))]
    return done


def _make_anew(model: Any, after: Any, done: Rotation, progress: Callable[[], object]) -> Any:
    """One batch of rows gets its fingerprint under the new key; the last one's primary key, None when there are none."""
    keys = keyring.index_keys()
    if not any(key.beside for key in keys):
        return None
    batch = _next(rows_of(model, replaced=False), after, "fingerprint")
    changes = [(pk, bytes(before), made_anew(bytes(before), keys[-1])) for pk, before in batch]
    done.sealed += write(model, "fingerprint", changes, keep="fingerprint_before")
    progress()
    return batch[-1][0] if batch else None


def _drop_those_before(model: Any, after: Any) -> Any:
    """One batch of rows forgets its fingerprint under the key before; as above."""
    if any(key.beside for key in keyring.index_keys()):
        return None
    batch = _next(rows_of(model, replaced=True), after)
    rows_of(model, replaced=True).filter(pk__in=[pk for (pk,) in batch]).update(fingerprint_before=None)
    return batch[-1][0] if batch else None


def _next(rows: Any, after: Any, *columns: str) -> list[tuple[Any, ...]]:
    rows = rows if after is None else rows.filter(pk__gt=after)
    return as_the_driver_gives(rows.order_by("pk").values_list("pk", *columns)[:BATCH])


def _in_batches(model: Any, step: Callable[..., Any], *rest: Any) -> None:
    """Each in a transaction in which the keys stay as they are: another run may have gone on to what comes after."""
    last = None
    while True:
        with transaction.atomic():
            last = step(model, last, *rest)
        if last is None:
            return
        faultpoint(f"vault.{step.__name__.strip('_')}")
