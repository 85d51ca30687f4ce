"""`manage.py calibrate_webhooks ACCOUNT`: which one scheme signed all of some captured deliveries."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.errors import DomainError
from procurement.staff.models import User
from procurement.suppliers.calibrating import (
    captured,
    findings_for,
    open_calibration,
    propose_scheme,
    scheme_words,
    start_calibration,
)
from procurement.suppliers.calibration import Delivery, read_captured
from procurement.suppliers.models import SupplierAccount


class Command(BaseCommand):
    help = (
        "Find the single webhook scheme that fits all of at least five captured deliveries. Each file holds one request: "
        "header lines, an empty line, the body byte for byte; its time of change is when it came. With --propose it is "
        "proposed in the name of a person; another administrator confirms it on the account's page."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("account", help="short name of the supplier account")
        parser.add_argument("files", nargs="*", type=Path, help="captured deliveries")
        parser.add_argument("--captured", action="store_true", help="use what the running calibration gathered")
        parser.add_argument("--propose", metavar="USERNAME", help="propose what was found, as this person")

    def handle(self, *args: Any, **options: Any) -> None:
        account = SupplierAccount.objects.filter(code=options["account"]).first()
        if account is None:
            raise CommandError(f"There is no supplier account {options['account']}.")
        if bool(options["files"]) == options["captured"]:
            raise CommandError("Name files, or --captured, and not both. Nothing was done.")
        try:
            deliveries = (
                self.gathered(account) if options["captured"] else [self.read(path) for path in options["files"]]
            )
            found = findings_for(account, deliveries)
            self.stdout.write(found.sentence)
            for scheme in found.fitting:
                for name, words in scheme_words(scheme.model_dump(mode="json")):
                    self.stdout.write(f"  {name}: {words}")
                self.stdout.write("")
            if found.scheme is None:
                raise CommandError("No scheme can be proposed.")
            if options["propose"]:
                self.propose(account, options["propose"], deliveries)
        except DomainError as error:
            raise CommandError(error.sentence) from None

    def gathered(self, account: SupplierAccount) -> list[Delivery]:
        calibration = open_calibration(account)
        if calibration is None:
            raise CommandError("No calibration of this account is under way. Start one on its webhook page.")
        return captured(calibration)

    def read(self, path: Path) -> Delivery:
        try:
            return read_captured(path.read_bytes(), datetime.fromtimestamp(path.stat().st_mtime, UTC))
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} {error if isinstance(error, ValueError) else 'cannot be read'}.") from None

    def propose(self, account: SupplierAccount, username: str, deliveries: list[Delivery]) -> None:
        person = User.objects.filter(username=username, is_active=True).first()
        if person is None:
            raise CommandError(f"There is no person {username}. Nothing was proposed.")
        if open_calibration(account) is None:
            start_calibration(by=person, account=account)
        propose_scheme(by=person, account=account, deliveries=deliveries)
        self.stdout.write("Proposed. Another administrator confirms it on the account's webhook page.")
