"""`manage.py rewrap_keys`: wrap the stored keys with the present master key instead of the other one."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.audit.services import record
from procurement.errors import DomainError
from procurement.vault import keyring
from procurement.vault.models import CryptoKey


class Command(BaseCommand):
    help = (
        "Wrap the stored keys with COUNTERSIGN_MASTER_KEY that COUNTERSIGN_MASTER_KEY_OTHER wrapped. Safe to run again."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--again", action="store_true", help="all of them, after a rotation inside the key service")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            done, left = keyring.rewrap(again=options["again"]), keyring.wrapped_otherwise()
            if done:
                record("key.rewrapped", by=None, subject=CryptoKey.objects.latest("created_at"), count=done)
        except DomainError as error:
            raise CommandError(f"{error.sentence} What was wrapped anew before stays so; run this again.") from None
        if left:
            raise CommandError(f"{done} keys were wrapped anew; {left} came in meanwhile. Run this again.")
        self.stdout.write(
            f"{done} keys were wrapped anew; the present master key wraps all of them. "
            "COUNTERSIGN_MASTER_KEY_OTHER is not needed any more by this database, only by its backups until now."
        )
