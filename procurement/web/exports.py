"""Tables that open safely in a spreadsheet: no cell can become a formula, and the first line says what the table is."""

from __future__ import annotations

import csv
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any, Protocol

import xlsxwriter
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header

from procurement.web.clock import iso

# What `?format=` may ask for, and what the button says.
FORMATS = {"csv": "CSV", "xlsx": "Excel"}
# What a spreadsheet takes for the beginning of a formula, after blanks and in its full-width form as well.
_FORMULA = ("=", "+", "-", "@")
_BLANKS = ("\t", "\r", "\n", "\x00")
# A spreadsheet counts in binary: longer numbers would lose digits there.
_EXACT_DIGITS = 15


class ExportColumn(Protocol):
    @property
    def header(self) -> str: ...

    @property
    def value(self) -> Callable[[Any], object]: ...


class _Echo:
    """A file that gives each written line back to the csv writer's caller."""

    def write(self, line: str) -> str:
        return line


def safe_cell(value: object) -> str | int | Decimal:
    """A CSV cell that no spreadsheet runs: text that begins like a formula gets an apostrophe, numbers stay numbers.

    Times are ISO 8601 in UTC; None is an empty cell; a minus is the ASCII one.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, Decimal)):
        return value
    if isinstance(value, datetime):
        return iso(value)
    text = str(value).replace("−", "-")
    plain = unicodedata.normalize("NFKC", text).lstrip(" \u200b\ufeff" + "".join(_BLANKS))
    return f"'{text}" if text.startswith(_BLANKS) or plain.startswith(_FORMULA) else text


def table_response(
    request: HttpRequest, name: str, columns: Sequence[ExportColumn], rows: Iterable[Any], filters: str
) -> HttpResponseBase:
    """`rows` as an attachment in the format the request names (CSV unless it says `xlsx`), one row at a time.

    A line with filters, zone, who and when, then headers, then the rows.
    """
    made = timezone.now()
    about = f"{name}; filters: {filters}; times: UTC; made by {request.user} at {iso(made)}"
    if request.GET.get("format") == "xlsx":
        return FileResponse(_workbook(about, columns, rows), as_attachment=True, filename=f"{_stem(name, made)}.xlsx")
    response = StreamingHttpResponse(_lines(about, columns, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_stem(name, made)}.csv"'
    return response


def text_response(name: str, ending: str, lines: Iterable[str]) -> StreamingHttpResponse:
    """Stream `lines` as an attachment of plain text."""
    response = StreamingHttpResponse((f"{line}\n" for line in lines), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{_stem(name, timezone.now())}.{ending}"'
    return response


def file_response(content: bytes, *, name: str, media_type: str = "application/octet-stream") -> HttpResponse:
    """A file somebody uploaded, always as a download: whatever it holds never runs in this site's name."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or "attachment"
    response["Content-Security-Policy"] = "default-src 'none'; frame-ancestors 'none'; sandbox"
    return response


def _stem(name: str, made: datetime) -> str:
    return f"{name.replace(' ', '-')}-{made:%Y%m%d-%H%M}"


def _lines(about: str, columns: Sequence[ExportColumn], rows: Iterable[Any]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow([safe_cell(about)])
    yield writer.writerow([safe_cell(column.header) for column in columns])
    for row in rows:
        yield writer.writerow([safe_cell(column.value(row)) for column in columns])


def _workbook(about: str, columns: Sequence[ExportColumn], rows: Iterable[Any]) -> IO[bytes]:
    """An Excel workbook in a temporary file; rows are written out as they come, so its size is not held in memory."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    sheet, bold = book.add_worksheet(), book.add_format({"bold": True})
    sheet.write_string(0, 0, about)
    for place, column in enumerate(columns):
        sheet.write_string(1, place, column.header, bold)
    formats = _Formats(book)
    for number, row in enumerate(rows, start=2):
        for place, column in enumerate(columns):
            _write_cell(sheet, number, place, column.value(row), formats)
    sheet.freeze_panes(2, 1)
    book.close()
    file.seek(0)
    return file


class _Formats:
    """How numbers and times look; one format for each number of decimal places."""

    def __init__(self, book: Any) -> None:
        self.book, self.made = book, {}  # type: ignore[var-annotated]

    def of(self, pattern: str) -> Any:
        if pattern not in self.made:
            self.made[pattern] = self.book.add_format({"num_format": pattern})
        return self.made[pattern]


def _write_cell(sheet: Any, row: int, place: int, value: object, formats: _Formats) -> None:
    """Text stays text whatever it begins with; amounts are numbers with their decimal places, times are UTC."""
    if isinstance(value, datetime):
        naive = value.astimezone(UTC).replace(tzinfo=None)
        sheet.write_datetime(row, place, naive, formats.of("yyyy-mm-dd hh:mm:ss"))
    elif isinstance(value, (int, Decimal)) and not isinstance(value, bool) and len(str(value)) <= _EXACT_DIGITS:
        places = -int(value.as_tuple().exponent) if isinstance(value, Decimal) else 0
        sheet.write_number(row, place, value, formats.of("0." + "0" * places if places else "0"))
    elif value is not None:
        text = {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
        sheet.write_string(row, place, text)
