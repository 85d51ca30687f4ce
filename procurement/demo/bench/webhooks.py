"""Webhook intake beside a bare view that reads the body and inserts one row: the same requests, in turn, in one run."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import statistics
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.test import RequestFactory
from django.test.utils import override_settings
from django.urls import reverse
from django.utils import timezone

from procurement.demo.bench.measuring import BenchFailed, counted_queries
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database
from procurement.demo.bench.urls import BARE_INTAKE
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import create_account, set_webhook_secret

SECRET = "whsec_of_the_bench"  # noqa: S105 - of a database that is dropped
URLCONF = "procurement.demo.bench.urls"
WARM_UP = 50


@dataclass(frozen=True)
class Intake:
    """Seconds of each request at one address, and the queries of one."""

    name: str
    queries: int
    seconds: Sequence[float]

    @property
    def per_second(self) -> float:
        return len(self.seconds) / sum(self.seconds)

    def quantile(self, share: float) -> float:
        """The time that `share` of the requests keep, in milliseconds."""
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))] * 1000


def message(number: int) -> tuple[bytes, str]:
    """A PSN:B2B event about an order of its own, and its signature."""
    data = {
        "event": "order.status_changed",
        "order_id": f"bench-{number}",
        "status": "delivered",
        "previous_status": "paid",
        "timestamp": timezone.now().isoformat(),
    }
    raw = json.dumps(data).encode()
    return raw, hmac.new(SECRET.encode(), raw, hashlib.sha256).hexdigest()


class Sender:
    """The application as a web server calls it."""

    def __init__(self) -> None:
        with warnings.catch_warnings(action="ignore"):
            self.application = WSGIHandler()
        self.number = 0

    def send(self, url: str) -> float:
        """Send the next message; the seconds until its answer was complete, BenchFailed unless it is 200."""
        self.number += 1
        raw, signature = message(self.number)
        factory = RequestFactory(SERVER_NAME="localhost", HTTP_X_PSNB2B_SIGNATURE=signature)
        environ = factory.post(url, raw, content_type="application/json").environ
        environ["wsgi.input"] = io.BytesIO(raw)
        told: list[str] = []

        def start_response(status: str, headers: Any, exc_info: Any = None) -> Callable[[bytes], object]:
            told.append(status)
            return lambda _: None

        began = time.perf_counter()
        answer = self.application(environ, start_response)
        b"".join(answer)
        answer.close()
        took = time.perf_counter() - began
        if not told[0].startswith("200"):
            raise BenchFailed(f"{url} answered {told[0]} instead of 200 OK.")
        return took


def account_of_the_bench() -> SupplierAccount:
    account = create_account(
        by=None,
        code="bench",
        name="Bench",
        dialect="psnb2b",
        base_url="http://supplier.invalid/v1",
        settlement_currency="USD",
    )
    set_webhook_secret(by=None, account=account, secret=SECRET)
    return account


def measure_intake(requests: int) -> list[Intake]:
    """`requests` messages to each address in turn, so that whatever else the machine does falls on both alike."""
    limits = {"address": (1e6, 10**6), "sender": (1e6, 10**6)}
    with bench_settings(URLCONF), override_settings(WEBHOOK_LIMITS=limits), scratch_database():
        urls = {"webhook address": reverse("suppliers:hook", args=[account_of_the_bench().hook_slug])}
        urls["bare view, one INSERT"] = BARE_INTAKE
        sender = Sender()
        seconds: dict[str, list[float]] = {name: [] for name in urls}
        queries = {}
        for name, url in urls.items():
            for _ in range(WARM_UP):
                sender.send(url)
            with counted_queries() as found:
                sender.send(url)
            queries[name] = len(found)
        for _ in range(requests):
            for name, url in urls.items():
                seconds[name].append(sender.send(url))
        return [Intake(name, queries[name], seconds[name]) for name in urls]


def as_markdown(found: Sequence[Intake], requests: int) -> str:
    """The findings with the ratios that can be compared between machines."""
    ours, bare = found
    rows = [
        [one.name, str(one.queries), f"{one.per_second:.0f}", f"{one.quantile(0.5):.1f}", f"{one.quantile(0.99):.1f}"]
        for one in found
    ]
    medians = statistics.median(ours.seconds) / statistics.median(bare.seconds)
    p99 = ours.quantile(0.99) / bare.quantile(0.99)
    share = ours.per_second / bare.per_second
    rows.append(["webhook address ÷ bare view", "", f"{share:.2f}", f"{medians:.1f}", f"{p99:.1f}"])
    head = ["one process, one message at a time", "queries", "messages a second", "p50 ms", "p99 ms"]
    command = f"python3 dev.py bench webhooks --requests {requests}"
    return "\n".join(
        [facts_line(f"{requests} requests to each address", command), "", *table(head, rows, numbers_from=1)]
    )
