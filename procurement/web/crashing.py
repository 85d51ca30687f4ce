"""What a process says when an error that nobody caught ends it or one of its threads: the kind and the place, never the words.

Python's own traceback ends with them, and they may quote what was in hand: a code, a key, a row.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

from procurement.errors import DomainError
from procurement.web.failures import mask, trail

ROOT = Path(__file__).resolve().parents[2]
OTHERS = {"site-packages", "dist-packages"}
log = logging.getLogger(__name__)


def keep_words_back() -> None:
    """From now on this process ends, and its threads end, without the words of an error."""
    sys.excepthook = say_crash
    threading.excepthook = log_thread
    sys.unraisablehook = log_unraisable


def crash_sentence(error: BaseException) -> str:
    """What failed, where in our code, and what to do. Sentences of our own are kept, long tokens in a refusal masked."""
    kind, frames = type(error).__name__, traceback.extract_tb(error.__traceback__)
    wrong_setting = isinstance(error, ImproperlyConfigured) and frames and _is_ours(frames[-1].filename)
    if isinstance(error, CommandError) or wrong_setting:
        return f"{kind}: {error}"
    if isinstance(error, DomainError):
        return f"{kind}: {mask(error.sentence)}"
    return (
        f"Ended by an error that nothing here expects: {kind}{_place(frames)}. Its words are kept back, for they may quote a "
        "code or a key; --traceback names every place it went through."
    )


def say_crash(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """In place of Python's traceback. At a prompt the person who asks reads the answer, words included."""
    if hasattr(sys, "ps1"):
        sys.__excepthook__(kind, error, where)
    elif isinstance(error, KeyboardInterrupt):
        sys.stderr.write("Interrupted.\n")
    else:
        places = f"\n{trail(error)}" if "--traceback" in sys.argv else ""
        sys.stderr.write(f"{crash_sentence(error)}{places}\n")


def log_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value and not isinstance(ended.exc_value, SystemExit):
        log.error("A thread ended by an error that nothing there expects\n%s", trail(ended.exc_value))


def log_unraisable(ignored: Any) -> None:
    """Of what failed while it was tidied up; Python would print the object too."""
    if ignored.exc_value:
        log.error("Something failed while it was tidied up\n%s", trail(ignored.exc_value))


def _place(frames: Sequence[traceback.FrameSummary]) -> str:
    """Where our own code stood last, and else where it failed."""
    for frame in ([frame for frame in frames if _is_ours(frame.filename)] or frames)[-1:]:
        path = Path(frame.filename)
        return f" at {path.relative_to(ROOT) if _is_ours(path) else path.name}:{frame.lineno} in {frame.name}"
    return ""


def _is_ours(file: str | Path) -> bool:
    path = Path(file)
    return path.is_relative_to(ROOT) and not OTHERS & set(path.parts)
