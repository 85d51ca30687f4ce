"""The demo's folder: keys made once and readable by their owner alone, data that `--reset` wipes."""

from __future__ import annotations

import base64
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management.base import CommandError

DATA = ("countersign.sqlite3*", "sandbox.sqlite3*", "scheduler*", "broker", "logs", "static", "sample-data")


def make_folder(folder: Path) -> None:
    """Create the data folder, its logs and the keys (owner only), as far as they are missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("logs", "static"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)
    make_secret(folder / "master.key", base64.b64encode(secrets.token_bytes(32)).decode())
    make_secret(folder / "secret.key", secrets.token_urlsafe(64))


def make_secret(path: Path, value: str) -> None:
    """Write a new file that only its owner can read; a present one is left as it is."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "w") as file:
        file.write(value)


def wipe_data(folder: Path) -> None:
    """Remove databases, messages and logs; the keys stay."""
    for pattern in DATA:
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def only_demo(folder: Path) -> Iterator[None]:
    """Refuse a second demo on the same data: two schedulers and two sandboxes would share one file."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "demo.lock").open("w") as gate:
        try:
            fcntl.flock(gate, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CommandError(
                "The demo is running already, so it was not started again. Stop the other one first."
            ) from None
        yield
