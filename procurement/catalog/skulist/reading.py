"""An uploaded file as lines of cells, or one sentence that says why it is no SKU list."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from procurement.errors import Refused

COLUMNS = ("sku", "title", "region", "currency", "denomination", "active")
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
MAX_BYTES = 2 * 1024 * 1024
MAX_LINES = 5_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What a file begins with when it is something else, and what that is.
OTHER_KINDS = {
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"\x1f\x8b": "an archive",
}
ADVICE = "Save the list as CSV in UTF-8 and upload that."


@dataclass(frozen=True)
class RawLine:
    """One line of the file: where it stands (the header is line 1) and its cells as they are."""

    number: int
    cells: list[str]


@dataclass(frozen=True)
class SkuFile:
    """A readable list: the header's column names in their order, the lines, and how the file had to be read."""

    header: list[str]
    lines: list[RawLine]
    notes: list[str]


def _refuse(what: str, advice: str = ADVICE) -> Refused:
    return Refused(f"{what} Nothing was imported. {advice}")


def _empty() -> Refused:
    return _refuse("The file is empty.", "Upload a list with a header and at least one SKU.")


def read_file(content: bytes) -> SkuFile:
    """The lines of an uploaded list; Refused, with one sentence, for a file that is none.

    Bounds: MAX_BYTES and MAX_LINES. Separators: comma, semicolon, tab. Encoding: UTF-8, with or without its mark.
    """
    text = text_of(content)
    delimiter = _delimiter(text)
    rows = rows_of(text, delimiter)
    header = [cell.strip().lower() for cell in rows[0].cells]
    notes = [f"Columns are separated by {DELIMITERS[delimiter]}."]
    if content.startswith(BYTE_ORDER_MARK):
        notes.append("A byte-order mark at the beginning was left out.")
    notes += _check_header(header)
    if len(rows) == 1:
        raise _refuse("The file has a header and no lines.", "Upload a list with at least one SKU.")
    return SkuFile(header, rows[1:], notes)


def text_of(content: bytes) -> str:
    """An uploaded CSV as text; Refused for what is too large, of another kind, or not UTF-8."""
    if len(content) > MAX_BYTES:
        raise _refuse("The file is larger than 2 MB.", "Split it into smaller lists.")
    for beginning, kind in OTHER_KINDS.items():
        if content.startswith(beginning):
            raise _refuse(f"The file is {kind}, not a CSV list.")
    if b"\x00" in content:
        raise _refuse("The file is not text.")
    if max(content.count(b"\n"), content.count(b"\r")) > MAX_LINES + 1:
        raise _refuse(f"The file has more than {MAX_LINES:,} lines.", "Split it into smaller lists.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise _refuse(f"The file is not UTF-8 text: line {line} holds a byte that cannot be read.") from None
    if not text.strip(" ,;\t\r\n"):
        raise _empty()
    return text


def _delimiter(text: str) -> str:
    """The separator by which the first line shows the most columns that a list has."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    known = {mark: len({cell.strip(' "').lower() for cell in first.split(mark)} & set(COLUMNS)) for mark in DELIMITERS}
    return max(known, key=lambda mark: known[mark])


def rows_of(text: str, delimiter: str) -> list[RawLine]:
    """Lines with something in them, numbered as an editor numbers them."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, before = [], 0
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append(RawLine(before + 1, cells))
            before = reader.line_num
    except csv.Error:
        what = f"Line {before + 1} cannot be read: its quotation marks do not match, or a cell is too long."
        raise _refuse(what) from None
    if not rows:
        raise _empty()
    return rows


def _check_header(header: list[str]) -> list[str]:
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise _refuse(
            f"The first line must name the columns {', '.join(COLUMNS)}; it lacks {', '.join(missing)}.",
            "Add the header line and upload the list again.",
        )
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise _refuse(f"The first line names the column {twice[0]} twice.", "Leave one out and upload the list again.")
    extra = [name or "without a name" for name in header if name not in COLUMNS]
    return [f"The column {name[:40]} is not used." for name in extra]
