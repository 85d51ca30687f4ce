"""Asking for pages in this process, through the same WSGI handler a web server would call."""

from __future__ import annotations

import gzip
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import RequestFactory
from django.urls import reverse

from procurement.demo.bench.urls import BARE
from procurement.staff.models import User
from procurement.staff.session_store import SessionStore

CSRF = "b" * 32


class BenchFailed(Exception):
    """Something that is measured did not do as it should: a sentence."""


@dataclass(frozen=True)
class Page:
    """One page, who opens it (a role), and what it is asked; `url_name` may be a path. `posted` is sent by POST."""

    name: str
    url_name: str
    role: str
    query: str = ""
    posted: dict[str, str] = field(default_factory=dict)
    is_list: bool = True

    @property
    def url(self) -> str:
        path = self.url_name if self.url_name.startswith("/") else reverse(self.url_name)
        return f"{path}?{self.query}" if self.query else path


NOTHING = Page("A page of nothing", BARE, "manager", is_list=False)
PAGES = (
    Page("Overview", "overview", "manager", is_list=False),
    Page("Orders", "orders:order_list", "manager"),
    Page("Orders, searched", "orders:order_list", "manager", "q=000"),
    Page("Approvals", "approvals:request_list", "manager"),
    Page("Cases", "claims:case_list", "support"),
    Page("Products and prices", "catalog:product_list", "manager"),
    Page("SKU mapping", "catalog:sku_list", "manager", "view=all"),
    Page("Ledger", "bookkeeping:ledger", "finance"),
    Page("Reconciliation", "reconciliation:day_list", "finance"),
    Page("Supplier accounts", "suppliers:account_list", "finance"),
    Page("Webhooks", "suppliers:webhook_list", "finance"),
    Page("Audit", "audit:event_list", "finance"),
    Page("Search, part of an id", "search", "support", "q=BENCH-0000", is_list=False),
    Page("Search, nothing found", "search", "manager", "q=nothing-is-called-so", is_list=False),
    Page("Search, last four of a code", "search", "support", posted={"q": "AAAA"}, is_list=False),
)


@dataclass(frozen=True)
class Sample:
    """What one page showed at one size: how many queries, seconds of each request, and the answer itself."""

    queries: int
    seconds: Sequence[float]
    body: bytes

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        """The time that 95 of 100 requests keep; the slowest of fewer than twenty."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, -(-len(ranked) * 95 // 100) - 1)]

    @property
    def kilobytes(self) -> tuple[float, float]:
        """Thousand bytes, as they are and compressed as a proxy would."""
        return len(self.body) / 1000, gzipped(self.body)


def gzipped(content: bytes) -> float:
    """Thousand bytes after gzip at its usual level."""
    return len(gzip.compress(content, 6, mtime=0)) / 1000


class Desk:
    """The application with one person of each role signed in."""

    def __init__(self, people: dict[str, User]) -> None:
        with warnings.catch_warnings(action="ignore"):
            # Whitenoise misses the folder of collected files, which only a live installation has.
            self.application = WSGIHandler()
        self.cookies = {role: f"{settings.SESSION_COOKIE_NAME}={session_of(user)}" for role, user in people.items()}

    def request(self, page: Page) -> dict[str, Any]:
        """A WSGI environment, good for one request."""
        cookies = f"{self.cookies[page.role]}; {settings.CSRF_COOKIE_NAME}={CSRF}"
        factory = RequestFactory(SERVER_NAME="localhost", HTTP_COOKIE=cookies)
        if page.posted:
            return factory.post(page.url, {**page.posted, "csrfmiddlewaretoken": CSRF}).environ
        return factory.get(page.url).environ

    def ask(self, page: Page) -> tuple[bytes, float]:
        """The answer and the seconds it took, from the handler's call to the end of the request; BenchFailed unless 200."""
        told: list[str] = []
        environ = self.request(page)

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            told.append(status)
            return lambda _: None

        began = time.perf_counter()
        answer = self.application(environ, start_response)
        body = b"".join(answer)
        answer.close()
        took = time.perf_counter() - began
        if not told[0].startswith("200"):
            raise BenchFailed(f"{page.name} ({page.url}) answered {told[0]} instead of 200 OK.")
        return body, took


def session_of(user: User) -> str:
    """The key of a session in which `user` is signed in."""
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


@contextmanager
def counted_queries() -> Iterator[list[str]]:
    """The statements sent to the database while this lasts."""
    found: list[str] = []

    def note(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        found.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield found


def measure(people: dict[str, User], pages: Sequence[Page], requests: int) -> dict[str, Sample]:
    """Each page once for its queries and its weight, then `requests` rounds over all pages for its times.

    Rounds, so that whatever else the machine does falls on every page alike.
    """
    desk = Desk(people)
    for page in pages:
        desk.ask(page)
    queries, bodies = {}, {}
    for page in pages:
        with counted_queries() as found:
            bodies[page.name], _ = desk.ask(page)
        queries[page.name] = len(found)
    seconds: dict[str, list[float]] = {page.name: [] for page in pages}
    for _ in range(requests):
        for page in pages:
            seconds[page.name].append(desk.ask(page)[1])
    return {page.name: Sample(queries[page.name], seconds[page.name], bodies[page.name]) for page in pages}
