"""Is it still the same person? What moves codes or keys asks for the second factor again, once in five minutes (decision 14).

The moment is kept in the session's row, so it belongs to one sign-in. Where no factor is demanded, in a sandbox, the
password of somebody who has set none up counts instead.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import resolve_url
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.staff import tries
from procurement.staff.factor import check, has_factor
from procurement.staff.models import User
from procurement.web import resume
from procurement.web.http import current_path, safe_next, see_other, with_query

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

SESSION_KEY = "stepped_up"
LASTS = timedelta(minutes=5)
FACTOR, PASSWORD = "factor", "password"


class WrongPassword(Refused):
    def __init__(self) -> None:
        super().__init__("This is not your password. Nothing was changed. Type it again.")


def fresh(request: HttpRequest) -> bool:
    """Whether the second factor was given in this session within five minutes; in a sandbox a password counts."""
    return recent(request) and (gave_factor(request) or not settings.FACTOR_REQUIRED)


def recent(request: HttpRequest) -> bool:
    """Whether factor or password were given in this session within five minutes."""
    at = request.session.get(SESSION_KEY, {}).get("at", 0.0)
    return 0 <= timezone.now().timestamp() - at <= LASTS.total_seconds()


def gave_factor(request: HttpRequest) -> bool:
    """Whether the second factor was given in this session at all."""
    return bool(request.session.get(SESSION_KEY, {}).get("by") == FACTOR)


def note(request: HttpRequest, by: str) -> None:
    """Keep in the session that the person proved just now who they are."""
    request.session[SESSION_KEY] = {"by": by, "at": timezone.now().timestamp()}


def step_up(request: HttpRequest, proof: str) -> None:
    """Take the second factor, or the password of somebody who has none; the session gets a new key.

    Raises WrongCode, WrongPassword or TooManyTries; the session is then as fresh as it was.
    """
    user = request.user
    assert isinstance(user, User)
    try:
        how = _check(user, proof, tries.browser_of(request, user))
    except Refused:
        record("user.step_up_failed", by=user, subject=user)
        raise
    record("user.stepped_up", by=user, subject=user, how=how)
    request.session.cycle_key()
    note(request, PASSWORD if how == PASSWORD else FACTOR)


def _check(user: User, proof: str, browser: str) -> str:
    if has_factor(user):
        return check(user, proof, browser=browser)
    check_password(user, proof, browser)
    return PASSWORD


def check_password(user: User, password: str, browser: str) -> None:
    """Raises WrongPassword or TooManyTries; misses are counted for each browser that is known."""
    tries.take("password", user.pk, browser, pace=tries.PROOF)
    if not user.check_password(password):
        raise WrongPassword
    tries.clear("password", user.pk, browser)


def ask(request: HttpRequest, back: str) -> HttpResponse:
    """Send the person to the step-up page, which comes back to `back`."""
    return see_other(request, with_query(resolve_url("staff:step_up"), next=back))


def stepped_up(view: View) -> View:
    """View decorator: asks for the second factor first, unless it is fresh. Stands below `@requires`.

    A form sent too late waits in the session like one sent after the session's end, if it may be kept; otherwise the
    person comes back to the page they were on.
    """

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if fresh(request) else ask(request, _way_back(request, guarded))

    return guarded  # type: ignore[return-value]


def _way_back(request: HttpRequest, view: Callable[..., Any]) -> str:
    if request.method in {"GET", "HEAD"} or getattr(request, "htmx", False):
        return current_path(request)
    if resume.keep(request, view):
        return resolve_url("resume")
    page = urlsplit(request.headers.get("Referer", ""))
    return safe_next(request, f"{page.path}?{page.query}" if page.query else page.path, settings.LOGIN_REDIRECT_URL)


@receiver(user_logged_in)
def _begin(sender: Any, request: HttpRequest, user: Any, **_: Any) -> None:
    """A sign-in by password alone; one that gave the factor too notes so itself."""
    if isinstance(user, User) and not has_factor(user):
        note(request, PASSWORD)
