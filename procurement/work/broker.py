"""The embedded broker: messages as files in one folder, written so that no reader ever sees half of one.

kombu's own file transport opens a message under its final name and then fills it, while readers list and read without
a lock: they meet empty files and die. Here a message and a binding get their final name by one rename.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps, loads

SCHEME = "atomicfiles"


def write_whole(path: Path, text: str) -> None:
    """Give `path` its whole content at once."""
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.draft")
    draft.write_text(text)
    draft.rename(path)


class Channel(filesystem.Channel):
    """The file transport with atomic messages and bindings."""

    def _put(self, queue: str, payload: dict[str, Any], **kwargs: object) -> None:  # type: ignore[override]
        name = f"{time.time_ns()}_{uuid.uuid4().hex}.{queue}.msg"
        write_whole(Path(self.data_folder_out, name), dumps(payload))

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        """The oldest message of the queue; the reader whose rename succeeds owns it."""
        for name in sorted(os.listdir(self.data_folder_in)):
            if name.partition(".")[2] != f"{queue}.msg":
                continue
            taken = Path(self.processed_folder, name)
            try:
                Path(self.data_folder_in, name).rename(taken)
            except FileNotFoundError:
                continue  # another reader was faster
            found: dict[str, Any] = loads(taken.read_text())
            return found
        raise Empty

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Add the binding to the exchange's table, one writer at a time; readers see the old table or the new one."""
        table = self._exchange_file(exchange)
        binding = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with Path(self.control_folder, "lock").open("w") as gate:
            fcntl.flock(gate, fcntl.LOCK_EX)
            bindings = self.get_table(exchange)
            if binding not in bindings:
                write_whole(table, dumps([binding, *bindings]))


class Transport(filesystem.Transport):
    """kombu's file transport over the atomic channel."""

    Channel = Channel

    def establish_connection(self) -> object:
        """Create the broker's folders, readable by their owner only, before the first use."""
        options: dict[str, Any] = self.client.transport_options  # type: ignore[union-attr]
        for part in ("data_folder_in", "control_folder", "processed_folder"):
            Path(options[part]).mkdir(mode=0o700, parents=True, exist_ok=True)
        return super().establish_connection()


def register() -> None:
    """Make `atomicfiles://` a broker address; call it before the Celery application is built."""
    TRANSPORT_ALIASES[SCHEME] = f"{__name__}:Transport"


def options(folder: Path) -> dict[str, Any]:
    """kombu's transport options for a broker in `folder`."""
    return {
        "data_folder_in": str(folder / "inbox"),
        "data_folder_out": str(folder / "inbox"),
        "control_folder": str(folder / "control"),
        "processed_folder": str(folder / "processed"),
        # Kept until pruned: otherwise each message is moved to the system's temp folder first, often another disk.
        "store_processed": True,
        "polling_interval": 0.2,
    }


def prune(folder: Path, *, processed_age: float = 600, unread_age: float = 3600) -> int:
    """Remove taken messages older than `processed_age`, unread ones and drafts older than `unread_age` (seconds)."""
    now = time.time()
    removed = 0
    for part, age in (("processed", processed_age), ("inbox", unread_age), ("control", unread_age)):
        for path in (folder / part).glob("*.msg*" if part != "control" else "*.draft"):
            try:
                if now - path.stat().st_mtime > age:
                    path.unlink()
                    removed += 1
            except FileNotFoundError:
                continue  # a worker took or pruned it meanwhile
    return removed
