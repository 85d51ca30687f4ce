"""What only the desk's own account may read, such as a file with a key."""

from __future__ import annotations

from pathlib import Path

from procurement.errors import Unavailable


class KeyUnavailable(Unavailable):
    """The master key is missing, malformed, readable by others, out of reach, or not the one that wrapped the stored keys."""


def private_text(path: Path, what: str, forbidden: int) -> str:
    """What stands in a file that only its owner may read; KeyUnavailable if its mode has one of the `forbidden` bits."""
    try:
        if path.stat().st_mode & forbidden:
            raise KeyUnavailable(f"{what} may be read by others than its owner. It was not used; set its mode to 600.")
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise KeyUnavailable(
            f"{what} cannot be read. Nothing was sealed or opened; check its path and owner."
        ) from None
