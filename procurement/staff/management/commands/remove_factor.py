"""`manage.py remove_factor`: for somebody who lost both their phone and their recovery codes."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from procurement.staff.factor import remove
from procurement.staff.models import User


class Command(BaseCommand):
    help = "Remove somebody's second factor and recovery codes; they set up a new one at their next sign-in."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--reason", required=True, help="how you made sure that it is they who ask; kept in the record"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"Nobody signs in as {options['username']}. Nothing was removed.")
        if not remove(user, reason=options["reason"]):
            raise CommandError(f"{user} has no second factor. Nothing was removed.")
        self.stdout.write(f"{user} has no second factor any more, and sets up a new one at the next sign-in.")
