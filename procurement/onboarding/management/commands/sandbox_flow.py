"""`manage.py sandbox_flow`: the contract probe at each sandbox account, the whole job from mapping to reconciliation (R106)."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import CommandError

from procurement.onboarding.listening import listening
from procurement.onboarding.management.commands import contract_probe
from procurement.onboarding.services import PATIENCE
from procurement.suppliers.models import SANDBOX, SupplierAccount


class Command(contract_probe.Command):
    help = "Map, order one code, receive its webhook, store it and reconcile, at each supplier account of the sandbox."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--patience", type=int, default=PATIENCE, help="how often a step looks, a second apart, before it fails"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        accounts = list(SupplierAccount.objects.filter(environment=SANDBOX).order_by("code"))
        if not accounts:
            raise CommandError("No sandbox account is connected. Run the demo first, or connect one.")
        with listening():
            failures = [self.probe(account, read_only=False, patience=options["patience"]) for account in accounts]
        if any(failures):
            raise CommandError("\n".join(filter(None, failures)))
