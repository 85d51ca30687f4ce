"""Sign-ins as their people see them: which there are, when each ends, and ending them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Missing
from procurement.staff.models import Session, User
from procurement.staff.session_store import ABOUT, row_key
from procurement.web.http import sender_of

# A row is written at most so often, however many pages are opened.
NOTE_EVERY_SECONDS = 60
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS", "macOS"))


def touch(request: HttpRequest) -> None:
    """Somebody is at work here: move the end of the session, and note when and from where."""
    about, now = request.session.get(ABOUT, {}), timezone.now().timestamp()
    if now - about.get("seen", 0.0) >= NOTE_EVERY_SECONDS:
        request.session[ABOUT] = {**about, "seen": now, "address": sender_of(request)[:60]}


def seconds_left(request: HttpRequest) -> tuple[int, int]:
    """Seconds until this session ends if nothing happens, and until it ends whatever happens."""
    now = timezone.now().timestamp()
    about = request.session.get(ABOUT, {})
    last = about.get("began", now) + settings.SESSION_LONGEST - now
    idle = about.get("seen", now) + settings.SESSION_COOKIE_AGE - now
    return max(0, int(min(idle, last))), max(0, int(last))


def standing(user: User) -> list[Session]:
    """Somebody's sign-ins that have not ended, the one used last first."""
    rows = user.sessions.filter(expire_date__gt=timezone.now(), began_at__isnull=False)
    return list(rows.defer("session_data").order_by("-seen_at", "pk"))


def key_of(request: HttpRequest) -> str:
    """What names the session of this request among `standing`."""
    return row_key(request.session.session_key or "")


def end(*, by: User, key: str) -> None:
    """End one sign-in of one's own. Raises Missing for one that ended already or is somebody else's."""
    row = by.sessions.filter(pk=key).first()
    if row is None:
        raise Missing("This sign-in has ended already. Nothing was changed.")
    row.delete()
    record("user.session_ended", by=by, subject=by, browser=row.browser, address=row.address)


def end_all(user: User, *, but: str | None = None) -> int:
    """End every sign-in of somebody, but the session with the key `but`; how many there were."""
    rows = user.sessions.all() if but is None else user.sessions.exclude(pk=row_key(but))
    ended, _ = rows.delete()
    return int(ended)


def end_others(request: HttpRequest, user: User) -> int:
    """End one's own sign-ins everywhere but here; how many there were."""
    ended = end_all(user, but=request.session.session_key)
    if ended:
        record("user.sessions_ended", by=user, subject=user, count=ended)
    return ended


def sign_out_everywhere(*, by: User, person: User) -> int:
    """End every sign-in of somebody else, at once; how many there were."""
    ended = end_all(person)
    record("user.sessions_ended", by=by, subject=person, count=ended)
    return ended


def browser_words(agent: str) -> str:
    """What a User-Agent header says of itself, in a person's words: "Firefox on Windows"."""
    browser = next((word for mark, word in BROWSERS if mark in agent), "A browser")
    system = next((word for mark, word in SYSTEMS if mark in agent), "Linux" if "Linux" in agent else "")
    return f"{browser} on {system}" if system else browser


@receiver(user_logged_in)
def _begin(sender: Any, request: HttpRequest, **_: Any) -> None:
    now = timezone.now().timestamp()
    browser, address = browser_words(request.META.get("HTTP_USER_AGENT", "")), sender_of(request)[:60]
    request.session[ABOUT] = {"began": now, "seen": now, "browser": browser, "address": address}
