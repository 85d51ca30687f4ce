"""Plain SQL for the path on which the time of a booking is spent: past the ORM, and with few ways to the server."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

# One statement and its values.
Statement = tuple[str, Sequence[Any]]


def run(cursor: Any, statements: Iterable[Statement]) -> list[Any]:
    """Send statements in their order: the rows of each, or how many it touched.

    PostgreSQL gets all of them at once, because the way there and back costs more than the work; each still sees what
    those before it did, and what others committed until it began.
    """
    if connection.vendor == "postgresql":
        sent = list(statements)
        cursor.execute("; ".join(sql for sql, _ in sent), [value for _, values in sent for value in values])
        found = [_found(cursor)]
        while cursor.nextset():
            found.append(_found(cursor))
        return found
    found = []
    for sql, values in statements:
        cursor.execute(sql, values)
        found.append(_found(cursor))
    return found


def _found(cursor: Any) -> Any:
    return cursor.fetchall() if cursor.description else cursor.rowcount


def rows_of(sql: str, rows: Sequence[Sequence[Any]]) -> Statement:
    """A statement whose `{}` stands for rows of values."""
    row = f"({', '.join(['%s'] * len(rows[0]))})"
    return sql.format(", ".join([row] * len(rows))), [value for values in rows for value in values]


def id_value(value: uuid.UUID | None) -> Any:
    """As the engine keeps it: SQLite as 32 hex digits."""
    return value.hex if value and connection.vendor == "sqlite" else value


def id_read(value: Any) -> uuid.UUID:
    """The way back from `id_value`."""
    return value if isinstance(value, uuid.UUID) else uuid.UUID(value)


def time_value(value: datetime | None) -> Any:
    """As the engine keeps it: SQLite as UTC without a zone."""
    if value is None or connection.vendor != "sqlite":
        return value
    return str(value.astimezone(UTC).replace(tzinfo=None))


def time_read(value: datetime) -> datetime:
    """SQLite's times come without their zone, which is always UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)
