"""`manage.py bench`: what pages, webhooks, the engine of placing, an idle desk, new keys and postings cost, and whether limits are kept."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from procurement.demo.bench import engine, hordak, idle, ledger, ledger_size, limits, reconciliation, rotation, webhooks
from procurement.demo.bench.limits import Plan
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.report import (
    ENGINE_MARKS,
    HORDAK_MARKS,
    IDLE_MARKS,
    LEDGER_MARKS,
    LEDGER_SIZE_MARKS,
    RECONCILIATION_MARKS,
    ROTATION_MARKS,
    WEBHOOK_MARKS,
    as_markdown,
    growing,
    write_page,
)
from procurement.demo.bench.running import run

SIZES, REQUESTS, MESSAGES, ORDERS, BACKLOG = [100, 10_000], 25, 1_000, 40, 500
CODES, SECONDS, BOOKED = 100_000, 3, 100_000


class Command(BaseCommand):
    help = "Measure the busy pages on a scratch database; exit 1 if one asks more queries of a bigger database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "what",
            nargs="?",
            choices=("pages", "limits", *(what for what in MEASURED if " " not in what)),
            default="pages",
        )
        parser.add_argument(
            "--orders",
            type=int,
            nargs="+",
            help="sizes to compare (default 100 10000), to queue (500), of a day (100000)",
        )
        parser.add_argument(
            "--requests",
            type=int,
            help=f"of each page at each size (default {REQUESTS}), messages ({MESSAGES}), orders ({ORDERS}), codes ({CODES:,}), "
            f"seconds of postings ({SECONDS})",
        )
        parser.add_argument("--lines", type=int, help="ledger: read one of so many lines instead of posting")
        parser.add_argument("--beside", choices=("hordak",), help="ledger: in turn with another one, on PostgreSQL")
        parser.add_argument("--workers", type=int, default=16, help="limits: processes (default 16)")
        parser.add_argument("--faster", type=float, default=3, help="limits: how much shorter a minute is (default 3)")
        parser.add_argument("--hanging", action="store_true", help="limits: behind orders at a supplier that hangs")
        parser.add_argument("--write", action="store_true", help="put the findings into docs/performance.md")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "limits":
            orders = (options["orders"] or [BACKLOG])[0]
            return self.limits(Plan(orders, options["workers"], options["faster"], options["hanging"]))
        if options["what"] != "pages":
            what, count = options["what"], options["requests"]
            if what == "reconciliation":
                count = (options["orders"] or [BOOKED])[0]
            if what == "ledger" and options["lines"]:
                what, count = "ledger size", options["lines"]
            if what == "ledger" and options["beside"]:
                what = "beside hordak"
            return self.beside(what, count, write=options["write"])
        sizes, requests = options["orders"] or SIZES, REQUESTS if options["requests"] is None else options["requests"]
        if min(sizes) < 10 or requests < 1:
            raise CommandError("A size is at least 10 orders, with one request or more. Nothing was measured.")
        try:
            findings = run(sizes, requests, self.stdout.write, command=command_words(sizes, requests))
        except BenchFailed as failure:
            raise CommandError(f"{failure} The bench stopped; its scratch database is gone.") from None
        section = as_markdown(findings)
        self.stdout.write(f"\n{section}\n")
        if options["write"]:
            self.stdout.write(f"Written to docs/{write_page(section).name}.")
        if grew := growing(findings):
            raise CommandError("Asks more often when there is more: " + "; ".join(grew) + ".")

    def beside(self, what: str, requests: int | None, *, write: bool) -> None:
        """What is measured beside something else in the same run, and has a section of its own."""
        try:
            section, marks = MEASURED[what](requests)
        except BenchFailed as failure:
            raise CommandError(f"{failure} The bench stopped; its scratch database is gone.") from None
        self.stdout.write(f"\n{section}\n")
        if write:
            self.stdout.write(f"Written to docs/{write_page(section, marks).name}.")

    def limits(self, plan: Plan) -> None:
        """A backlog at one supplier account, by the sandbox's own count; exit 1 if it counted more than it allows."""
        found = limits.measure(plan, self.stdout.write)
        self.stdout.write(f"\n{limits.as_markdown(found)}\n")
        if found.broken:
            raise CommandError(" ".join(found.broken))


def measured_webhooks(requests: int | None) -> tuple[str, tuple[str, str]]:
    count = requests or MESSAGES
    return webhooks.as_markdown(webhooks.measure_intake(count), count), WEBHOOK_MARKS


def measured_engine(requests: int | None) -> tuple[str, tuple[str, str]]:
    count = requests or ORDERS
    return engine.as_markdown(engine.measure_engine(count), count), ENGINE_MARKS


def measured_idle(requests: int | None) -> tuple[str, tuple[str, str]]:
    return idle.as_markdown(idle.measure_idle()), IDLE_MARKS


def measured_rotation(requests: int | None) -> tuple[str, tuple[str, str]]:
    return rotation.as_markdown(rotation.measure_rotation(requests or CODES)), ROTATION_MARKS


def measured_ledger(requests: int | None) -> tuple[str, tuple[str, str]]:
    seconds = requests or SECONDS
    return ledger.as_markdown(ledger.measure_ledger(seconds), seconds), LEDGER_MARKS[connection.vendor]


def measured_size(lines: int | None) -> tuple[str, tuple[str, str]]:
    return ledger_size.as_markdown(ledger_size.measure_size(lines or 0)), LEDGER_SIZE_MARKS[connection.vendor]


def measured_reconciliation(orders: int | None) -> tuple[str, tuple[str, str]]:
    found = reconciliation.measure_reconciliation(orders or BOOKED)
    return reconciliation.as_markdown(found), RECONCILIATION_MARKS[connection.vendor]


def measured_hordak(requests: int | None) -> tuple[str, tuple[str, str]]:
    seconds = requests or SECONDS
    return ledger.as_markdown(hordak.measure_beside(seconds), seconds, " --beside hordak"), HORDAK_MARKS


MEASURED = {
    "webhooks": measured_webhooks,
    "engine": measured_engine,
    "idle": measured_idle,
    "rotation": measured_rotation,
    "ledger": measured_ledger,
    "ledger size": measured_size,
    "beside hordak": measured_hordak,
    "reconciliation": measured_reconciliation,
}


def command_words(sizes: list[int], requests: int) -> str:
    """The command that repeats this run."""
    words = "python3 dev.py bench"
    words += f" --orders {' '.join(map(str, sizes))}" if sizes != SIZES else ""
    return words + (f" --requests {requests}" if requests != REQUESTS else "")
