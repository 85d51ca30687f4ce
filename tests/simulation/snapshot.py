"""The database as it was: kept once, put back before each run. SQLite copies its pages, PostgreSQL its rows."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction

from ledger import guards


class Snapshot(Protocol):
    def restore(self) -> None: ...


class SqliteSnapshot:
    def __init__(self) -> None:
        self.kept = sqlite3.connect(":memory:")
        connection.ensure_connection()
        connection.connection.backup(self.kept)

    def restore(self) -> None:
        connection.ensure_connection()
        self.kept.backup(connection.connection)


class PostgresSnapshot:
    """Copies of all rows in a schema of their own."""

    def __init__(self, name: str) -> None:
        self.schema = f"kept_{name}"
        self.tables = sorted(connection.introspection.django_table_names(only_existing=True, include_views=False))
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")
            cursor.execute(f"CREATE SCHEMA {self.schema}")
            for table in self.tables:
                cursor.execute(f'CREATE TABLE {self.schema}."{table}" AS TABLE public."{table}"')

    def restore(self) -> None:
        # Quicker than TRUNCATE, which makes every table and index a new file. Lines first: their key does not wait.
        lines_first = sorted(self.tables, key=lambda table: table != "ledger_line")
        emptying = [f'DELETE FROM "{table}"' for table in lines_first]
        filling = [f'INSERT INTO "{table}" SELECT * FROM {self.schema}."{table}"' for table in reversed(lines_first)]
        sequences = connection.ops.sequence_reset_sql(no_style(), list(apps.get_models(include_auto_created=True)))
        with guards.lifted(connection), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("; ".join([*emptying, *filling, *sequences]))


def snapshot(name: str = "start") -> Snapshot:
    """Keep everything that is in the database now; of one name only the newest is kept."""
    return PostgresSnapshot(name) if connection.vendor == "postgresql" else SqliteSnapshot()
