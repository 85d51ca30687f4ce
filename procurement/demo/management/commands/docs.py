"""`manage.py docs` writes the generated pages of docs/; `--check` only says which are out of date."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from procurement.demo.documents import stale_pages, write_pages


class Command(BaseCommand):
    help = "Write docs/states.md, permissions.md, postings.md and requirements.md from the code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is out of date")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = settings.ROOT / "docs"
        if not options["check"]:
            write_pages(folder)
            return
        stale = stale_pages(folder)
        if stale:
            raise CommandError(f"Out of date: {', '.join(stale)}. Nothing was written. Run: python3 dev.py fix")
        self.stdout.write("The generated pages are up to date.")
