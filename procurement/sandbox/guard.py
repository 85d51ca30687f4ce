"""Who may use the controls and the desk: this computer, or a bearer of SANDBOX_CONTROL_TOKEN."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase

POLICY = "default-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"


class LocalOnlyMiddleware:
    """Refuses strangers at everything that is not a supplier's API, and requests that another site's page sends."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "sandbox.call" in request.META:
            return self.get_response(request)
        request.get_host()  # a foreign name that resolves to this computer is refused with 400
        if not (is_local(request.META.get("REMOTE_ADDR", "")) or bears_token(request)):
            refusal = HttpResponse("These controls answer to this computer only. Nothing was changed.\n", status=401)
            refusal["WWW-Authenticate"] = 'Basic realm="supplier sandbox"'
            return refusal
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method != "GET":
            return HttpResponse("Another site's page sent this. Nothing was changed.\n", status=403)
        response = self.get_response(request)
        response["Content-Security-Policy"] = POLICY
        response["X-Content-Type-Options"] = "nosniff"
        response["Cache-Control"] = "no-store"
        return response


def is_local(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def bears_token(request: HttpRequest) -> bool:
    """The token as a bearer, or as the password of HTTP Basic, which a browser asks for."""
    if not settings.CONTROL_TOKEN:
        return False
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            given = base64.b64decode(given).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    return hmac.compare_digest(given.encode(), settings.CONTROL_TOKEN.encode())
