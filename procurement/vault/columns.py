"""Which columns hold sealed values. Each app names its own when it starts; the rotation of keys goes over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.apps import apps

from procurement.vault.envelope import Context
from procurement.vault.purposes import Purpose


@dataclass(frozen=True)
class SealedColumn:
    """One BinaryField of sealed values; `part` is what its model's `context()` is asked for, if it has several."""

    model: str
    column: str
    purpose: Purpose
    part: str = ""

    def __str__(self) -> str:
        return f"{self.model}.{self.column}"

    @property
    def rows(self) -> Any:
        """Rows that hold a value."""
        return apps.get_model(self.model)._base_manager.exclude(**{self.column: b""})

    def context(self, row: Any) -> Context:
        context: Context = row.context(self.part) if self.part else row.context()
        return context


SEALED_COLUMNS: list[SealedColumn] = []


def sealed_column(model: str, column: str, purpose: Purpose, part: str = "") -> None:
    SEALED_COLUMNS.append(SealedColumn(model, column, purpose, part))


def columns_of(purpose: Purpose) -> list[SealedColumn]:
    return [column for column in SEALED_COLUMNS if column.purpose is purpose]
