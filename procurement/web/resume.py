"""A form sent after the session ended, or before the second factor was given: its fields wait in the session meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from django.http import HttpRequest

SESSION_KEY = "kept_form"
MAX_BYTES = 64 * 1024
MAX_AGE_SECONDS = 60 * 60
_NEVER = ("csrfmiddlewaretoken",)


@dataclass(frozen=True)
class KeptForm:
    """Where the form was going and its fields in order; files are never kept, only that there were some."""

    path: str
    fields: list[tuple[str, str]]
    had_files: bool
    kept_at: float
    signed_in: bool = False

    @property
    def shown(self) -> list[tuple[str, str]]:
        """The fields a person recognises, with readable names."""
        return [(name.replace("_", " ").capitalize(), value) for name, value in self.fields if name != "once"]


def keep(request: HttpRequest, view: Callable[..., Any]) -> bool:
    """Keep the form of this POST. False when the view forbids it, a password is in it, or it is over 64 kB."""
    size = int(request.META.get("CONTENT_LENGTH") or 0)
    if getattr(view, "never_keep", False) or size > MAX_BYTES:
        return False
    fields = [(name, value) for name, values in request.POST.lists() if name not in _NEVER for value in values if value]
    if not fields or any("password" in name for name, _ in fields):
        return False
    form = KeptForm(request.get_full_path(), fields, bool(request.FILES), time.time(), request.user.is_authenticated)
    request.session[SESSION_KEY] = asdict(form)
    return True


def kept(request: HttpRequest) -> KeptForm | None:
    """The form waiting in this session, while it is under an hour old."""
    data = request.session.get(SESSION_KEY)
    if not data or time.time() - data["kept_at"] > MAX_AGE_SECONDS:
        return None
    return KeptForm(**{**data, "fields": [(name, value) for name, value in data["fields"]]})


def discard(request: HttpRequest) -> None:
    """Forget the waiting form."""
    request.session.pop(SESSION_KEY, None)
