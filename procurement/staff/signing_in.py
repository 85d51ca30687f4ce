"""Signing in, in two halves: the password, then the second factor of those who have one (decision 14)."""

from __future__ import annotations

from django.contrib.auth import login
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.staff.factor import check, has_factor
from procurement.staff.models import User
from procurement.staff.stepping_up import FACTOR, PASSWORD, note

SESSION_KEY = "half_signed_in"
HALF_LASTS_SECONDS = 5 * 60


def password_was_right(request: HttpRequest, user: User) -> bool:
    """Sign in somebody without a factor. Of anybody else the session remembers the half for five minutes: False."""
    if not has_factor(user):
        _sign_in(request, user, PASSWORD)
        return True
    request.session.cycle_key()
    # With the hash that a new password changes: a half made with the old one is none.
    half = {"user": user.pk, "hash": user.get_session_auth_hash(), "at": timezone.now().timestamp()}
    request.session[SESSION_KEY] = half
    return False


def half_signed_in(request: HttpRequest) -> User | None:
    """The person whose password was right in this browser within five minutes, and who may still sign in with it."""
    half = request.session.get(SESSION_KEY)
    if not half or not 0 <= timezone.now().timestamp() - half["at"] <= HALF_LASTS_SECONDS:
        return None
    user = User.objects.filter(pk=half["user"], is_active=True).first()
    return user if user and constant_time_compare(half["hash"], user.get_session_auth_hash()) else None


def give_factor(request: HttpRequest, user: User, code: str) -> None:
    """The second half. Raises WrongCode or TooManyTries; nobody is then signed in."""
    try:
        how = check(user, code)
    except Refused:
        record("user.sign_in_failed", by=None, subject=user, why="wrong code")
        raise
    _sign_in(request, user, how)
    note(request, FACTOR)


def _sign_in(request: HttpRequest, user: User, how: str) -> None:
    request.session.pop(SESSION_KEY, None)
    login(request, user, "django.contrib.auth.backends.ModelBackend")
    record("user.signed_in", by=user, subject=user, how=how)
