"""The findings as tables, for the terminal and for docs/performance.md."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import connection
from django.utils import timezone

from procurement.demo.bench.measuring import NOTHING, Page, Sample, gzipped

BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
WEBHOOK_MARKS = ("<!-- bench webhooks: begin -->", "<!-- bench webhooks: end -->")
ENGINE_MARKS = ("<!-- bench engine: begin -->", "<!-- bench engine: end -->")
IDLE_MARKS = ("<!-- bench idle: begin -->", "<!-- bench idle: end -->")
ROTATION_MARKS = ("<!-- bench rotation: begin -->", "<!-- bench rotation: end -->")
# A section for each engine.
LEDGER_MARKS = {
    vendor: (f"<!-- bench ledger {vendor}: begin -->", f"<!-- bench ledger {vendor}: end -->")
    for vendor in ("sqlite", "postgresql")
}
HORDAK_MARKS = ("<!-- bench ledger hordak: begin -->", "<!-- bench ledger hordak: end -->")
LEDGER_SIZE_MARKS = {
    vendor: (f"<!-- bench ledger size {vendor}: begin -->", f"<!-- bench ledger size {vendor}: end -->")
    for vendor in ("sqlite", "postgresql")
}
RECONCILIATION_MARKS = {
    vendor: (f"<!-- bench reconciliation {vendor}: begin -->", f"<!-- bench reconciliation {vendor}: end -->")
    for vendor in ("sqlite", "postgresql")
}
# Thousand bytes a first visit may load: compressed, and as they are.
HTML_BUDGET = (20.0, 120.0)
CSS_BUDGET, JS_BUDGET = 16.0, (26.0, 78.0)
LOADED = re.compile(r'(?:href|src)="([^"]+[.](css|js))"')


@dataclass(frozen=True)
class Findings:
    """One run: what each page showed at each number of orders, smallest first. `timed` are the sizes with times."""

    pages: Sequence[Page]
    samples: Mapping[int, Mapping[str, Sample]]
    timed: Sequence[int]
    requests: int
    command: str

    @property
    def largest(self) -> Mapping[str, Sample]:
        return self.samples[max(self.samples)]

    def counts_of(self, page: Page) -> list[int]:
        return [self.samples[size][page.name].queries for size in sorted(self.samples)]


def growing(findings: Findings) -> list[str]:
    """Pages that ask the database more often when there is more in it, each with its counts."""
    found = []
    for page in findings.pages:
        counts = findings.counts_of(page)
        if any(later > earlier for earlier, later in pairwise(counts)):
            found.append(f"{page.name} ({page.url}): {', '.join(map(str, counts))} queries")
    return found


def as_markdown(findings: Findings) -> str:
    return "\n".join([*facts(findings), "", *times_table(findings), "", *weights_table(findings)])


def facts(findings: Findings) -> list[str]:
    """When, on what and how, so that the run can be repeated; never which machine."""
    return [facts_line(f"{findings.requests} requests of each page", findings.command)]


def facts_line(what: str, command: str) -> str:
    """The line above every table of findings."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = f"Python {platform.python_version()}, Django {django.get_version()}, {database_words()}"
    load = f"{os.getloadavg()[0]:.1f} processes wanting to run"
    return (
        f"Measured on {timezone.now():%Y-%m-%d} on {cores} cores with {load}; {versions}; "
        f"{what}. Repeat it with `{command}`."
    )


def database_words() -> str:
    if connection.vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        return f"PostgreSQL {cursor.fetchone()[0].split()[0]}"


def times_table(findings: Findings) -> list[str]:
    """Milliseconds and, beside them, how many times the page of nothing; queries at every size."""
    sizes = " / ".join(f"{size:,}" for size in sorted(findings.samples))
    head = ["page", "role", f"queries at {sizes} orders"]
    for size in findings.timed:
        head += [f"{size:,}: median ms", "p95 ms", "× nothing"]
    rows = [
        [page.name, page.role, words(findings.counts_of(page)), *times_of(findings, page)] for page in findings.pages
    ]
    return table(head, rows, numbers_from=2)


def words(counts: Sequence[int]) -> str:
    return str(counts[0]) if len(set(counts)) == 1 else " / ".join(map(str, counts))


def times_of(findings: Findings, page: Page) -> list[str]:
    cells = []
    for size in findings.timed:
        sample, nothing = findings.samples[size][page.name], findings.samples[size][NOTHING.name]
        cells += [f"{sample.median * 1000:.0f}", f"{sample.p95 * 1000:.0f}", f"{sample.median / nothing.median:.1f}"]
    return cells


def weights_table(findings: Findings) -> list[str]:
    """Thousand bytes of each list at its full page, and of what every page loads once, against what they may weigh."""
    rows = []
    for page in findings.pages:
        if page.is_list:
            plain, packed = findings.largest[page.name].kilobytes
            rows.append([page.name, *weighed(packed, HTML_BUDGET[0]), *weighed(plain, HTML_BUDGET[1])])
    for name, kind, budget in (("CSS", "css", (CSS_BUDGET, None)), ("JavaScript", "js", JS_BUDGET)):
        contents = loaded(findings.largest[findings.pages[0].name].body, kind)
        packed, plain = sum(map(gzipped, contents)), sum(map(len, contents)) / 1000
        rows.append([name, *weighed(packed, budget[0]), *weighed(plain, budget[1])])
    head = ["weight in kB (1,000 bytes)", "gzip", "at most", "raw", "at most"]
    return table(head, rows, numbers_from=1)


def weighed(amount: float, budget: float | None) -> tuple[str, str]:
    over = budget is not None and amount > budget
    return f"{amount:.1f}{' over' if over else ''}", "" if budget is None else f"{budget:.0f}"


def loaded(page: bytes, kind: str) -> list[bytes]:
    """The files of a kind (css, js) that a page loads."""
    names = [path.removeprefix(settings.STATIC_URL) for path, found in LOADED.findall(page.decode()) if found == kind]
    return [static_path(name).read_bytes() for name in names]


def static_path(name: str) -> Path:
    """Where a static file lies: among the sources, or where they were collected."""
    found = finders.find(name)
    return Path(found) if isinstance(found, str) else Path(settings.STATIC_ROOT) / name


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int) -> list[str]:
    """A Markdown table that is also legible as it stands: padded, numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.rjust(width) if column >= numbers_from else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(padded)} |"

    rule = [f"{'-' * (width - 1)}{':' if column >= numbers_from else '-'}" for column, width in enumerate(widths)]
    return [line(head), line(rule), *map(line, rows)]


def rewritten(page: str, section: str, marks: tuple[str, str] = (BEGIN, END)) -> str:
    """The page with what stands between two marks replaced; ValueError if a mark is missing."""
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"docs/performance.md has lost its marks {marks[0]} and {marks[1]}; nothing was written.")
    return f"{before}{begin}\n\n{section}\n\n{end}{after}"


def write_page(section: str, marks: tuple[str, str] = (BEGIN, END)) -> Path:
    path = Path(settings.ROOT) / "docs" / "performance.md"
    path.write_text(rewritten(path.read_text(encoding="utf-8"), section, marks), encoding="utf-8")
    return path
