"""`manage.py rotate_keys`: replace the keys that seal, and seal everything anew, while the desk goes on."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.audit.services import record
from procurement.vault.columns import SEALED_COLUMNS
from procurement.vault.models import CryptoKey
from procurement.vault.purposes import Purpose
from procurement.vault.reindexing import rotate_fingerprints
from procurement.vault.rotation import Rotation, rotate

WIDTH = 30
NAMES = sorted({column.purpose.value for column in SEALED_COLUMNS} | {Purpose.BIDX.value})


def note_new_key(key: CryptoKey) -> None:
    """In the transaction that lets it seal."""
    record("key.replaced", by=None, subject=key, key=str(key))


def note_values(purpose: Purpose, done: Rotation) -> None:
    """What a run did, if it did anything."""
    if done.sealed or done.broken:
        key = CryptoKey.objects.filter(purpose=purpose.value).latest("created_at")
        broken = len(done.broken)
        record("key.values_renewed", by=None, subject=key, count=done.sealed, broken=broken, purpose=purpose.value)


class Command(BaseCommand):
    help = "Replace the key of each purpose, or of the named one, and make its values anew. Run it again after an interruption."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("purposes", nargs="*", metavar="PURPOSE", help=f"{', '.join(NAMES)}; without one, all")
        parser.add_argument("--alone", action="store_true", help="web and workers are stopped: wait for nobody")

    def handle(self, *args: Any, **options: Any) -> None:
        if unknown := [name for name in options["purposes"] if name not in NAMES]:
            raise CommandError(
                f"Nothing is sealed for {unknown[0]}. Nothing was changed. There are {', '.join(NAMES)}."
            )
        broken = 0
        for name in options["purposes"] or NAMES:
            broken += self.rotate(Purpose(name), alone=options["alone"])
        if broken:
            raise CommandError(
                f"{broken} values do not open. They were left as they are; everything else is made anew."
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
        if purpose is Purpose.BIDX:
            done = rotate_fingerprints(progress=bar, replaced=note_new_key)
        else:
            done = rotate(purpose, progress=bar, wait=None if alone else wait, replaced=note_new_key)
        note_values(purpose, done)
        for sentence in done.broken:
            self.stdout.write(sentence)
        self.stdout.write(
            f"In use now: {', '.join(done.keys)}; {done.sealed:,} values made anew in {time.monotonic() - began:.1f} s."
        )
        return len(done.broken)
