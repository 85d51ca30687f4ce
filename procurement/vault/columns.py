"""Which columns hold sealed values. Each app names its own when it starts; the rotation of keys goes over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import TextField
from django.db.models.functions import Cast

from procurement.vault.envelope import Context
from procurement.vault.purposes import Purpose, month_of


class Held(NamedTuple):
    """A row's primary key, as an SQL parameter; its sealed value, and where that belongs."""

    pk: Any
    sealed: bytes
    context: Context


@dataclass(frozen=True)
class SealedColumn:
    """One BinaryField of sealed values; `part` is what its model's `context()` is asked for, if it has several.

    For a table so long that a rotation must not make a model of each row, `reads` names the fields a context is made of, and
    `place` makes it of the primary key and these as the database writes them: it takes them by `id_text` and `month_text`.
    """

    model: str
    column: str
    purpose: Purpose
    part: str = ""
    reads: tuple[str, ...] = ()
    place: Callable[..., Context] | None = None

    def __str__(self) -> str:
        return f"{self.model}.{self.column}"

    @property
    def rows(self) -> Any:
        """Rows that hold a value."""
        return apps.get_model(self.model)._base_manager.exclude(**{self.column: b""})

    def held(self, rows: Any) -> list[Held]:
        """What these `rows` hold; one that has no value any more is left out."""
        if self.place is None:
            return [
                Held(as_parameter(row), sealed, self._context(row))
                for row in rows
                if (sealed := bytes(getattr(row, self.column)))
            ]
        facts = [Cast(name, TextField()) for name in self.reads]
        found = as_the_driver_gives(rows.values_list("pk", self.column, *facts))
        return [Held(pk, bytes(sealed), self.place(pk, *facts)) for pk, sealed, *facts in found]

    def _context(self, row: Any) -> Context:
        context: Context = row.context(self.part) if self.part else row.context()
        return context


def as_parameter(row: Any) -> Any:
    """A row's primary key as SQL takes it."""
    return row._meta.pk.get_db_prep_value(row.pk, connections[DEFAULT_DB_ALIAS])


def as_the_driver_gives(values: Any) -> list[tuple[Any, ...]]:
    """What a `values_list` finds, without the way over Python's own types: they take longer than sealing does."""
    database = connections[DEFAULT_DB_ALIAS]
    with database.cursor() as cursor:
        cursor.execute(*values.query.get_compiler(connection=database).as_sql())
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def id_text(value: Any) -> str:
    """`str()` of a UUID or its like, also as the database writes it: SQLite keeps 32 hex digits."""
    text = str(value)
    if len(text) == 32:
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return text


def month_text(value: datetime | str) -> str:
    """`month_of` a time, also as the database writes it: SQLite keeps UTC, and on PostgreSQL a session has it."""
    return value[:7] if isinstance(value, str) else month_of(value)


SEALED_COLUMNS: list[SealedColumn] = []


def sealed_column(model: str, column: str, purpose: Purpose, part: str = "", **more: Any) -> None:
    SEALED_COLUMNS.append(SealedColumn(model, column, purpose, part, **more))


def columns_of(purpose: Purpose) -> list[SealedColumn]:
    return [column for column in SEALED_COLUMNS if column.purpose is purpose]


# Models of codes with `fingerprint` and `fingerprint_before`; the rotation of the index key goes over them.
INDEXED_MODELS: list[str] = []


def indexed_codes(model: str) -> None:
    INDEXED_MODELS.append(model)
