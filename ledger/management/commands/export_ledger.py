"""`manage.py export_ledger hledger|beancount|json`: the whole ledger as a journal, or as it is, on standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.exporting import export
from ledger.plaintext import STYLES, write


class Command(BaseCommand):
    help = (
        "Write the ledger as a journal that hledger or beancount reads (holds stand in accounts of their own), "
        "or as lines of JSON with all hashes, which import_ledger and verify_export.py read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("style", choices=[*sorted(STYLES), "json"])
        parser.add_argument(
            "--owner", default="", help="only the accounts of one owner, such as a supplier account's code"
        )
        parser.add_argument("--currency", default="", help="only the accounts in one currency, such as USD")

    def handle(self, *args: Any, **options: Any) -> None:
        narrowed = {"owner": options["owner"], "currency": options["currency"]}
        if options["style"] == "json" and any(narrowed.values()):
            raise CommandError("json is the whole ledger. Nothing was written. Leave out --owner and --currency.")
        for line in export() if options["style"] == "json" else write(options["style"], **narrowed):
            self.stdout.write(line)
