"""The lines of a list against each other and against the SKUs there are: add, change, same or refuse."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from ledger.money import format_amount
from procurement.catalog.models import Sku
from procurement.catalog.skulist.rules import Reading

ADD, CHANGE, SAME, REFUSE = "add", "change", "same", "refuse"
OUTCOMES = (ADD, CHANGE, SAME, REFUSE)
FIELDS = ("title", "region", "currency", "face_minor", "active")
LABELS = {"title": "Title", "region": "Region", "currency": "Currency", "face_minor": "Face value", "active": "Active"}


class Line(TypedDict):
    """One line of a dry run as it is kept. `reasons` come from the file, `clash` and `changes` from the SKUs here."""

    line: int
    outcome: str
    code: str
    values: dict[str, Any]
    raw: dict[str, str]
    notes: list[str]
    reasons: list[str]
    clash: str
    changes: list[str]


def lines_of(readings: Iterable[Reading]) -> list[Line]:
    """Lines as they are kept, after duplicates among them were refused; not yet judged against the SKUs there are."""
    readings = list(readings)
    _refuse_duplicates(readings)
    return [
        Line(
            line=reading.number,
            outcome=REFUSE,
            code=reading.code,
            values={} if reading.reasons else reading.values,
            raw=reading.raw,
            notes=reading.notes,
            reasons=reading.reasons,
            clash="",
            changes=[],
        )
        for reading in readings
    ]


def _refuse_duplicates(readings: list[Reading]) -> None:
    """Of equal lines the first stands; of lines that contradict each other none does."""
    groups: dict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        if reading.code:
            groups[reading.code.casefold()].append(reading)
    for group in groups.values():
        first, others = group[0], group[1:]
        if all(other.raw == first.raw for other in others):
            for other in others:
                other.reasons.append(f"Duplicate of line {first.number}.")
            continue
        for reading in group:
            twin = next(other for other in group if other is not reading)
            reading.reasons.append(f"Duplicate of line {twin.number} with other values: neither is imported.")


def judge(lines: Iterable[Line], existing: Mapping[str, Sku], mapped: frozenset[int]) -> list[Line]:
    """Each line's outcome against `existing` SKUs by code; `mapped` are the ids of SKUs with an active mapping."""
    by_folded = {code.casefold(): code for code in existing}
    return [_judged(line, existing, by_folded, mapped) for line in lines]


def _judged(line: Line, existing: Mapping[str, Sku], by_folded: Mapping[str, str], mapped: frozenset[int]) -> Line:
    if line["reasons"]:
        return Line(**{**line, "outcome": REFUSE, "clash": "", "changes": []})
    present = by_folded.get(line["code"].casefold())
    if present is None:
        return Line(**{**line, "outcome": ADD, "clash": "", "changes": []})
    if present != line["code"]:
        clash = f"The SKU {present} exists and differs in capital letters only."
        return Line(**{**line, "outcome": REFUSE, "clash": clash, "changes": []})
    sku = existing[present]
    changes = _changes(sku, line["values"])
    if sku.pk in mapped and _is_other_card(sku, line["values"]):
        changes.append("Its active mapping will not fit and cannot be ordered from until a new one is activated.")
    return Line(**{**line, "outcome": CHANGE if changes else SAME, "clash": "", "changes": changes})


def _changes(sku: Sku, values: Mapping[str, Any]) -> list[str]:
    """Each field that would change, as "Title: old → new"."""
    found = []
    for name in FIELDS:
        before, after = getattr(sku, name), values[name]
        if before != after:
            old = _shown(name, before, sku.currency)
            found.append(f"{LABELS[name]}: {old} → {_shown(name, after, values['currency'])}")
    return found


def _shown(name: str, value: Any, currency: str) -> str:
    if name == "face_minor":
        return f"{format_amount(value, currency)} {currency}"
    if name == "active":
        return "yes" if value else "no"
    return str(value)


def _is_other_card(sku: Sku, values: Mapping[str, Any]) -> bool:
    return any(getattr(sku, name) != values[name] for name in ("region", "currency", "face_minor"))


def reasons_of(line: Line) -> list[str]:
    """Everything that speaks against a line."""
    return [*line["reasons"], line["clash"]] if line["clash"] else line["reasons"]


def counts_of(lines: Iterable[Line]) -> dict[str, int]:
    """How many lines have each outcome."""
    counts = dict.fromkeys(OUTCOMES, 0)
    for line in lines:
        counts[line["outcome"]] += 1
    return counts
