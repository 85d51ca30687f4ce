"""`manage.py rotate_keys`: replace the keys that seal, and seal everything anew, while the desk goes on."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.vault.columns import SEALED_COLUMNS
from procurement.vault.purposes import Purpose
from procurement.vault.rotation import rotate

WIDTH = 30


class Command(BaseCommand):
    help = "Replace the key of each purpose, or of the named one, and seal its values anew. Run it again after an interruption."

    def add_arguments(self, parser: ArgumentParser) -> None:
        names = sorted({column.purpose.value for column in SEALED_COLUMNS})
        parser.add_argument("purposes", nargs="*", metavar="PURPOSE", help=f"{', '.join(names)}; without one, all")
        parser.add_argument("--alone", action="store_true", help="web and workers are stopped: wait for nobody")

    def handle(self, *args: Any, **options: Any) -> None:
        known = {column.purpose.value: column.purpose for column in SEALED_COLUMNS}
        if unknown := [name for name in options["purposes"] if name not in known]:
            raise CommandError(
                f"Nothing is sealed for {unknown[0]}. Nothing was changed. There are {', '.join(known)}."
            )
        broken = 0
        for name in options["purposes"] or list(known):
            broken += self.rotate(known[name], alone=options["alone"])
        if broken:
            raise CommandError(
                f"{broken} values do not open. They were left as they are; everything else is sealed anew."
            )

    def rotate(self, purpose: Purpose, *, alone: bool) -> int:
        def bar(done: int, of: int) -> None:
            filled = WIDTH * done // max(done, of)
            self.stderr.write(
                f"\r{purpose.value} [{'#' * filled}{'.' * (WIDTH - filled)}] {done:,} of {of:,}", ending=""
            )

        def wait(seconds: float) -> None:
            self.stderr.write(f"\n{purpose.value}: other processes take up the new key within {seconds:.0f} s")
            time.sleep(seconds)

        began = time.monotonic()
        done = rotate(purpose, progress=bar, wait=None if alone else wait)
        for sentence in done.broken:
            self.stdout.write(sentence)
        self.stdout.write(
            f"Sealing now: {', '.join(done.keys)}; {done.sealed:,} values sealed anew in {time.monotonic() - began:.1f} s."
        )
        return len(done.broken)
