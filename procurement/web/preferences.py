"""Looks a person chooses for this browser: cookies, no account needed, read by the page shell and its script."""

from __future__ import annotations

from django.http import HttpRequest

COOKIE_AGE_SECONDS = 365 * 24 * 60 * 60
CHOICES: dict[str, tuple[str, ...]] = {
    "theme": ("system", "light", "dark"),
    "density": ("default", "compact", "roomy"),
    "zone": ("utc", "local"),
    "keys": ("on", "off"),
}


def preferences_of(request: HttpRequest) -> dict[str, str]:
    """Each preference as the cookie says, or its first choice."""
    chosen = {name: request.COOKIES.get(name, "") for name in CHOICES}
    return {name: value if value in CHOICES[name] else CHOICES[name][0] for name, value in chosen.items()}
