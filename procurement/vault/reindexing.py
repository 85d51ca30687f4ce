"""Replacing the key of the fingerprints while codes come in and are searched for; no code is opened.

A new index key stands beside the one before; every row gets its fingerprint under it and keeps the one before in
`fingerprint_before`; when all have both, the one before is dropped. What a row bears says how far it is: a run that
died is finished by the next one, and no row is made anew twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from django.apps import apps

from procurement.faultpoints import faultpoint
from procurement.vault import keyring
from procurement.vault.columns import INDEXED_MODELS, as_the_driver_gives
from procurement.vault.fingerprints import made_anew
from procurement.vault.models import CryptoKey
from procurement.vault.purposes import Purpose
from procurement.vault.rotation import BATCH, Rotation, unnoticed, write


def indexed() -> Iterator[type[Any]]:
    return (apps.get_model(name) for name in INDEXED_MODELS)


def rows_of(model: Any, *, replaced: bool) -> Any:
    """Rows that bear two fingerprints, or only one."""
    return model._base_manager.filter(fingerprint_before__isnull=not replaced)


def unfinished() -> bool:
    """Whether some row bears no fingerprint under the new key yet, while there is one."""
    return any(rows_of(model, replaced=False).exists() for model in indexed())


def rotate_fingerprints(
    *, progress: Callable[[int, int], object], replaced: Callable[[CryptoKey], object] = unnoticed
) -> Rotation:
    """Replace the index key, or finish the replacement that was begun; `progress(done, all)` is told after every batch.

    `replaced` is told the new key. Nobody need be waited for: who stores a code asks for the keys each time.
    """
    keyring.forget()
    done = Rotation()
    begun = any(rows_of(model, replaced=True).exists() for model in indexed())
    if not keyring.index_key_is_replaced() and not begun:
        keyring.add_index_key(replaced)
        faultpoint("vault.index_key_added")
    if keyring.index_key_is_replaced():
        left = sum(rows_of(model, replaced=False).count() for model in indexed())
        while True:
            for model in indexed():
                _make_anew(model, done, lambda: progress(done.sealed, left))
            if keyring.retire_index_key(unfinished):
                break
        faultpoint("vault.index_key_retired")
    for model in indexed():
        _drop_those_before(model)
    done.keys = [str(CryptoKey.objects.get(purpose=Purpose.BIDX.value, status=keyring.ACTIVE))]
    return done


def _batches(rows: Any) -> Iterator[list[tuple[Any, ...]]]:
    last = None
    while True:
        batch = as_the_driver_gives((rows if last is None else rows.filter(pk__gt=last)).order_by("pk")[:BATCH])
        if not batch:
            return
        yield batch
        last = batch[-1][0]


def _make_anew(model: Any, done: Rotation, progress: Callable[[], object]) -> None:
    key = keyring.index_keys()[-1]
    for batch in _batches(rows_of(model, replaced=False).values_list("pk", "fingerprint")):
        changes = [(pk, bytes(before), made_anew(bytes(before), key)) for pk, before in batch]
        done.sealed += write(model, "fingerprint", changes, keep="fingerprint_before")
        faultpoint("vault.batch_indexed")
        progress()


def _drop_those_before(model: Any) -> None:
    for batch in _batches(rows_of(model, replaced=True).values_list("pk")):
        rows_of(model, replaced=True).filter(pk__in=[pk for (pk,) in batch]).update(fingerprint_before=None)
        faultpoint("vault.batch_dropped")
