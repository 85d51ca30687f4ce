"""`manage.py verify_audit`: read the whole record again and name the first event that does not hold."""

from __future__ import annotations

import re
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.audit.chain import chain_events
from procurement.audit.verifying import verify

PUBLISHED = re.compile(r"audit head (?P<seq>[0-9]{1,18}): (?P<mac>[0-9a-f]{72})", re.IGNORECASE)


class Command(BaseCommand):
    help = "Check every event of the record and the chain over them. Exits with 1 if something does not hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--published", type=Path, metavar="FILE", help="the log, or lines of it: audit head 12: <72 hex digits>"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        published = read_published(options["published"]) if options["published"] else {}
        head = chain_events()
        report = verify(published=published)
        for finding in report.findings:
            self.stdout.write(finding)
        self.stdout.write(f"Read {report.links:,} events, compared {len(published):,} published heads.")
        if report.findings:
            raise CommandError(f"{len(report.findings)} findings. Keep this database as it is.")
        self.stdout.write(f"Everything holds. Last: {head}." if head else "Everything holds. Nothing ever happened.")


def read_published(path: Path) -> dict[int, str]:
    """Heads out of a log or a note; CommandError when there is none in it."""
    try:
        found = PUBLISHED.findall(path.read_text(errors="replace"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}. Nothing was checked.") from None
    if not found:
        raise CommandError(f"{path} names no head. Nothing was checked. A line reads: audit head 12: <72 hex digits>.")
    return {int(seq): mac for seq, mac in found}
