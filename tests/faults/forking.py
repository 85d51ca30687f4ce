"""A child of this process, forked so that everything is loaded already; what it returns comes back as JSON."""

from __future__ import annotations

import gc
import json
import logging
import os
import signal
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections


@dataclass(frozen=True)
class Ended:
    """How a child ended: killed by itself, or with a result, or with what went wrong."""

    killed: bool
    result: Any = None
    error: str = ""


def in_a_child(work: Callable[[], Any]) -> Ended:
    """Run `work` in a process of its own with its own connections, and wait for its end."""
    connections.close_all()
    # What is loaded stays loaded: the child need not look through it for rubbish, nor copy its pages.
    gc.freeze()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        told = Path(folder) / "result.json"
        child = os.fork()
        if child == 0:
            run_and_leave(work, told)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            killed = os.WTERMSIG(status) == signal.SIGKILL
            return Ended(killed, error="" if killed else f"ended by signal {os.WTERMSIG(status)}")
        said = json.loads(told.read_text())
        return Ended(False, said.get("result"), said.get("error", ""))


def run_and_leave(work: Callable[[], Any], told: Path) -> None:
    """Never returns: what the parent would do next is none of the child's business."""
    logging.disable(logging.CRITICAL)
    try:
        said: dict[str, Any] = {"result": work()}
    except BaseException:  # whatever happens here, the parent must hear of it
        said = {"error": traceback.format_exc()}
    try:
        told.write_text(json.dumps(said))
        connections.close_all()
    finally:
        os._exit(0)
