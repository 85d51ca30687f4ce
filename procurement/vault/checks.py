"""Start-up check: the master key is the one that the stored keys were wrapped with."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import DatabaseError

from procurement.errors import DomainError
from procurement.vault.keyring import verify_master_key


def check_master_key(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error when stored keys exist that this master key does not open; silent before the first migration."""
    if not databases:
        return []
    try:
        verify_master_key()
    except DatabaseError:
        return []
    except DomainError as error:
        return [Error(error.sentence, id="vault.E001")]
    return []


def stop_with_a_wrong_key() -> None:
    """End a process that is starting when its master key opens nothing: better none than one that fails at each code.

    A database that is away or empty is no reason: the process waits for it.
    """
    try:
        verify_master_key()
    except DatabaseError:
        return
    except DomainError as error:
        sys.exit(f"Not started: {error.sentence}")
