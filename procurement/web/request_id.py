"""The id that ties an answer, its log lines and a person's report together."""

from __future__ import annotations

import logging
import re
import uuid
from contextvars import ContextVar

_current: ContextVar[str] = ContextVar("request_id", default="-")
_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{8,64}")


def current_request_id() -> str:
    """The id of the request being answered, or "-" outside one."""
    return _current.get()


def begin(offered: str = "") -> str:
    """Take the proxy's id when it is harmless text, else make one, and keep it for this context."""
    value = offered if _ACCEPTABLE.fullmatch(offered) else uuid.uuid4().hex[:16]
    _current.set(value)
    return value


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to every log record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request_id = _current.get()
        return True
