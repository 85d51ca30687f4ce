"""The wish to stop: set on SIGTERM, read between two pieces of work, so that the one in hand is finished."""

from __future__ import annotations

import signal
import threading
from types import FrameType

stopping = threading.Event()


def stop_on_signals() -> None:
    """SIGTERM and SIGINT let the current handler finish and start no further one."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, request_stop)


def request_stop(signum: int = 0, frame: FrameType | None = None) -> None:
    stopping.set()
