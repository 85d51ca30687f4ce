"""Looks a person chooses for this browser: cookies, no account needed, read by the page shell and its script."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest

COOKIE_AGE_SECONDS = 365 * 24 * 60 * 60
CHOICES: dict[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "density": ("default", "compact", "roomy"),
    "zone": ("utc", "local"),
    "keys": ("on", "off"),
}


def cookie_of(name: str) -> str:
    """The cookie's name; over https only this very host may set it, and the browser sees to that."""
    return f"__Host-{name}" if settings.SESSION_COOKIE_SECURE else name


def preferences_of(request: HttpRequest) -> dict[str, str]:
    """Each preference as the cookie says, or its first choice."""
    chosen = {name: request.COOKIES.get(cookie_of(name), "") for name in CHOICES}
    return {name: value if value in CHOICES[name] else CHOICES[name][0] for name, value in chosen.items()}
