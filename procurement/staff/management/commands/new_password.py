"""`manage.py new_password`: for somebody who forgot theirs. Their second factor stays, and is asked for as before."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from procurement.audit.services import record
from procurement.staff.management.typing_passwords import ask_password
from procurement.staff.models import User
from procurement.staff.sessions import end_all


class Command(BaseCommand):
    help = "Set a new password for somebody who forgot theirs; they type it, twice. Their second factor stays."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument(
            "--reason", required=True, help="how you made sure that it is they who ask; kept in the record"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody signs in as {options['username']}. Nothing was changed.")
        user.set_password(ask_password("Nothing was changed.", user))
        with transaction.atomic():
            user.save(update_fields=["password"])
            end_all(user)
            record("user.password_set", by=None, subject=user, reason=options["reason"])
        self.stdout.write(f"{user} signs in with the new password and the second factor as before.")
