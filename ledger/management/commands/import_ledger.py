"""`manage.py import_ledger FILE`: a whole ledger, as `export_ledger json` wrote it, into this empty one."""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from ledger.checkpoints import last_checkpoint
from ledger.errors import BadFile
from ledger.importing import load
from ledger.verifying import verify

TOLD_EVERY = 10_000


class Command(BaseCommand):
    help = (
        "Read a ledger that `export_ledger json` wrote into this database, whose ledger is empty: all of it or nothing, "
        "with every hash reckoned again and every rule of the database on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="the exported file; - is standard input")
        parser.add_argument("--no-verify", action="store_true", help="do not read all of it again at the end")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.monotonic()
        with ExitStack() as stack:
            if options["file"] == "-":
                lines = sys.stdin.buffer
            else:
                try:
                    lines = stack.enter_context(Path(options["file"]).open("rb"))
                except OSError as error:
                    raise CommandError(
                        f"{options['file']} cannot be read: {error.strerror}. Nothing was imported."
                    ) from None
            stack.enter_context(transaction.atomic())
            try:
                end = load(lines, self.told)
            except BadFile as error:
                raise CommandError(error.sentence) from None
            took = time.monotonic() - began
            if not options["no_verify"]:
                self.verified()
        counts = ", ".join(
            f"{end[name]:,} {name}" for name in ("accounts", "entries", "lines", "checkpoints", "closings")
        )
        rate = end["entries"] / max(took, 0.001)
        last = last_checkpoint()
        self.stdout.write(f"Imported {counts} in {took:.1f} s, {rate:,.0f} entries a second.")
        self.stdout.write(f"Last: {last}." if last else "There is no checkpoint yet.")

    def told(self, entries: int) -> None:
        if entries % TOLD_EVERY == 0:
            self.stderr.write(f"{entries:,} entries so far")

    def verified(self) -> None:
        self.stderr.write("Reading all of it again")
        for finding in (findings := verify().findings):
            self.stdout.write(str(finding))
        if findings:
            raise CommandError(
                f"{len(findings)} findings. Nothing was imported. Run `verify_ledger` where it was exported."
            )
