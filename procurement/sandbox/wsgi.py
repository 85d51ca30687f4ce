"""The sandbox's WSGI door, which can also hang up on a client instead of answering."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "procurement.sandbox.settings")

django_application = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer by Django; where a fault set `sandbox.hang_up`, close the connection without one byte of reply."""
    response = django_application(environ, start_response)
    how = environ.get("sandbox.hang_up")
    if how:
        response.close()
        hang_up(environ.get("gunicorn.socket"), reset=how == "reset")
    return response


def hang_up(connection: socket.socket | None, *, reset: bool) -> None:
    """End the connection by FIN, or by RST; gunicorn takes the broken pipe as a client that left."""
    if connection is not None:
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()
        else:
            connection.shutdown(socket.SHUT_RDWR)
    raise BrokenPipeError(32, "the sandbox hung up on purpose")
