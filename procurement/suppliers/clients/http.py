"""The one place that speaks HTTP to suppliers. A call never raises for what happened on the wire: it returns a Reply.

What a Reply proves: `sent` is False only when not one byte of the request left; then nothing happened there. In every
other case the supplier may have acted, whatever error we saw (docs/decisions/0005).
"""

from __future__ import annotations

import time
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from django.conf import settings
from django.db import connection

from procurement.faultpoints import faultpoint
from procurement.suppliers.clients.problems import HttpInTransaction
from procurement.suppliers.clients.strict_json import CATALOGUE_MEMBERS, BadJson, parse
from procurement.suppliers.clients.transport import (
    CONNECT,
    LARGEST_BODY,
    READ,
    TOTAL,
    WRITE,
    Deadline,
    OneCallTransport,
)
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Secret

TIMEOUT = httpx.Timeout(connect=CONNECT, write=WRITE, read=READ, pool=1.0)
CONFIGURATION_ERRORS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError, ValueError)
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, *CONFIGURATION_ERRORS)


@dataclass(frozen=True)
class Call:
    """One request to make. `purpose` names it in the exchange log; `path` follows the account's base address."""

    purpose: str
    method: str
    path: str
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    codes_inside: bool = False


@dataclass(frozen=True)
class Reply:
    """What is known after a call. `data` is the parsed JSON; `error` a short class name, empty when all was well."""

    request_id: uuid.UUID
    sent: bool
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes = b""
    data: Any = None
    error: str = ""

    @property
    def is_json(self) -> bool:
        return self.error == "" and self.data is not None


def refuse_inside_transaction() -> None:
    """Raise HttpInTransaction when a transaction is open: a rollback would forget a call that was made.

    Only the wrapper that Django's TestCase puts around a whole test is let through, a block inside it is not.
    """
    blocks = getattr(connection, "atomic_blocks", [])
    if connection.in_atomic_block and (not blocks or not all(block._from_testcase for block in blocks)):
        raise HttpInTransaction


def transport_for(account: SupplierAccount, deadline: Deadline) -> httpx.BaseTransport:
    """The real socket, or what `settings.SUPPLIER_TRANSPORT(account)` gives (tests point it at a mock)."""
    hook = getattr(settings, "SUPPLIER_TRANSPORT", None)
    given = hook(account) if hook else None
    return given or OneCallTransport(only_listed=not account.is_sandbox, deadline=deadline)


def _decoded(body: bytes, encoding: str) -> bytes:
    """The body without its gzip wrapping; ValueError for other encodings, bad data and bombs."""
    if encoding in {"", "identity"}:
        return body
    if encoding != "gzip":
        raise ValueError("unknown encoding")
    unpacker = zlib.decompressobj(31)
    plain = unpacker.decompress(body, LARGEST_BODY + 1)
    if len(plain) > LARGEST_BODY or not unpacker.eof:
        raise ValueError("too large or cut short")
    return plain


class _Progress:
    """What was seen before an error, so that the evidence survives it."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        self.traced = self.started = self.headers_left = False
        self.status: int | None = None
        self.headers: Mapping[str, str] = {}
        self.body = bytearray()

    def trace(self, name: str, info: Mapping[str, Any]) -> None:
        self.traced = True
        self.started = self.started or name.endswith(".send_request_headers.started")
        self.headers_left = self.headers_left or name.endswith(".send_request_headers.complete")
        if name.endswith(".started"):
            faultpoint(f"http.{self.purpose}.{name.split('.')[-2]}")

    def sent(self, problem: Exception | None) -> bool:
        """Whether anything may have left. A mock transport gives no trace; there the kind of error decides."""
        if self.status is not None or problem is None:
            return True
        if not self.traced:
            return not isinstance(problem, NEVER_SENT)
        # An illegal header is found after the trace says "started" and before a byte is written.
        return self.headers_left if isinstance(problem, CONFIGURATION_ERRORS) else self.started


def _read(response: httpx.Response, seen: _Progress, deadline: Deadline) -> str:
    """Read the body into `seen`; the name of what was wrong with it, or nothing."""
    # A mock's answer is complete from the start and can't be read as a stream.
    for chunk in [response.content] if response.is_stream_consumed else response.iter_raw():
        seen.body += chunk
        if len(seen.body) > LARGEST_BODY:
            return "TooLarge"
        deadline.left(None, httpx.ReadTimeout)
    try:
        seen.body = bytearray(_decoded(bytes(seen.body), response.headers.get("content-encoding", "").lower()))
    except (ValueError, zlib.error):
        return "BadEncoding"
    return ""


def _exchange(
    account: SupplierAccount,
    call: Call,
    headers: Mapping[str, str],
    seen: _Progress,
    transport: httpx.BaseTransport | None,
) -> str:
    deadline = Deadline(TOTAL)
    with httpx.Client(
        transport=transport or transport_for(account, deadline),
        timeout=TIMEOUT,
        follow_redirects=False,
        trust_env=False,
    ) as client:
        request = client.build_request(
            call.method,
            account.base_url.rstrip("/") + call.path,
            params=dict(call.query) or None,
            content=call.body or None,
            headers=dict(headers),
            extensions={"trace": seen.trace},
        )
        response = client.send(request, stream=True)
        try:
            seen.status, seen.headers = response.status_code, response.headers
            return _read(response, seen, deadline)
        finally:
            response.close()


def _headers(key: Secret, call: Call, request_id: uuid.UUID) -> dict[str, str]:
    """R99: every request carries the key and asks for JSON."""
    headers = {
        "Authorization": f"Bearer {key.expose()}",
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": "countersign",
        "X-Request-Id": str(request_id),
        "Connection": "close",
    }
    return {**headers, "Content-Type": "application/json"} if call.body else headers


def _is_json_type(headers: Mapping[str, str]) -> bool:
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


def _parsed(seen: _Progress, error: str) -> tuple[Any, str]:
    """The JSON of the answer, or why there is none: R104 takes nothing else for an answer."""
    if error or not seen.body:
        return None, error or "EmptyBody"
    if not _is_json_type(seen.headers):
        return None, "NotJson"
    try:
        return parse(bytes(seen.body), members=CATALOGUE_MEMBERS), ""
    except BadJson:
        return None, "BadJson"


def send(
    account: SupplierAccount,
    call: Call,
    *,
    key: Secret,
    request_id: uuid.UUID,
    transport: httpx.BaseTransport | None = None,
) -> Reply:
    """Make one call and say what is known. Raises only HttpInTransaction, and what ends the process."""
    refuse_inside_transaction()
    seen = _Progress(call.purpose)
    try:
        error, sent = _exchange(account, call, _headers(key, call, request_id), seen, transport), True
    except (httpx.HTTPError, httpx.StreamError, *CONFIGURATION_ERRORS) as problem:
        # The text of the exception is dropped: an illegal header is quoted in it, and a header holds the key.
        error, sent = type(problem).__name__, seen.sent(problem)
    data, error = _parsed(seen, error) if seen.status is not None else (None, error)
    return Reply(request_id, sent, seen.status, seen.headers, bytes(seen.body), data, error)


def elapsed_ms(since: float) -> int:
    """Milliseconds since a `time.monotonic()` value."""
    return round((time.monotonic() - since) * 1000)
