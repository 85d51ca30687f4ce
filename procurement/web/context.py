"""What base.html needs on every page, and nothing a page could ask for itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from procurement.staff.sessions import seconds_left
from procurement.web.http import is_fragment
from procurement.web.nav import navigation_for
from procurement.web.preferences import preferences_of
from procurement.web.request_id import current_request_id

PRODUCT = "Countersign"


def shell(request: HttpRequest) -> dict[str, Any]:
    """Product name, environment, preferences, navigation (built only when a full page shows it), request id."""
    user = getattr(request, "user", None)
    signed_in = bool(user and user.is_authenticated)
    idle, last = seconds_left(request) if signed_in else (0, 0)
    return {
        "product": PRODUCT,
        "sandbox": settings.ENVIRONMENT == "sandbox",
        "prefs": preferences_of(request),
        "signed_in": signed_in,
        "partial": is_fragment(request),
        "navigation": SimpleLazyObject(lambda: navigation_for(user, request.path) if signed_in else []),
        "request_id": current_request_id(),
        "session_age": settings.SESSION_COOKIE_AGE,
        "session_seconds": idle,
        "session_last": last,
    }
