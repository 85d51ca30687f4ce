"""`manage.py export_ledger hledger|beancount`: the whole ledger as plain-text accounting, on standard output."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from ledger.plaintext import STYLES, write


class Command(BaseCommand):
    help = "Write the ledger as a journal that hledger or beancount reads. Holds stand in accounts of their own."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("style", choices=sorted(STYLES))
        parser.add_argument(
            "--owner", default="", help="only the accounts of one owner, such as a supplier account's code"
        )
        parser.add_argument("--currency", default="", help="only the accounts in one currency, such as USD")

    def handle(self, *args: Any, **options: Any) -> None:
        for line in write(options["style"], owner=options["owner"], currency=options["currency"]):
            self.stdout.write(line)
