"""The id that ties an answer, its log lines and a person's report together, and how a log line is written."""

from __future__ import annotations

import logging
import re
import time
import uuid
from contextvars import ContextVar
from copy import copy
from typing import Any

from procurement.web.failures import describe, trail

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


class LineFormatter(logging.Formatter):
    """One entry begins in the first column with its time in UTC; whatever follows it is indented, and control characters
    are spelled out. So no name, address or header that somebody sends can look like an entry of its own. An exception is
    written as its kinds and places, also where a line is given it to quote; its words stay out of the log."""

    converter = staticmethod(time.gmtime)
    default_time_format, default_msec_format = "%Y-%m-%dT%H:%M:%S", "%s.%03dZ"

    def formatException(self, ei: Any) -> str:
        return trail(ei[1]) if ei[1] else ""

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.args, tuple) and any(isinstance(arg, BaseException) for arg in record.args):
            record = copy(record)
            record.args = tuple(describe(arg) if isinstance(arg, BaseException) else arg for arg in record.args or ())
        lines = super().format(record).split("\n")
        return "\n    ".join("".join(map(_spelled, line)) for line in lines)


def _spelled(char: str) -> str:
    return char if char.isprintable() or char == "\t" else char.encode("unicode_escape").decode()
