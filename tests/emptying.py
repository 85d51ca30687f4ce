"""What makes a database that tests commit to quick: emptied although append-only tables refuse it, and never on the disk."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase

from ledger import guards
from procurement.vault import keyring

# What migrations fill and no test changes; and what no deferred key lets go last.
STAYS = frozenset({"django_migrations", "django_content_type", "auth_permission"})
FIRST = "ledger_line"
EMPTIED = itertools.count(1)


@contextmanager
def quick_emptying() -> Iterator[None]:
    """While this lasts, a transactional test is followed by `empty` instead of Django's flush.

    The flush empties every table and fills content types again: 0.3 s on SQLite and 3 s on PostgreSQL, where TRUNCATE makes
    each table and index a new file. A test leaves rows in a few tables only.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda case: empty())
        yield


def wait_for_no_disk() -> None:
    """No commit waits for the disk: in tests processes are killed, never the machine."""
    connection_created.connect(_never_sync)
    if connection.vendor == "sqlite":
        _never_sync(connection=connection)
    else:
        with connection.cursor() as cursor:
            cursor.execute(f'ALTER DATABASE "{connection.settings_dict["NAME"]}" SET synchronous_commit = off')
        connection.close()


def _never_sync(*, connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous = OFF")


def empty() -> None:
    """Delete all rows of all tables that have any, with the guards of these tables off; the sealing keys in memory went with them."""
    keyring.forget()
    used = tables_with_rows()
    if used:
        with guards.lifted(connection, used), transaction.atomic(), connection.cursor() as cursor:
            for table in sorted(used, key=lambda name: name != FIRST):
                cursor.execute(f'DELETE FROM "{table}"')
        if connection.vendor == "postgresql" and next(EMPTIED) % 40 == 0:
            # Dead rows of hundreds of tests would make each test slower than the one before.
            with connection.cursor() as cursor:
                cursor.execute("VACUUM (SKIP_LOCKED, ANALYZE)")


def tables_with_rows() -> set[str]:
    tables = set(connection.introspection.django_table_names(only_existing=True, include_views=False)) - STAYS
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM \"{name}\")" for name in sorted(tables))
        )
        return {name for (name,) in cursor.fetchall()}
