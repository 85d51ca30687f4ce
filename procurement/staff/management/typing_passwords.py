"""Asking at the terminal for a password, twice and unseen."""

from __future__ import annotations

import getpass

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import CommandError

from procurement.staff.models import User


def ask_password(nothing: str, user: User | None = None) -> str:
    """What was typed twice. CommandError, ending with `nothing`, for two that differ and for one that is too weak."""
    password = getpass.getpass("Password: ")
    if password != getpass.getpass("Again: "):
        raise CommandError(f"The two passwords differ. {nothing}")
    try:
        validate_password(password, user)
    except ValidationError as wrong:
        raise CommandError(f"{' '.join(wrong.messages)} {nothing}") from None
    return password
