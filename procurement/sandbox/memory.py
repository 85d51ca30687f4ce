"""Rows that every request needs and few change, in memory: there is one server process. Writers call `forget`."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Q

from procurement.sandbox.models import Account, Fault, World

# Held while a request or the loop works on the database: a thread that waits here goes on at once, one that waits
# inside SQLite sleeps for milliseconds. Never held while the sandbox sleeps or sends.
turn = threading.RLock()
_lock = threading.Lock()
_kept: dict[str, Any] = {}
_generation = 0


def keep(name: str, load: Callable[[], Any]) -> Any:
    """The value in memory, or the loaded one; a value loaded while a writer changed something is not kept."""
    with _lock:
        if name in _kept:
            return _kept[name]
        generation = _generation
    value = load()
    with _lock:
        if generation == _generation:
            _kept[name] = value
    return value


def drop() -> None:
    global _generation
    with _lock:
        _generation += 1
        _kept.clear()


def forget() -> None:
    """Read everything anew from the database once the present transaction is committed."""
    transaction.on_commit(drop)


def world() -> World:
    found: World = keep("world", World.load)
    return found


def account(supplier: str) -> Account:
    """Shared by all threads: read it, never change it."""
    found: Account = keep(f"account {supplier}", lambda: Account.objects.get(pk=supplier))
    return found


def armed_faults(supplier: str) -> list[Fault]:
    live = Q(remaining__isnull=True) | Q(remaining__gt=0)
    found: list[Fault] = keep(f"faults {supplier}", lambda: list(Fault.objects.filter(live, supplier=supplier)))
    return found
