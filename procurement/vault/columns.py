"""Which columns hold sealed values. Each app names its own when it starts; the rotation of keys goes over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps

from procurement.vault.envelope import Context
from procurement.vault.purposes import Purpose


@dataclass(frozen=True)
class SealedColumn:
    """One BinaryField of sealed values; `part` is what its model's `context()` is asked for, if it has several.

    `reads` are the fields a context is made of, for a table so long that a rotation reads nothing else; empty: all.
    """

    model: str
    column: str
    purpose: Purpose
    part: str = ""
    reads: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model}.{self.column}"

    @property
    def rows(self) -> Any:
        """Rows that hold a value."""
        return apps.get_model(self.model)._base_manager.exclude(**{self.column: b""})

    @property
    def contents(self) -> Any:
        """The same rows with what it takes to open them: models, or tuples of no more than that for a long table."""
        return self.rows.values_list("pk", self.column, *self.reads, named=True) if self.reads else self.rows

    def context(self, row: Any) -> Context:
        """Where a row's value belongs, be the row a model or one of `contents`."""
        place = apps.get_model(self.model).context
        context: Context = place(row, self.part) if self.part else place(row)
        return context


SEALED_COLUMNS: list[SealedColumn] = []


def sealed_column(model: str, column: str, purpose: Purpose, part: str = "", reads: tuple[str, ...] = ()) -> None:
    SEALED_COLUMNS.append(SealedColumn(model, column, purpose, part, reads))


def columns_of(purpose: Purpose) -> list[SealedColumn]:
    return [column for column in SEALED_COLUMNS if column.purpose is purpose]


# Models of codes with `fingerprint` and `fingerprint_before`; the rotation of the index key goes over them.
INDEXED_MODELS: list[str] = []


def indexed_codes(model: str) -> None:
    INDEXED_MODELS.append(model)
