"""CSV that opens safely in a spreadsheet: no cell can become a formula, and the first line says what it is."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, Protocol

from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone

from procurement.web.clock import iso

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class ExportColumn(Protocol):
    @property
    def header(self) -> str: ...

    @property
    def value(self) -> Callable[[Any], object]: ...


class _Echo:
    """A file that gives each written line back to the csv writer's caller."""

    def write(self, line: str) -> str:
        return line


def safe_cell(value: object) -> str | int:
    """A cell that no spreadsheet runs: text that begins like a formula gets an apostrophe, numbers stay numbers.

    Times are ISO 8601 in UTC; None is an empty cell; a minus is the ASCII one.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return value
    if isinstance(value, datetime):
        return iso(value)
    text = str(value).replace("−", "-")
    if text.startswith(_FORMULA) and not _is_number(text):
        return f"'{text}"
    return text


def csv_response(
    request: HttpRequest, name: str, columns: Sequence[ExportColumn], rows: Iterable[Any], filters: str
) -> StreamingHttpResponse:
    """Stream `rows` as an attachment: a line with filters, zone, who and when, then headers, then the rows."""
    made = timezone.now()
    about = f"{name}; filters: {filters}; times: UTC; made by {request.user} at {iso(made)}"
    lines = _lines(about, columns, rows)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name.replace(" ", "-")}-{made:%Y%m%d-%H%M}.csv"'
    return response


def _lines(about: str, columns: Sequence[ExportColumn], rows: Iterable[Any]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow([safe_cell(about)])
    yield writer.writerow([safe_cell(column.header) for column in columns])
    for row in rows:
        yield writer.writerow([safe_cell(column.value(row)) for column in columns])


def _is_number(text: str) -> bool:
    digits = text[1:].replace(".", "", 1)
    return text[0] in "+-" and digits.isascii() and digits.isdigit()
