"""Whether webhooks can arrive while a command runs: the desk takes them already, or the command does meanwhile."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, make_server

from django.conf import settings
from django.core.management.base import CommandError
from django.core.wsgi import get_wsgi_application


class QuietHandler(WSGIRequestHandler):
    """Answers without printing a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        return


def listening() -> AbstractContextManager[None]:
    """The desk's web server, if something answers at SITE_URL, else one of this process's own."""
    place = urlsplit(settings.SITE_URL)
    port = place.port or (443 if place.scheme == "https" else 80)
    try:
        socket.create_connection((place.hostname or "", port), timeout=3).close()
    except OSError:
        return own_desk(place.hostname or "", port)
    return nullcontext()


@contextmanager
def own_desk(host: str, port: int) -> Iterator[None]:
    """Serve the desk at SITE_URL in a thread, for the webhooks."""
    if host not in {"127.0.0.1", "localhost"}:
        raise CommandError(
            f"{settings.SITE_URL} does not answer, so no webhook can arrive. Start the web server first."
        )
    server = make_server(host, port, get_wsgi_application(), handler_class=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
