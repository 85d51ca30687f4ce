"""A day of very many orders compared with the supplier's, beside one SQL join of the same rows, in one run.

The supplier's records are in the database already, as a list of orders leaves them: what is measured is ours alone. Five
differences of different kinds are planted, and the run fails unless exactly these are named.
"""

from __future__ import annotations

import resource
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.utils import timezone

from ledger.guards import lifted
from ledger.sending import id_value, time_value
from procurement.bookkeeping.balances import expected_at
from procurement.demo.bench.books import Books, batched
from procurement.demo.bench.filling import GUARDED, do_not_wait_for_the_disk, settle_down
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.orders import Made, digest, order_of
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database
from procurement.demo.bench.shop import Shop, open_shop
from procurement.orders.models import Delivery, Order
from procurement.reconciliation import services
from procurement.reconciliation.models import Difference, SupplierRecord
from procurement.reconciliation.window import Window
from procurement.suppliers.models import BalanceSnapshot

URLCONF, CHUNK, ROUNDS, FEWEST = "procurement.demo.bench.urls", 2_000, 3, 100
# Which order, by its number, differs how.
PLANTED = {11: "missing_there", 22: "amount", 33: "timing", 44: "codes", 55: "missing_here"}


@dataclass(frozen=True)
class Compared:
    """Seconds of the join, of the first comparison, which writes what it finds, and of a later one, which writes nothing."""

    orders: int
    join: float
    first: float
    again: float
    memory_mb: float


def measure_reconciliation(orders: int) -> Compared:
    """Fill a day, compare it; BenchFailed when anything but what was planted is named, or a second run changes it."""
    if orders < FEWEST:
        raise BenchFailed(f"Compare at least {FEWEST} orders.")
    with bench_settings(URLCONF), scratch_database():
        do_not_wait_for_the_disk()
        window = fill_day(orders)
        settle_down()
        first = seconds(lambda: compare(window))
        before = named()
        joins, later = [], []
        for _ in range(ROUNDS):
            joins.append(seconds(lambda: join(window)))
            later.append(seconds(lambda: compare(window)))
        if sorted(kind for kind, *_ in before) != sorted(PLANTED.values()) or named() != before:
            raise BenchFailed(f"Not what was planted: {sorted(kind for kind, *_ in before)}.")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        return Compared(orders, statistics.median(joins), first, statistics.median(later), memory)


def fill_day(orders: int) -> Window:
    """Yesterday at one supplier: every order bought and delivered, the supplier's record of each, its balance at midnight."""
    shop = open_shop(orders)
    alpha = shop.accounts[0]
    shop = replace(shop, mappings=[one for one in shop.mappings if one.account_id == alpha.pk])
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins = midnight - timedelta(hours=23)
    books = Books([alpha], begins - timedelta(hours=1), orders)
    step = timedelta(hours=22) / orders
    effect = 0
    with lifted(connection, GUARDED):
        for numbers in batched(range(orders), CHUNK):
            effect += write(shop, books, [(number, begins + step * number) for number in numbers])
    window = Window(alpha, "USD", begins.date(), timezone.now())
    said = expected_at("alpha", "USD", midnight) + effect
    BalanceSnapshot.objects.create(
        account=alpha, currency="USD", available=said, taken_at=midnight, request_id=uuid.uuid4()
    )
    return window


def write(shop: Shop, books: Books, numbers: Sequence[tuple[int, datetime]]) -> int:
    """These orders on both sides; what is planted among them changes the supplier's balance by so many minor units."""
    made = [Made(number, number, order_of(shop, number, "codes_stored", at)) for number, at in numbers]
    for one in made:
        one.order.remote_id = f"R-{digest(f'order {one.number}').hex()[:12]}"
        one.order.total_cost_minor = one.order.max_total_minor
        one.delivery = Delivery(
            order=one.order, fetched_at=one.order.created_at, count=one.order.quantity, checksum=f"{one.number:064d}"
        )
    Order.objects.bulk_create([one.order for one in made])
    Delivery.objects.bulk_create([one.delivery for one in made if one.delivery])
    books.write(made)
    records = [record_of(one.order) for one in made]
    effects = [plant(one, record) for one, record in zip(made, records, strict=True) if one.number in PLANTED]
    SupplierRecord.objects.bulk_create(records)
    return sum(effects)


