"""What every answer gets: a request id, security headers, sentences instead of stack traces, no lost forms."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.shortcuts import resolve_url
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect

from procurement.errors import DomainError, NotAllowed
from procurement.web import request_id, resume
from procurement.web.http import current_path, with_query
from procurement.web.request_id import RequestIdFilter
from procurement.web.views import bad_request, refusal

__all__ = [
    "BodySizeMiddleware",
    "DomainErrorMiddleware",
    "NeverStoredMiddleware",
    "PlainTextMiddleware",
    "RequestIdFilter",
    "RequestIdMiddleware",
    "ResumeMiddleware",
    "SecurityHeadersMiddleware",
]

Handler = Callable[[HttpRequest], HttpResponse]
log = logging.getLogger(__name__)

# From nothing upwards: own scripts, styles and pictures in files, calls and forms of its own. No inline code, no eval, no frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
UNUSED = ("camera", "display-capture", "geolocation", "microphone", "payment", "publickey-credentials-get", "usb")
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": ", ".join(f"{feature}=()" for feature in UNUSED),
    "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": settings.X_FRAME_OPTIONS,
}


class RequestIdMiddleware:
    """Gives each request an id: in the log lines, in `X-Request-ID` and on error pages."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        identifier = request_id.begin(request.headers.get("X-Request-ID", ""))
        request.request_id = identifier  # type: ignore[attr-defined]
        response = self.get_response(request)
        response["X-Request-ID"] = identifier
        return response


class SecurityHeadersMiddleware:
    """The same headers on every answer there is, static files and refusals of other middleware included.

    It stands outside of all that may answer. A view may set a stricter one of its own.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.setdefault(name, value)
        return response


class NeverStoredMiddleware:
    """Nothing that a view answers is stored: a browser may restore a page from memory after the sign-out otherwise."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response["Cache-Control"] = "no-store, private"
        patch_vary_headers(response, ["HX-Request"])
        return response


class BodySizeMiddleware:
    """Refuses a body larger than any form's files, before it is read: Django puts files of any size on the disk first.

    A view that takes bytes has a limit of its own, and counts what it refuses.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        length = str(request.META.get("CONTENT_LENGTH") or "")
        small = not length.isdecimal() or int(length) <= settings.LARGEST_REQUEST
        if small or getattr(view, "takes_bytes", False):
            return None
        return refusal(request, "This is larger than anything the desk takes, 6 MB. Nothing was read or changed.", 413)


class PlainTextMiddleware:
    """Refuses a NUL in an address or a form with a sentence: no text field holds one, and PostgreSQL breaks on it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        sent = [request.path, *texts_of(request.GET)]
        # A view that takes bytes must find them unread: reading a form here would parse a stranger's body of any kind.
        if not getattr(view, "takes_bytes", False):
            sent += texts_of(request.POST)
        return bad_request(request) if any("\x00" in text for text in sent) else None


def texts_of(data: QueryDict) -> list[str]:
    """Every name and value of a query or a form."""
    return [text for name, values in data.lists() for text in (name, *values)]


class ResumeMiddleware:
    """Signed out: htmx is sent to the sign-in page as a whole page; a form's fields wait for the person's return."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: object, kwargs: object
    ) -> HttpResponse | None:
        if request.user.is_authenticated or not getattr(view, "login_required", True):
            return None
        login = resolve_url(settings.LOGIN_URL)
        if getattr(request, "htmx", False):
            return HttpResponseClientRedirect(with_query(login, next=current_path(request)))
        if request.method == "POST" and resume.keep(request, view):
            return HttpResponseRedirect(with_query(login, next=resolve_url("resume")))
        return None


class DomainErrorMiddleware:
    """Turns a DomainError into its status and its sentence, once for all views; who tried what they may not is in the log."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, DomainError):
            return None
        if isinstance(error, NotAllowed):
            log.warning("Person %s may not %s %s", request.user.pk, request.method, request.path)
        return refusal(request, error.sentence, error.status)
