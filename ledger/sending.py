"""Plain SQL for the path on which the time of a booking is spent: past the ORM, and with few ways to the server."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from django.db import DEFAULT_DB_ALIAS, connection, connections

# One statement and its values.
Statement = tuple[str, Sequence[Any]]
# A statement of more values is one of many rows.
SHORT = 300


def run(statements: Iterable[Statement]) -> list[Any]:
    """Send statements in their order: the rows of each, or how many it touched.

    PostgreSQL gets all of them at once, because the way there and back costs more than the work, and plans each once for a
    connection; each still sees what those before it did, and what others committed until it began. SQLite gets them past
    Django's cursor, which takes as long as they do. If somebody watches what is sent, Django's cursor sends them one by
    one: only that cursor tells them.
    """
    db = connections[DEFAULT_DB_ALIAS]
    if db.execute_wrappers or db.queries_logged:
        with db.cursor() as cursor:
            return [_watched(cursor, sql, values) for sql, values in statements]
    if on_sqlite():
        db.ensure_connection()
        db.validate_no_broken_transaction()
        with db.wrap_database_errors:
            return [_found(db.connection.execute(_marked(sql), values)) for sql, values in statements]
    with db.cursor() as cursor, db.wrap_database_errors:
        # The driver's own cursor: Django's looks at every call for errors, and does nothing else here.
        return _at_once(db.connection, cursor.cursor, list(statements))


def _watched(cursor: Any, sql: str, values: Sequence[Any]) -> Any:
    cursor.execute(sql, values)
    return _found(cursor)


# What each connection has planned: the name of a statement by its text.
_PLANNED: WeakKeyDictionary[Any, dict[str, str]] = WeakKeyDictionary()
_NUMBERS = count(1)


def _at_once(connected: Any, cursor: Any, statements: Sequence[Statement]) -> list[Any]:
    known = _PLANNED.setdefault(connected, {})
    # A number is used once: after an error nobody knows which of them were planned before it.
    new = {sql: f"ledger_{next(_NUMBERS)}" for sql, values in statements if _is_planned(values) and sql not in known}
    plans = [_plan(name, sql) for sql, name in new.items()]
    names = [known.get(sql) or new.get(sql) for sql, _ in statements]
    sent = [_execute(name, len(values)) if name else sql for name, (sql, values) in zip(names, statements, strict=True)]
    cursor.execute("; ".join([*plans, *sent]), [value for _, values in statements for value in values])
    found = [_found(cursor)]
    while cursor.nextset():
        found.append(_found(cursor))
    known.update(new)
    return found[len(plans) :]


def _is_planned(values: Sequence[Any]) -> bool:
    """Not BEGIN and the like, and not what writes many rows, of which hardly two have the same text."""
    return 0 < len(values) <= SHORT


def _plan(name: str, sql: str) -> str:
    numbers = count(1)
    return f"PREPARE {name} AS " + re.sub("%s", lambda _: f"${next(numbers)}", sql)


@lru_cache(maxsize=1024)
def _execute(name: str, values: int) -> str:
    return f"EXECUTE {name} ({', '.join(['%s'] * values)})"


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


def list_of(sql: str, values: Sequence[Any]) -> Statement:
    """A statement whose `{}` stands for a list of values."""
    return sql.format(", ".join(["%s"] * len(values))), values


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