def record_of(order: Order) -> SupplierRecord:
    return SupplierRecord(
        account=order.account, remote_id=order.remote_id, client_order_id=order.client_order_id, status="delivered",
        raw_status="completed", currency="USD", total_minor=order.total_cost_minor, quantity=order.quantity,
        delivered_quantity=order.quantity, created_at=order.created_at,
    )  # fmt: skip


def plant(one: Made, record: SupplierRecord) -> int:
    """Make the supplier's record differ; what that changes in its balance against ours, in minor units."""
    cost, kind = one.order.total_cost_minor or 0, PLANTED[one.number]
    if kind == "missing_there":
        record.missing, record.created_at = True, None
        return cost
    if kind == "missing_here":
        record.remote_id, record.client_order_id, record.total_minor = "R-nobody", "", 1_000
        return -1_000
    if kind == "amount":
        record.total_minor = cost + 500
        return -500
    if kind == "timing":
        record.created_at = one.order.created_at - timedelta(days=2)
    if kind == "codes":
        record.delivered_quantity = one.order.quantity - 1
    return 0


def compare(window: Window) -> None:
    """`reconcile_day` as it is, with nothing to ask the supplier for."""
    with patch.object(services, "read_supplier", lambda window: None):
        services.reconcile_day(by=None, account=window.account, currency="USD", day=window.day)


JOIN = """
SELECT o.id, o.client_order_id, o.remote_id, o.state, o.quantity, o.delivered_quantity, o.refunded_minor, e.id, e.recorded_at,
       l.amount, r.total_minor, r.refunded_minor, r.currency, r.status, r.created_at, r.delivered_quantity, r.missing, f.codes
FROM orders_order o
JOIN ledger_entry e ON e.key = 'order:' || {id} || ':purchase'
JOIN ledger_line l ON l.entry_id = e.id AND l.layer = 'settled' AND l.amount < 0
LEFT JOIN reconciliation_supplierrecord r ON r.account_id = o.account_id AND r.remote_id = o.remote_id
LEFT JOIN (SELECT order_id, SUM(count) AS codes FROM orders_delivery GROUP BY order_id) f ON f.order_id = o.id
WHERE o.account_id = %s AND e.recorded_at >= %s AND e.recorded_at < %s
"""
# An order's id as a text with its hyphens, as the ledger's keys have it.
ID = {
    "postgresql": "o.id::text",
    "sqlite": "||'-'||".join(f"substr(o.id, {at}, {n})" for at, n in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))),
}


def join(window: Window) -> int:
    """The least that comparing takes: our orders, what was booked, and the supplier's records, joined and read to the end."""
    values = [id_value(window.account.pk), time_value(window.start), time_value(window.cutoff)]
    with connection.cursor() as cursor:
        cursor.execute(JOIN.format(id=ID[connection.vendor]), values)
        return len(cursor.fetchall())


def named() -> list[tuple[Any, ...]]:
    """The differences, as a second run must leave them."""
    rows = Difference.objects.order_by("pk").values_list(
        "kind", "pk", "reference", "amount_minor", "first_seen_at", "gone_at"
    )
    return list(rows)


def seconds(work: Callable[[], object]) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def as_markdown(found: Compared) -> str:
    rows = [
        ["one SQL join of the same rows, read to the end", f"{found.join:.2f} s", "1.0"],
        ["first comparison", f"{found.first:.2f} s", f"{found.first / found.join:.1f}"],
        ["the same day again", f"{found.again:.2f} s", f"{found.again / found.join:.1f}"],
    ]
    facts = facts_line(
        f"one day of {found.orders:,} orders, {len(PLANTED)} planted differences named and nothing else, at most "
        f"{found.memory_mb:,.0f} MB of memory",
        f"python3 dev.py bench reconciliation --orders {found.orders}",
    )
    return "\n".join([facts, "", *table(["", "time", "× the join"], rows, numbers_from=1)])
