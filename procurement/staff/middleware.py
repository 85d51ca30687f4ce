"""What holds for every page of a signed-in person: the second factor where it is demanded, and the end of the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from procurement.staff.factor import has_factor
from procurement.staff.models import User
from procurement.staff.sessions import touch
from procurement.staff.stepping_up import ask, gave_factor
from procurement.web.http import current_path, see_other

# Pages a person needs before their factor counts, by name.
BEFORE = frozenset(
    {"staff:factor", "staff:factor_begin", "staff:step_up", "login", "login_code", "logout", "stay", "preferences"}
)

# The page's script says so of what it asks for every few seconds.
POLLED = "X-Poll"


class FactorMiddleware:
    """Sends somebody who gave no second factor in this session to set one up, or to give it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        if not settings.FACTOR_REQUIRED or not getattr(view, "login_required", True):
            return None
        match, user = request.resolver_match, request.user
        if (match and match.view_name in BEFORE) or not isinstance(user, User) or gave_factor(request):
            return None
        if has_factor(user):
            return ask(request, current_path(request) if request.method == "GET" else "/")
        return see_other(request, resolve_url("staff:factor"))


class TouchMiddleware:
    """A page or a form that a person asks for moves the end of their session; what a page asks for by itself does not."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        asked_by_person = getattr(view, "login_required", True) and POLLED not in request.headers
        if asked_by_person and request.user.is_authenticated:
            touch(request)
        return None
