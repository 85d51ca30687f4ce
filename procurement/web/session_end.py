"""When this sign-in ends, so that the page can warn two minutes before and offer to stay."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest

SESSION_KEY = "renewed_at"


def renew(request: HttpRequest) -> None:
    """Start the session's time anew: writing to it moves its end by SESSION_COOKIE_AGE seconds."""
    request.session[SESSION_KEY] = time.time()


def seconds_left(request: HttpRequest) -> int:
    """Seconds until this session ends; the full time for a session that was never renewed."""
    renewed = request.session.get(SESSION_KEY, time.time())
    return max(0, int(renewed + settings.SESSION_COOKIE_AGE - time.time()))


@receiver(user_logged_in)
def _begin(sender: Any, request: HttpRequest, **_: Any) -> None:
    renew(request)
