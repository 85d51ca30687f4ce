"""One line of a SKU list, read strictly: its values with every correction named, or every reason to refuse it.

Nothing is guessed: a region is never taken from a title or a currency, and a line with a doubt is refused (R2, R6).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from procurement.catalog import regions
from procurement.catalog.regions import NO_REGIONS, REGIONS, NoRegion, Region
from procurement.catalog.skulist.amounts import read_face, title_contradicts
from procurement.catalog.skulist.reading import COLUMNS, RawLine

LONGEST_CODE, LONGEST_TITLE = 64, 200
CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+:-]*")
FORMULA = ("=", "+", "@")
SUBSCRIPTION = re.compile(
    r"\b(playstation|ps)[ -]?(plus|now)\b|\b(months?|subscription|membership)\b|\bplus-[0-9]+m\b", re.IGNORECASE
)
ACTIVE = {"yes": True, "no": False}
ACTIVE_READ_AS = {"y": "yes", "true": "yes", "1": "yes", "n": "no", "false": "no", "0": "no"}
PRINTABLE_NOT = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass
class Reading:
    """What one line says. `reasons` refuse it, `notes` name corrections; `values` are there only without reasons."""

    number: int
    raw: dict[str, str]
    code: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


def read_line(header: list[str], line: RawLine) -> Reading:
    """Every reason against the line at once, so that a person corrects it in one go."""
    cells = dict(zip(header, line.cells, strict=False))
    reading = Reading(line.number, {name: cells.get(name, "") for name in COLUMNS})
    if len(line.cells) != len(header):
        reading.code = cells.get("sku", "").strip()[:LONGEST_CODE]
        reading.reasons.append(_wrong_width(header, line))
        return reading
    clean = _clean_cells(reading)
    if reading.reasons:
        return reading
    reading.code = _code(clean["sku"], reading)
    title = _title(clean["title"], reading)
    region = _region(clean["region"], reading)
    currency = _currency(clean["currency"], region, reading)
    face = _face(clean["denomination"], currency, reading)
    active = _active(clean["active"], reading)
    _check_title(title, region, currency, face, reading)
    if not reading.reasons and region:
        reading.values = {
            "title": title,
            "region": region.code,
            "currency": currency,
            "face_minor": face,
            "active": active,
        }
    return reading


def _wrong_width(header: list[str], line: RawLine) -> str:
    has, wants = len(line.cells), len(header)
    if has > wants:
        return f"The line has {has} cells where the header has {wants}; quote a cell that holds a separator."
    missing = ", ".join(name for name in header[has:] if name in COLUMNS)
    return f"The line has {has} cells where the header has {wants}: {missing} is missing."


def _clean_cells(reading: Reading) -> dict[str, str]:
    """Cells without spaces around them; formulas and characters nobody can see are refused."""
    clean = {name: cell.strip() for name, cell in reading.raw.items()}
    trimmed = [name for name, cell in reading.raw.items() if cell != clean[name]]
    if trimmed:
        reading.notes.append(f"Spaces around the {' and the '.join(trimmed)} were left out.")
    reading.code = clean["sku"][:LONGEST_CODE]
    for name, cell in clean.items():
        if cell.startswith(FORMULA) or (name != "denomination" and cell.startswith("-")):
            reading.reasons.append(f"The {name} begins with “{cell[0]}”: a formula is never imported.")
        elif any(unicodedata.category(char) in PRINTABLE_NOT for char in cell):
            reading.reasons.append(f"The {name} holds a character that cannot be seen.")
    return clean


def _code(text: str, reading: Reading) -> str:
    if not text:
        reading.reasons.append("The SKU is empty.")
    elif len(text) > LONGEST_CODE:
        reading.reasons.append(f"The SKU has {len(text)} characters; at most {LONGEST_CODE} are kept.")
    elif not CODE.fullmatch(text):
        reading.reasons.append(
            "The SKU may hold letters, digits and . _ / + : - only, beginning with a letter or digit."
        )
    return text[:LONGEST_CODE]


def _title(text: str, reading: Reading) -> str:
    if not text:
        reading.reasons.append("The title is empty.")
    elif len(text) > LONGEST_TITLE:
        reading.reasons.append(f"The title has {len(text)} characters; at most {LONGEST_TITLE} are kept.")
    return text


def _region(text: str, reading: Reading) -> Region | None:
    try:
        region = regions.region_of(text)
    except NoRegion as reason:
        reading.reasons.append(f"{reason}.")
        return None
    if text != region.code:
        reading.notes.append(f"The region {text} was read as {region.code}.")
    if not region.sold:
        reading.notes.append(f"{region.name} is not among the regions sold so far.")
    return region


def _currency(text: str, region: Region | None, reading: Reading) -> str:
    """The currency if the region's cards are in it, else nothing."""
    code = text.upper()
    if not code:
        reading.reasons.append("The currency is empty.")
        return ""
    if region and code not in region.currencies:
        why = f": {region.note}" if region.note else ""
        right = " or ".join(region.currencies)
        reading.reasons.append(f"Cards for {region.name} are in {right}, not in {code[:10]}{why}.")
        return ""
    if not region:
        return code if code in regions.CURRENCIES else ""
    if text != code:
        reading.notes.append(f"The currency {text} was read as {code}.")
    return code


def _face(text: str, currency: str, reading: Reading) -> int:
    """Minor units; without a known currency the number is still checked, as one of two decimals."""
    try:
        minor, notes = read_face(text, currency or "USD")
    except ValueError as reason:
        reading.reasons.append(str(reason))
        return 0
    reading.notes += notes
    return minor


def _active(text: str, reading: Reading) -> bool:
    word = ACTIVE_READ_AS.get(text.lower(), text.lower())
    if word not in ACTIVE:
        reading.reasons.append(f"The column active says “{text[:20]}”; it must say yes or no.")
        return False
    if word != text.lower():
        reading.notes.append(f"Active {text} was read as {word}.")
    return ACTIVE[word]


def _check_title(title: str, region: Region | None, currency: str, face: int, reading: Reading) -> None:
    """The title is never a source, but a title that says something else means that one of the two is wrong."""
    if SUBSCRIPTION.search(title) or SUBSCRIPTION.search(reading.code):
        reading.reasons.append("This is a subscription, not a wallet card of a fixed amount.")
        return
    if region:
        named = _regions_named(title)
        if named and region.code not in named:
            reading.reasons.append(f"The title says {next(iter(named.values()))}, the region is {region.code}.")
    if region and currency and face:
        contradiction = title_contradicts(title, currency, face)
        if contradiction:
            reading.reasons.append(contradiction)


def _regions_named(title: str) -> dict[str, str]:
    """Codes of the regions a title names, each with the word found; words like GLOBAL stand for themselves."""
    found = {}
    for region in REGIONS.values():
        for name in (region.name, *region.other_names):
            if re.search(rf"\b{re.escape(name)}\b", title, re.IGNORECASE if len(name) > 3 else 0):
                found[region.code] = name
    for word in NO_REGIONS:
        if re.search(rf"\b{re.escape(word)}\b", title):
            found[word] = word
    return found
