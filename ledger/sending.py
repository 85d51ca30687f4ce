"""Plain SQL for the path on which the time of a booking is spent: past the ORM, and with few ways to the server."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection, connections

# One statement and its values.
Statement = tuple[str, Sequence[Any]]


def run(statements: Iterable[Statement]) -> list[Any]:
    """Send statements in their order: the rows of each, or how many it touched.

    PostgreSQL gets all of them at once, because the way there and back costs more than the work; each still sees what
    those before it did, and what others committed until it began. SQLite gets them past Django's cursor, which takes as
    long as they do, unless somebody watches what is sent: only that cursor tells them.
    """
    db = connections[DEFAULT_DB_ALIAS]
    if on_sqlite() and not (db.execute_wrappers or db.queries_logged):
        db.ensure_connection()
        db.validate_no_broken_transaction()
        with db.wrap_database_errors:
            return [_found(db.connection.execute(_marked(sql), values)) for sql, values in statements]
    with db.cursor() as cursor:
        if on_sqlite():
            return [_watched(cursor, sql, values) for sql, values in statements]
        sent = list(statements)
        cursor.execute("; ".join(sql for sql, _ in sent), [value for _, values in sent for value in values])
        found = [_found(cursor)]
        while cursor.nextset():
            found.append(_found(cursor))
        return found


def _watched(cursor: Any, sql: str, values: Sequence[Any]) -> Any:
    cursor.execute(sql, values)
    return _found(cursor)


def _found(cursor: Any) -> Any:
    return cursor.fetchall() if cursor.description else cursor.rowcount


@lru_cache(maxsize=256)
def _marked(sql: str) -> str:
    """With the marks of SQLite's own driver."""
    return sql.replace("%s", "?")


@cache
def on_sqlite() -> bool:
    return connection.vendor == "sqlite"


@lru_cache(maxsize=256)
def _with_rows(sql: str, width: int, count: int) -> str:
    row = f"({', '.join(['%s'] * width)})"
    return sql.format(", ".join([row] * count))


def rows_of(sql: str, rows: Sequence[Sequence[Any]]) -> Statement:
    """A statement whose `{}` stands for rows of values."""
    return _with_rows(sql, len(rows[0]), len(rows)), [value for values in rows for value in values]


def id_value(value: uuid.UUID | None) -> Any:
    """As the engine keeps it: SQLite as 32 hex digits."""
    return value.hex if value and on_sqlite() else value


def id_read(value: Any) -> uuid.UUID:
    """The way back from `id_value`."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


@lru_cache(maxsize=64)
def time_value(value: datetime | None) -> Any:
    """As the engine keeps it: SQLite as UTC without a zone."""
    if value is None or not on_sqlite():
        return value
    return value.astimezone(UTC).isoformat(" ")[: -len("+00:00")]


def day_value(value: date) -> Any:
    """As the engine keeps it."""
    return value.isoformat() if on_sqlite() else value


def time_read(value: datetime) -> datetime:
    """SQLite's times come without their zone, which is always UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
