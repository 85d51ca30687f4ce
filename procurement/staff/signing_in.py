"""Signing in, in two halves: name and password, then the second factor of those who have one (decision 14).

Each half is slowed (`tries`). An unknown name gets the same answer as a wrong password, after the same work.
"""

from __future__ import annotations

from django.contrib.auth import authenticate, login
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.staff import tries
from procurement.staff.factor import check, has_factor
from procurement.staff.models import User
from procurement.staff.stepping_up import FACTOR, PASSWORD, note

SESSION_KEY = "half_signed_in"
HALF_LASTS_SECONDS = 5 * 60
BACKEND = "django.contrib.auth.backends.ModelBackend"


class WrongSignIn(Refused):
    """No person of this name, or not their password, or they may not sign in: it is not said which."""

    def __init__(self) -> None:
        super().__init__("Name or password are wrong. Nobody was signed in. Try again; capitals matter in both.")


def check_password(request: HttpRequest, username: str, password: str) -> User:
    """The person of this name and password. Raises WrongSignIn or TooManyTries; a miss is counted and on record."""
    known = User.objects.filter(username=username).first()
    guesses = _guesses(username, tries.browser_of(request, known), tries.place_of(request))
    for names, pace in guesses.items():
        tries.take(*names, pace=pace)
    user = authenticate(request, username=username, password=password)
    if not isinstance(user, User):
        _note_miss(request, known, "wrong name or password")
        raise WrongSignIn
    for names, pace in guesses.items():
        (tries.give_back if pace is tries.ADDRESS else tries.clear)(*names)
    return user


def _guesses(username: str, browser: str, place: str) -> dict[tuple[str, ...], tries.Pace]:
    """What a password is guessed at: by a browser its own; by a stranger the address, the name, and the name from there."""
    if browser:
        return {("password", username, browser): tries.PROOF}
    return {
        ("address", place): tries.ADDRESS,
        ("name", username): tries.NAME,
        ("password", username, place): tries.PROOF,
    }


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
        how = check(user, code, browser=tries.browser_of(request, user))
    except Refused:
        _note_miss(request, user, "wrong code")
        raise
    _sign_in(request, user, how)
    note(request, FACTOR)


def _sign_in(request: HttpRequest, user: User, how: str) -> None:
    request.session.pop(SESSION_KEY, None)
    login(request, user, BACKEND)
    record("user.signed_in", by=user, subject=user, how=how, address=tries.sender_of(request))


def _note_miss(request: HttpRequest, user: User | None, why: str) -> None:
    """What was typed as a name stands nowhere, unless somebody has it: it may be a password."""
    subject = user or User(display_name="a name nobody has")
    record("user.sign_in_failed", by=None, subject=subject, source="person", why=why, address=tries.sender_of(request))
