"""The socket under every supplier call: one fresh connection, one deadline for all of it, no proxy, no redirect.

A live account is called by https at the usual port of a host that the installation lists (COUNTERSIGN_SUPPLIER_HOSTS),
only where all of the host's addresses are public, and the connection goes to an address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import httpcore
import httpx
from django.conf import settings

CONNECT, WRITE, READ, TOTAL = 5.0, 10.0, 30.0, 45.0
LARGEST_BODY = 2 * 1024 * 1024


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Certificates are read once for each process; environment variables cannot change them."""
    return httpx.create_ssl_context(trust_env=False)


class Deadline:
    """One moment by which the whole exchange is over; httpx itself only limits single reads."""

    def __init__(self, seconds: float = TOTAL) -> None:
        self.ends = time.monotonic() + seconds

    def left(self, timeout: float | None, error: type[Exception]) -> float:
        """The smaller of `timeout` and the time left, in seconds; raises `error` when there is none."""
        remaining = self.ends - time.monotonic()
        if remaining <= 0:
            raise error("The deadline of the whole exchange has passed.")
        return remaining if timeout is None else min(timeout, remaining)


class DeadlineStream(httpcore.NetworkStream):
    """A connection whose every wait is cut at the deadline, so that a dripping answer ends too."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self.stream, self.deadline = stream, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self.stream.read(max_bytes, self.deadline.left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.stream.write(buffer, self.deadline.left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self.stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self.deadline.left(timeout, httpcore.ConnectTimeout)
        return DeadlineStream(self.stream.start_tls(ssl_context, server_hostname, left), self.deadline)

    def get_extra_info(self, info: str) -> Any:
        return self.stream.get_extra_info(info)


def is_listed(address: str) -> bool:
    """Whether a live account may be called there: whoever runs the installation says it, not whoever manages accounts."""
    try:
        url = httpx.URL(address)
    except httpx.InvalidURL:
        return False
    return url.scheme == "https" and url.port is None and url.raw_host.decode() in settings.SUPPLIER_HOSTS


def public_address(host: str, port: int) -> str:
    """An address of `host`; refused unless all of them are public, so that no call goes into our own network."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except OSError:
        raise httpcore.ConnectError("The host name does not resolve.") from None
    if not found or not all(ipaddress.ip_address(address).is_global for address in found):
        raise httpcore.ConnectError("The host is not at a public address.")
    return sorted(found)[0]


class DeadlineBackend(httpcore.NetworkBackend):
    def __init__(self, deadline: Deadline, only_public: bool) -> None:
        self.inner = httpcore.SyncBackend()
        self.deadline, self.only_public = deadline, only_public

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        address = public_address(host, port) if self.only_public else host
        left = self.deadline.left(timeout, httpcore.ConnectTimeout)
        stream = self.inner.connect_tcp(address, port, left, local_address, socket_options)
        return DeadlineStream(stream, self.deadline)


class OneCallTransport(httpx.HTTPTransport):
    """HTTP/1.1 over a connection of its own, closed after one exchange; `only_listed` is the rule for live accounts."""

    def __init__(self, *, only_listed: bool, deadline: Deadline) -> None:
        self.only_listed = only_listed
        super().__init__(verify=tls_context(), trust_env=False, http1=True, http2=False, retries=0)
        # httpx has no parameter for the network backend, and only the backend can enforce one deadline.
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(),
            max_connections=1,
            max_keepalive_connections=0,
            http1=True,
            http2=False,
            retries=0,
            network_backend=DeadlineBackend(deadline, only_public=only_listed),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.only_listed and not is_listed(str(request.url)):
            raise httpx.ConnectError("The installation does not list this host.", request=request)
        return super().handle_request(request)
