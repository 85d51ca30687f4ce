"""The background loop: orders move on and webhooks go out unasked. Its whole state is in the database."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time

from procurement.sandbox import engine, memory, webhooks
from procurement.sandbox.models import RequestLog

TICK_SECONDS = 0.2
KEEP_REQUESTS = 100_000

logger = logging.getLogger(__name__)


def start(parent: int | None) -> None:
    threading.Thread(target=run, args=(parent,), name="sandbox-loop", daemon=True).start()


def run(parent: int | None) -> None:
    """Tick for ever; when the process `parent` is gone, stop the server too, so that none is left behind."""
    while parent is None or alive(parent):
        try:
            tick()
        except Exception:
            logger.exception("A tick of the sandbox failed; the next one tries again.")
        time.sleep(TICK_SECONDS)
    os.kill(os.getppid(), signal.SIGTERM)


def tick() -> None:
    if memory.world().loop_enabled:
        engine.advance_due()
        webhooks.send_due()
        newest = RequestLog.objects.order_by("-id").values_list("id", flat=True).first() or 0
        if newest > KEEP_REQUESTS:
            RequestLog.objects.filter(id__lte=newest - KEEP_REQUESTS).delete()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
