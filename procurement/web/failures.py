"""What may be kept of a failure: its kind and its place, never its arguments, which can hold a code or a key."""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath

from procurement.errors import DomainError

LIMIT = 300
# Groups of letters and digits as printed on a gift card, and any long run without spaces: keys, tokens, digests.
SECRETIVE = re.compile(r"\b[A-Za-z0-9]{4,5}(?:-[A-Za-z0-9]{4,5}){2,}\b|[A-Za-z0-9+/_=-]{12,}")
WORD = re.compile(r"[A-Za-z]?[a-z-]+")


def describe(error: BaseException) -> str:
    """`StaleState: <sentence, long tokens masked>` for our own errors, `ValueError at a/b.py:12 in f` for others."""
    name = type(error).__name__
    if isinstance(error, DomainError):
        return f"{name}: {mask(error.sentence)}"[:LIMIT]
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return name[:LIMIT]
    last = frames[-1]
    place = "/".join(PurePath(last.filename).parts[-2:])
    return f"{name} at {place}:{last.lineno} in {last.name}"[:LIMIT]


def mask(sentence: str) -> str:
    return SECRETIVE.sub(lambda match: match[0] if WORD.fullmatch(match[0]) else "***", sentence)


def trail(error: BaseException) -> str:
    """The stack of an exception and of its causes as places only, for the log."""
    lines: list[str] = []
    current: BaseException | None = error
    while current is not None and len(lines) < 40:
        lines.append(type(current).__name__)
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)
        ]
        current = current.__cause__ or current.__context__
    return "\n".join(lines)
