"""The network between us and the suppliers, with everything that can happen on it; virtual time passes here.

It tells httpx's trace what a real connection would (docs/decisions/0005), so that evidence is judged as in production.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn

import httpx
from django.utils import timezone

from tests.simulation.suppliers import Suppliers

# What can happen to one call. In the first group the supplier never sees it, in the second it acts, in the third later.
UNSEEN = (
    "refused",
    "connect_timeout",
    "reset_before",
    "gateway_502",
    "busy_503",
    "throttled_429",
    "denied_403",
    "invalid_422",
)
SEEN = (
    "reset_after",
    "closed_after",
    "lost",
    "slow",
    "error_500_after",
    "html_502_after",
    "request_timeout_408_after",
    "cut_body",
    "cut_json",
    "empty_201",
    "no_id",
    "worker_stalls",
    "second_worker",
)
LATE = ("late",)
FAULTS = (*UNSEEN, *SEEN, *LATE)
# Answers bent on the way back from a reading.
READ_FAULTS = (*UNSEEN[:-2], "reset_after", "lost", "slow", "cut_json", "html_502_after", "backwards")
READ_TIMEOUT = 30.0
PROXY_PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
JSON, HTML = "application/json", "text/html"


@dataclass
class Late:
    """A request that the network delivers after its sender has given up."""

    at: datetime
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Stream(httpx.SyncByteStream):
    """A body that may end before its stated length."""

    def __init__(self, content: bytes, *, cut: bool) -> None:
        self.content, self.cut = content, cut

    def __iter__(self) -> Iterator[bytes]:
        yield self.content
        if self.cut:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")


class Wire(httpx.BaseTransport):
    """Carries calls to the suppliers. `next_fault` says what happens to each; `pass_time` moves both sides' clock."""

    def __init__(
        self,
        suppliers: Suppliers,
        dice: random.Random,
        pass_time: Callable[[float], None],
        note: Callable[[str, str, str], None],
    ) -> None:
        self.suppliers, self.dice, self.pass_time, self.note = suppliers, dice, pass_time, note
        self.planned: dict[str, list[str]] = {"order": [], "read": []}
        self.late: list[Late] = []
        self.balance_lag = 0.0
        # How likely a call meets a fault that nobody planned.
        self.weather = {"order": 0.0, "read": 0.0}
        self.second_worker: Callable[[], None] = lambda: None
        self.point: Callable[[str, bool], None] = lambda where, paid: None

    def plan(self, where: str, fault: str) -> None:
        """Let the next order POST, or the next reading, meet this fault."""
        self.planned[where].append(fault)

    def heal(self) -> None:
        self.planned = {"order": [], "read": []}
        self.weather = {"order": 0.0, "read": 0.0}
        self.balance_lag = 0.0

    def fault_of(self, where: str) -> str:
        """What happens to this call: what was planned for it, or what the weather brings."""
        if self.planned[where]:
            return self.planned[where].pop(0)
        if self.dice.random() >= self.weather[where]:
            return ""
        return self.dice.choice(FAULTS if where == "order" else READ_FAULTS)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        paid = request.method == "POST" and request.url.path.endswith("/orders")
        fault = self.fault_of("order" if paid else "read")
        try:
            response = self.carry(request, fault, paid)
        except httpx.HTTPError as error:
            self.note("wire", f"{request.method} {request.url.path} [{fault or 'ok'}]", type(error).__name__)
            raise
        self.note("wire", f"{request.method} {request.url.path} [{fault or 'ok'}]", str(response.status_code))
        return response

    def carry(self, request: httpx.Request, fault: str, paid: bool) -> httpx.Response:
        trace = request.extensions.get("trace") or (lambda name, info: None)
        body = request.read()
        self.point("before the request", paid)
        if fault in {"refused", "connect_timeout"}:
            trace("connection.connect_tcp.started", {})
            self.pass_time(5.0 if fault == "connect_timeout" else 0.01)
            raise httpx.ConnectTimeout("timed out") if fault == "connect_timeout" else httpx.ConnectError("refused")
        trace("http11.send_request_headers.started", {})
        trace("http11.send_request_headers.complete", {})
        self.pass_time(self.dice.uniform(0.01, 0.1))
        if fault in UNSEEN:
            return self.unseen(fault)
        if fault == "late":
            self.delay(request, body)
        if paid and fault in {"worker_stalls", "second_worker"}:
            self.pass_time(200.0 if fault == "worker_stalls" else 0.1)
            self.second_worker()
        status, headers, content, hung_up, slept = self.deliver(request, body)
        self.point("after the supplier acted", paid)
        self.pass_time(slept if slept < READ_TIMEOUT else READ_TIMEOUT)
        if hung_up or slept >= READ_TIMEOUT:
            raise httpx.ReadTimeout("timed out") if slept >= READ_TIMEOUT else lost_connection(hung_up)
        if paid and fault == "worker_stalls":
            self.pass_time(200.0)
            self.second_worker()
        return self.answer(fault, status, headers, content)

    def unseen(self, fault: str) -> httpx.Response:
        """What comes back although the supplier saw nothing."""
        if fault == "reset_before":
            raise httpx.ReadError("reset")
        if fault == "gateway_502":
            return httpx.Response(502, headers={"Content-Type": HTML}, stream=Stream(PROXY_PAGE, cut=False))
        status = int(fault[-3:])
        content = json.dumps({"error": {"code": fault[:-4], "message": "Not now."}}).encode()
        headers = {"Content-Type": JSON} | ({"Retry-After": "15"} if status in {429, 503} else {})
        return httpx.Response(status, headers=headers, stream=Stream(content, cut=False))

    def delay(self, request: httpx.Request, body: bytes) -> NoReturn:
        """The request stays on the way: we give up after 30 seconds, the supplier sees it later."""
        at = timezone.now() + timedelta(seconds=READ_TIMEOUT + self.dice.uniform(1, 180))
        self.late.append(Late(at, request.method, request.url.path, dict(request.headers), body))
        self.pass_time(READ_TIMEOUT)
        raise httpx.ReadTimeout("timed out")

    def deliver(self, request: httpx.Request, body: bytes) -> tuple[int, list[tuple[str, str]], bytes, str, float]:
        query, path = dict(request.url.params), request.url.path
        found = self.suppliers.request(request.method, path, query, dict(request.headers), body)
        if self.balance_lag and path.endswith("/balance") and found[0] == 200:
            return (*found[:2], self.lagged(path, found[2]), *found[3:])
        return found

    def lagged(self, path: str, content: bytes) -> bytes:
        """The balance as it was a while ago: postings of that time do not show yet."""
        supplier = "alpha" if path.startswith("/alpha") else "psnb2b"
        since = (timezone.now() - timedelta(seconds=self.balance_lag)).isoformat()
        rows = self.suppliers.control("GET", "movements", supplier=supplier)["movements"]
        recent = sum(row["minor"] for row in rows if row["at"] > since and row["kind"] in {"order", "refund"})
        data = json.loads(content)
        place, name = (data["balances"][0], "available") if supplier == "alpha" else (data, "balance")
        shown = round(float(place[name]) * 100) - recent
        place[name] = f"{shown // 100}.{shown % 100:02d}"
        return json.dumps(data).encode()

    def answer(self, fault: str, status: int, headers: list[tuple[str, str]], content: bytes) -> httpx.Response:
        """The supplier's answer as the fault lets it through."""
        self.raise_lost(fault)
        if fault == "slow":
            self.pass_time(self.dice.uniform(5, 25))
        if fault in {"error_500_after", "request_timeout_408_after"}:
            status, content = (500 if "500" in fault else 408), b'{"error":{"code":"oops","message":"Broken."}}'
        if fault == "html_502_after":
            return httpx.Response(502, headers={"Content-Type": HTML}, stream=Stream(PROXY_PAGE, cut=False))
        if fault == "empty_201":
            content = b""
        if fault == "no_id" and status < 300:
            content = b'{"status":"accepted"}'
        if fault == "backwards":
            content = backwards(content)
        if fault in {"cut_body", "cut_json"}:
            content = content[: len(content) // 2]
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        return httpx.Response(status, headers=kept, stream=Stream(content, cut=fault == "cut_body"))

    def raise_lost(self, fault: str) -> None:
        if fault == "lost":
            self.pass_time(READ_TIMEOUT)
            raise httpx.ReadTimeout("timed out")
        if fault in {"reset_after", "closed_after"}:
            raise lost_connection("reset" if fault == "reset_after" else "close")

    def deliver_late(self) -> int:
        """Hand over what was still on the way and is due by now; nobody waits for these answers."""
        now = timezone.now()
        due = [one for one in self.late if one.at <= now]
        self.late = [one for one in self.late if one.at > now]
        for one in due:
            status, *_ = self.suppliers.request(one.method, one.path, {}, one.headers, one.body)
            self.note("wire", f"late {one.method} {one.path}", str(status))
        return len(due)


def lost_connection(how: str) -> httpx.HTTPError:
    return httpx.ReadError("reset") if how == "reset" else httpx.RemoteProtocolError("Server disconnected")


def backwards(content: bytes) -> bytes:
    """An order shown in its first state again."""
    try:
        data: Any = json.loads(content)
    except ValueError:
        return content
    first = {"completed": "processing", "partially_completed": "processing", "delivered": "pending", "paid": "pending"}
    if isinstance(data, dict) and data.get("status") in first:
        data["status"] = first[data["status"]]
    return json.dumps(data).encode()
