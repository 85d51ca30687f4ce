"""docs/security.md places each row of the standard once, and names tests and headings that exist."""

from __future__ import annotations

import csv
import re
from collections import Counter
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.ROOT)
DOCS = ROOT / "docs"
PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
# Numbers and levels of OWASP ASVS 5.0.0, all 345.
with (ROOT / "tests" / "security" / "asvs-5.0.0.csv").open(encoding="utf-8") as file:
    LEVELS = {line["row"]: int(line["level"]) for line in csv.DictReader(file)}
ROW = r"\d+(?:\.\d+){0,2}(?: \(L3\))?"


def placed(cell: str) -> list[str]:
    """The rows that a cell places: a chapter or a section stands for its rows of levels 1 and 2."""
    found = []
    for named in cell.split(", "):
        number, _, level = named.partition(" ")
        inside = [row for row in LEVELS if row.startswith(f"{number}.") and LEVELS[row] < 3]
        found += inside or [f"{number} {level}".strip()]
    return found


def lines() -> list[list[str]]:
    """The cells of each line of a table that begins with rows of the standard."""
    tables = [line.strip("| ").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
    return [cells for cells in tables if re.fullmatch(rf"{ROW}(, {ROW})*", cells[0])]


def test_each_row_of_levels_1_and_2_stands_once_and_those_of_3_say_so() -> None:
    rows = Counter(row for cells in lines() for row in placed(cells[0]))
    asked = {row for row, level in LEVELS.items() if level < 3}

    assert Counter(LEVELS.values()) == {1: 70, 2: 183, 3: 92}
    assert {row: count for row, count in rows.items() if count > 1} == {}
    assert {row for row in rows if not row.endswith(" (L3)")} == asked
    assert {row for row in rows if row.endswith(" (L3)") and LEVELS.get(row.removesuffix(" (L3)")) != 3} == set()


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE))
    missing = [
        f"{path}::{name}"
        for path, name in sorted(named)
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert missing == []
    assert len(named) > 100


def test_what_is_met_names_its_test() -> None:
    met = PAGE.partition("\n## The operator's")[0]
    unshown = [
        line for line in met.splitlines() if re.match(r"\| \d", line) and not re.search(r"\| `tests/.+::\w+` \|$", line)
    ]

    assert unshown == []


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_headings_that_are_linked_exist() -> None:
    broken = []
    for name in ("security.md", "protection.md", "operations.md"):
        for path, anchor in re.findall(r"\]\(([\w./-]*\.md)?#([\w-]+)\)", (DOCS / name).read_text(encoding="utf-8")):
            if anchor not in anchors(DOCS / (path or name)):
                broken.append(f"{name}: {path}#{anchor}")

    assert broken == []
