"""`manage.py add_person`: the first people of an installation, before anybody can sign in."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from procurement.audit.services import record
from procurement.staff.management.typing_passwords import ask_password
from procurement.staff.models import RoleGrant, User
from procurement.staff.roles import ROLES, clashes


class Command(BaseCommand):
    help = "Add a person with roles; asks for the password twice."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", required=True, help="as colleagues know them")
        parser.add_argument("--email", default="", help="one account for each address")
        parser.add_argument(
            "--role", action="append", required=True, choices=sorted(ROLES), help="may be given several times"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if User.objects.filter(username=options["username"]).exists():
            raise CommandError(f"{options['username']} is there already. Nothing was changed.")
        email = options["email"].strip().lower()
        if email and User.objects.filter(email__iexact=email).exists():
            raise CommandError(f"{email} has an account already. Nobody was added.")
        if two := clashes(options["role"]):
            raise CommandError(f"{two} exclude each other. Nobody was added.")
        password = ask_password("Nobody was added.")
        with transaction.atomic():
            user = User.objects.create_user(options["username"], password, display_name=options["name"], email=email)
            for role in dict.fromkeys(options["role"]):
                RoleGrant.objects.create(user=user, role=role)
                record("user.role_granted", by=None, subject=user, person=str(user), role=ROLES[role].label)
        self.stdout.write(f"{user} can sign in as {user.username}: {user.role_labels}.")
