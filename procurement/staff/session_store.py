"""Django's session store over a table of our own, which knows whose session it is, since when, and where (decision 14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY as SIGNED_IN
from django.contrib.sessions.backends import db
from django.utils import timezone

from procurement.staff.models import Session

# What a session says of its sign-in; copied into columns of its own whenever it is saved.
ABOUT = "sign_in"
# A form waits this long for somebody to sign in, and nothing else is in a session of nobody.
WAITS = timedelta(hours=1)


def row_key(session_key: str) -> str:
    """The primary key of a session's row, which a page may show: the session's own key can't be told from it."""
    return sha256(session_key.encode()).hexdigest()


class SessionStore(db.SessionStore):
    """Ends thirty minutes after it was last saved and ten hours after the sign-in, whichever comes first."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _get_session_from_db(self) -> Session | None:
        key = row_key(self.session_key or "")
        row = Session.objects.filter(pk=key, expire_date__gt=timezone.now()).first()
        if row is None:
            self._session_key = None
        return row

    def exists(self, session_key: str) -> bool:
        return Session.objects.filter(pk=row_key(session_key)).exists()

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key:
            Session.objects.filter(pk=row_key(key)).delete()

    def get_expiry_age(self, **kwargs: Any) -> int:
        if SIGNED_IN not in self:
            return int(WAITS.total_seconds())
        began = self.get(ABOUT, {}).get("began", timezone.now().timestamp())
        left = began + settings.SESSION_LONGEST - timezone.now().timestamp()
        return int(min(settings.SESSION_COOKIE_AGE, left))

    def get_expiry_date(self, **kwargs: Any) -> datetime:
        return timezone.now() + timedelta(seconds=self.get_expiry_age())

    def create_model_instance(self, data: dict[str, Any]) -> Session:
        about = data.get(ABOUT, {})
        return Session(
            session_key=row_key(self._get_or_create_session_key()),  # type: ignore[attr-defined]
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(SIGNED_IN),
            began_at=_time(about.get("began")),
            seen_at=_time(about.get("seen")),
            browser=about.get("browser", ""),
            address=about.get("address", ""),
        )


def _time(stamp: float | None) -> datetime | None:
    return None if stamp is None else datetime.fromtimestamp(stamp, UTC)
