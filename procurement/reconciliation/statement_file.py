"""A supplier's statement as lines: columns found by their header names, and a sentence for each line that is none."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import TypedDict

from ledger.money import format_amount, parse_amount
from procurement.catalog.skulist.reading import RawLine, rows_of, text_of
from procurement.errors import Refused

# What suppliers call each column, in small letters without underscores.
COLUMNS = {
    "time": ("time", "date", "datetime", "timestamp", "created at", "booked at", "transaction date"),
    "type": ("type", "kind", "operation", "transaction type"),
    "amount": ("amount", "total", "value", "sum"),
    "order": ("order id", "order", "order number", "supplier order id"),
    "reference": ("reference", "invoice", "txid", "details", "description", "comment", "note"),
    "currency": ("currency", "ccy"),
}
NEEDED = ("time", "type", "amount")
TYPES = {
    "order": ("order", "purchase", "sale", "debit"),
    "refund": ("refund", "reversal"),
    "deposit": ("deposit", "top up", "topup", "funding", "payment"),
    "fee": ("fee", "charge", "commission"),
    "other": ("credit", "adjustment", "bonus", "other"),
}
# A statement writes what it takes with a minus, or without one.
TAKEN = ("order", "fee")


class Line(TypedDict):
    """One line: `at` ISO in UTC, `amount` in minor units as it moves our balance; `problem` empty if it can be read."""

    line: int
    at: str
    kind: str
    order: str
    reference: str
    amount: int
    problem: str


def read_statement(content: bytes, currency: str, first: date, last: date) -> list[Line]:
    """The lines of an uploaded statement of these days; Refused, with one sentence, for a file that is none."""
    if not content.strip():
        raise Refused("The file is empty. Nothing was imported. Export the statement as CSV and upload that.")
    text = text_of(content)
    heading = next(line for line in text.splitlines() if line.strip())
    rows = rows_of(text, max(",;\t", key=lambda mark: len(columns_in(heading.split(mark)))))
    places = columns_in(rows[0].cells)
    missing = [name for name in NEEDED if name not in places]
    if missing:
        known = "; ".join(f"{name}: {', '.join(COLUMNS[name])}" for name in missing)
        raise Refused(
            f"The first line names no column for {', '.join(missing)}. Nothing was imported. Name it one of: {known}."
        )
    if len(rows) == 1:
        raise Refused("The statement has a header and no lines. Nothing was imported. Upload one with lines.")
    return [read_line(row, places, currency, first, last) for row in rows[1:]]


def columns_in(cells: list[str]) -> dict[str, int]:
    """Where each known column stands, by the header's words; the first of several wins."""
    words = [re.sub(r"[\s_\-]+", " ", cell.strip(' "').lower()).strip() for cell in cells]
    found = {}
    for name, known in COLUMNS.items():
        place = next((words.index(word) for word in known if word in words), None)
        if place is not None:
            found[name] = place
    return found


def read_line(row: RawLine, places: dict[str, int], currency: str, first: date, last: date) -> Line:
    cells = {name: row.cells[place].strip() if place < len(row.cells) else "" for name, place in places.items()}
    line = Line(
        line=row.number,
        at="",
        kind="",
        order=cells.get("order", "")[:100],
        reference=cells.get("reference", "")[:120],
        amount=0,
        problem="",
    )
    try:
        at = moment_of(cells["time"])
        if not first <= at.date() <= last:
            raise ValueError(f"{at:%Y-%m-%d} is outside the statement's days.")
        if cells.get("currency", currency).upper() != currency:
            raise ValueError(f"The currency is {cells['currency'][:10]!r} and the statement is of {currency}.")
        line["at"], line["kind"] = at.isoformat(), kind_of(cells["type"])
        line["amount"] = amount_of(line["kind"], cells["amount"], currency)
        if line["kind"] in ("order", "refund") and not line["order"]:
            raise ValueError("It names no order id: an order is matched by its id, never by its amount.")
    except ValueError as problem:
        line["problem"] = str(problem)
    return line


def moment_of(text: str) -> datetime:
    """A time in UTC unless it names a zone; a day alone is its noon."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time. Write it as 2026-11-20 14:05:00, in UTC.") from None
    if len(text) <= len("2026-11-20"):
        at = datetime.combine(at.date(), time(12))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)


def kind_of(text: str) -> str:
    word = re.sub(r"[\s_\-]+", " ", text.lower()).strip()
    for kind, known in TYPES.items():
        if word in known:
            return kind
    raise ValueError(f"{text[:40]!r} is no known type. Known are: {', '.join(sum(TYPES.values(), ()))}.")


def amount_of(kind: str, text: str, currency: str) -> int:
    amount = parse_amount(text, currency)
    if kind in TAKEN:
        return -abs(amount)
    if kind != "other" and amount < 0:
        raise ValueError(f"A {kind} of {format_amount(amount, currency)} takes money. Give it the type fee or credit.")
    return amount
