"""The supplier sandbox as a child process without a socket: requests come in over a pipe, and time with each of them.

Run as `python -m tests.simulation.engine_room`. Its own settings and an in-memory database of its own; the very views,
engine, faults and webhooks that the sandbox serves. Nothing here sleeps: what would have been waited is told.
"""

from __future__ import annotations

import io
import logging
import os
import pickle
import random
import secrets
import sqlite3
import sys
import time
from datetime import timedelta
from typing import Any, BinaryIO
from unittest.mock import patch
from urllib.parse import urlencode

import django
import time_machine


class EngineRoom:
    """Answers frames: (name, now as a timestamp, arguments) in, any picklable answer out."""

    def __init__(self) -> None:
        os.environ["DJANGO_SETTINGS_MODULE"] = "procurement.sandbox.settings"
        os.environ["SANDBOX_DB"] = ":memory:"
        django.setup()

        from django.core.management import call_command
        from django.db import connection

        from procurement.sandbox import catalogue
        from procurement.sandbox.models import Product
        from procurement.sandbox.wsgi import application

        logging.disable(logging.CRITICAL)
        call_command("migrate", verbosity=0)
        catalogue.load_defaults()
        Product.objects.exclude(region="US").delete()  # reading the rest again and again proves nothing
        self.application, self.connection = application, connection
        self.kept = sqlite3.connect(":memory:")
        connection.connection.backup(self.kept)
        self.clock = time_machine.travel(0, tick=False).start()
        self.slept = 0.0
        self.dice = random.Random(0)
        patch.object(time, "sleep", self.sleep).start()
        patch.object(secrets, "token_hex", lambda size=32: self.dice.randbytes(size).hex()).start()

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def reset(self, seed: int) -> None:
        """As it was when it started, with another seed for its codes and ids."""
        from procurement.sandbox import memory
        from procurement.sandbox.models import World

        self.kept.backup(self.connection.connection)
        World.objects.update(seed=seed, loop_enabled=False)
        memory.drop()
        self.dice = random.Random(seed)

    def forget_keys(self, older_than: float) -> int:
        """A supplier that remembers keys for less long than we may send them again; its references it keeps."""
        from procurement.sandbox import clock
        from procurement.sandbox.models import Order

        old = Order.objects.filter(created_at__lt=clock.now() - timedelta(seconds=older_than))
        return old.exclude(idempotency_key=None).update(idempotency_key=None)

    def request(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes, str, float]:
        """Status, headers, body, how it hung up instead ("" = it did not), and the seconds it took on purpose."""
        environ = environ_of(method, path, query, headers, body)
        begun: list[Any] = []
        self.slept = 0.0
        try:
            parts = self.application(environ, lambda status, found, exc_info=None: begun.extend([status, found]))
            content = b"".join(parts)
        except BrokenPipeError:
            return 0, [], b"", str(environ["sandbox.hang_up"]), self.slept
        return int(begun[0].split()[0]), begun[1], content, "", self.slept


def environ_of(method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes) -> dict[str, Any]:
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": urlencode(query),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ["CONTENT_TYPE" if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return environ


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer until the parent closes the pipe."""
    room = EngineRoom()
    pickle.dump("ready", sink)
    sink.flush()
    while True:
        try:
            name, now, arguments = pickle.load(source)
        except EOFError:
            return
        room.clock.move_to(now, tick=False)
        pickle.dump(getattr(room, name)(*arguments), sink)
        sink.flush()


if __name__ == "__main__":
    out = sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever prints must not end up between the frames
    serve(sys.stdin.buffer, out)
