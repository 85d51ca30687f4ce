"""The engine of placing: how soon an approved order is at the supplier, and how many orders it sends beside a bare client."""

from __future__ import annotations

import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
from django.conf import settings

from procurement.demo.bench.desk import Desk, running_desk, wait_for
from procurement.demo.bench.report import facts_line, table
from procurement.demo.world import SUPPLIERS
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import PlaceRequest
from procurement.work.models import DueWork

ALPHA = "alpha"


@dataclass(frozen=True)
class Speed:
    """Seconds from each approval to the request at the supplier, and orders a second of the engine and of a bare client."""

    seconds: Sequence[float]
    engine: float
    bare: float

    def quantile(self, share: float) -> float:
        ranked = sorted(self.seconds)
        return ranked[min(len(ranked) - 1, int(len(ranked) * share))]


def measure_engine(orders: int) -> Speed:
    """`orders` one by one on an idle desk, then as many at once, then as many by a bare client at the same sandbox."""
    with running_desk() as desk:
        wait_for(lambda: not DueWork.objects.exclude(account="").exists(), "The end of what is due at first")
        seconds = [one_by_one(desk, f"BENCH-IDLE-{number}") for number in range(orders)]
        engine = all_at_once(desk, orders)
        return Speed(seconds, engine, by_bare_client(desk, orders))


def submit(desk: Desk, name: str) -> Order:
    order = drafting.draft_order(by=None, mapping=desk.mappings[ALPHA], quantity=1, client_order_id=name)
    return drafting.submit_order(by=None, order=order)


def one_by_one(desk: Desk, name: str) -> float:
    """Seconds from the approval to the arrival of the paid POST, on the sandbox's clock, which is ours."""
    seen = len(desk.posts(ALPHA))
    order = submit(desk, name)
    wait_for(lambda: Order.objects.filter(pk=order.pk, state="codes_stored").exists(), f"The end of {name}")
    order.refresh_from_db()
    if order.approved_at is None:
        raise ValueError(f"{name} was never approved.")
    return (arrivals(desk)[seen] - order.approved_at).total_seconds()


def arrivals(desk: Desk) -> list[datetime]:
    return [datetime.fromisoformat(row["at"]) for row in desk.posts(ALPHA)]


def all_at_once(desk: Desk, orders: int) -> float:
    """Orders a second, from the first paid POST to the last; the worker stands still until all are approved."""
    seen = len(desk.posts(ALPHA))
    desk.signal("worker", signal.SIGSTOP)
    for number in range(orders):
        submit(desk, f"BENCH-MANY-{number}")
    desk.signal("worker", signal.SIGCONT)
    wait_for(lambda: len(desk.posts(ALPHA)) - seen >= orders, "The last order")
    return per_second(arrivals(desk)[seen:])


def per_second(times: Sequence[datetime]) -> float:
    return (len(times) - 1) / (max(times) - min(times)).total_seconds()


def by_bare_client(desk: Desk, orders: int) -> float:
    """Orders a second of a script that POSTs and keeps nothing, with as many calls at a time as the engine may make."""
    seen = len(desk.posts(ALPHA))
    url = f"{desk.accounts[ALPHA].base_url}/orders"
    key = next(key for code, _, _, key, _ in SUPPLIERS if code == ALPHA)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json", "Accept": "application/json"}
    bodies = [body_of(desk, number) for number in range(orders)]

    def send(body: bytes) -> None:
        # A connection for each, as the engine makes it.
        with httpx.Client(trust_env=False, timeout=30) as client:
            client.post(url, content=body, headers=headers).raise_for_status()

    with ThreadPoolExecutor(settings.WORK_PER_ACCOUNT) as pool:
        list(pool.map(send, bodies))
    return per_second(arrivals(desk)[seen:])


def body_of(desk: Desk, number: int) -> bytes:
    product: Any = desk.mappings[ALPHA].product
    return client_for(desk.accounts[ALPHA]).prepare_order(
        PlaceRequest(
            external_id=product.external_id,
            region=product.region,
            denomination=product.denomination_minor,
            face_currency=product.currency,
            quantity=1,
            client_order_id=f"BENCH-BARE-{number}",
            idempotency_key=f"bench-{number}-{time.monotonic_ns()}",
        )
    )


def as_markdown(found: Speed, orders: int) -> str:
    """The findings, with the ratio that can be compared between machines."""
    p50, p95 = found.quantile(0.5), found.quantile(0.95)
    rows = [
        ["approval to paid POST at the supplier, idle desk, p50 / p95", f"{p50:.2f} / {p95:.2f} s", "p95 under 2 s"],
        ["orders a second, engine", f"{found.engine:.1f}", ""],
        ["orders a second, bare client that keeps nothing", f"{found.bare:.1f}", ""],
        ["engine ÷ bare client", f"{found.engine / found.bare:.2f}", ""],
    ]
    facts = facts_line(f"{orders} orders in each way", f"python3 dev.py bench engine --requests {orders}")
    return "\n".join([facts, "", *table(["one worker with six threads", "found", "aim"], rows, numbers_from=1)])
