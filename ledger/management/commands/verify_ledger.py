"""`manage.py verify_ledger`: read the whole ledger again and name everything that does not hold."""

from __future__ import annotations

import re
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.checkpoints import last_checkpoint
from ledger.verifying import verify

PUBLISHED = re.compile(r"checkpoint (?P<no>[0-9]{1,18}):? .*?(?P<hash>[0-9a-f]{64})", re.IGNORECASE)


class Command(BaseCommand):
    help = "Check every hash, balance, sum and checkpoint of the ledger. Changes nothing; exits with 1 if something does not hold."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--since-checkpoint", type=int, default=0, metavar="N", help="trust checkpoint N and read what came after"
        )
        parser.add_argument(
            "--published",
            type=Path,
            metavar="FILE",
            help="lines that name checkpoints kept elsewhere, as the log prints them: checkpoint 12: <64 hex digits>",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        published = read_published(options["published"]) if options["published"] else {}
        began = time.monotonic()
        report = verify(since_checkpoint=options["since_checkpoint"], published=published)
        for finding in report.findings:
            self.stdout.write(str(finding))
        self.stdout.write(
            f"Read {report.lines:,} lines and {report.checkpoints:,} checkpoints in {time.monotonic() - began:.1f} s"
            f", compared {len(published):,} published."
        )
        if report.findings:
            raise CommandError(f"{len(report.findings)} findings. Nothing was changed. Keep this database as it is.")
        last = last_checkpoint()
        self.stdout.write(
            f"Everything holds. Last: {last}." if last else "Everything holds. There is no checkpoint yet."
        )


def read_published(path: Path) -> dict[int, str]:
    """Checkpoint numbers and hashes out of a log or a note; CommandError when there is none in it."""
    try:
        found = PUBLISHED.findall(path.read_text(errors="replace"))
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}. Nothing was checked.") from None
    if not found:
        raise CommandError(
            f"{path} names no checkpoint. Nothing was checked. A line reads: checkpoint 12: <64 hex digits>."
        )
    return {int(no): digest for no, digest in found}
