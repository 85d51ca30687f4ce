"""`manage.py bench`: how long the busy pages take, how often they ask the database, and how much they weigh."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from procurement.demo.bench.measuring import PageFailed
from procurement.demo.bench.report import as_markdown, growing, write_page
from procurement.demo.bench.running import run

SIZES, REQUESTS = [100, 10_000], 25


class Command(BaseCommand):
    help = "Measure the busy pages on a scratch database; exit 1 if one asks more queries of a bigger database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--orders", type=int, nargs="+", default=SIZES, help="sizes to compare (default 100 10000)")
        parser.add_argument(
            "--requests", type=int, default=REQUESTS, help=f"of each page at each size (default {REQUESTS})"
        )
        parser.add_argument("--write", action="store_true", help="put the findings into docs/performance.md")

    def handle(self, *args: Any, **options: Any) -> None:
        sizes, requests = options["orders"], options["requests"]
        if min(sizes) < 10 or requests < 1:
            raise CommandError("A size is at least 10 orders, with one request or more. Nothing was measured.")
        try:
            findings = run(sizes, requests, self.stdout.write, command=command_words(sizes, requests))
        except PageFailed as failure:
            raise CommandError(f"{failure} The bench stopped; its scratch database is gone.") from None
        section = as_markdown(findings)
        self.stdout.write(f"\n{section}\n")
        if options["write"]:
            self.stdout.write(f"Written to docs/{write_page(section).name}.")
        if grew := growing(findings):
            raise CommandError("Asks more often when there is more: " + "; ".join(grew) + ".")


def command_words(sizes: list[int], requests: int) -> str:
    """The command that repeats this run."""
    words = "python3 dev.py bench"
    words += f" --orders {' '.join(map(str, sizes))}" if sizes != SIZES else ""
    return words + (f" --requests {requests}" if requests != REQUESTS else "")
