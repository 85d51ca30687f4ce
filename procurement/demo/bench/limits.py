"""Limits under a backlog: processes with work for one supplier account, and the supplier sandbox's own count of the calls.

Everything is real but the length of a minute: the processes, HTTP, the database. Both sides' windows are shorter by the
same factor, so that five hundred orders take minutes and not an hour.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError
from django.db import connections
from django.utils import timezone

from procurement.bookkeeping import deposits
from procurement.catalog.models import Mapping, Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.demo import processes
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database
from procurement.demo.world import Sandbox, arrive, connect_accounts
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.suppliers.budget import DEFAULTS
from procurement.suppliers.models import ALPHA, PSNB2B, SupplierAccount
from procurement.work.management.commands.work import run_until_stopped
from procurement.work.stopping import stop_on_signals

MINUTE = 60.0
# Long enough that orders are asked about several times, so that more calls wait than may go.
DELIVERY_STEP = 50.0
MONEY = 50_000_00
# Longer than anybody waits for an answer.
HANGS = {"seconds": 40, "where": "any"}


@dataclass(frozen=True)
class Plan:
    """What was asked for on the command line; `faster`: how much shorter a minute is."""

    orders: int
    workers: int
    faster: float
    hanging: bool = False

    @property
    def window(self) -> float:
        return MINUTE / self.faster

    @property
    def command(self) -> str:
        words = f"python3 dev.py bench limits --orders {self.orders} --workers {self.workers} --faster {self.faster:g}"
        return words + (" --hanging" if self.hanging else "")


@dataclass(frozen=True)
class Count:
    """What the supplier counted of one kind of call: how many it allows, the most in any window, and all of them."""

    name: str
    limit: int
    most: int
    calls: int


@dataclass(frozen=True)
class Findings:
    """`first` and `last`: seconds from the workers' beginning to the arrival of an order."""

    plan: Plan
    counts: Sequence[Count]
    accepted: int
    refused: int
    first: float
    last: float

    def use(self, count: Count) -> float:
        """The part of what may have been called, from the first order to the last, that was."""
        windows = max(self.last - self.first, self.plan.window) / self.plan.window
        return count.calls / (count.limit * windows)

    @property
    def broken(self) -> list[str]:
        """What must never be, in sentences."""
        over = [one for one in self.counts if one.most > one.limit]
        found = [f"{one.most} {one.name} came in one window; {one.limit} are allowed." for one in over]
        if self.accepted != self.plan.orders:
            found.append(f"{self.accepted} orders were accepted of {self.plan.orders}.")
        return found


def measure(plan: Plan, say: Callable[[str], object]) -> Findings:
    """Approve orders at once, let processes place and follow them, and ask the sandbox what it counted."""
    with (
        tempfile.TemporaryDirectory(prefix="countersign-limits-") as folder,
        a_sandbox(Path(folder), plan.window) as sandbox,
        bench_settings(settings.ROOT_URLCONF),
        scratch_database(),
    ):
        prepare(sandbox, plan)
        began = timezone.now()
        with working(plan.workers):
            waits = Order.objects.filter(account__code=PSNB2B, state__in=("approved", "placing"))
            while waiting := waits.count():
                say(f"{(timezone.now() - began).total_seconds():5.0f} s: {waiting} orders wait")
                time.sleep(plan.window)
        return read_counts(sandbox, plan, began)


@contextmanager
def a_sandbox(folder: Path, window: float) -> Iterator[Sandbox]:
    """A supplier sandbox of the bench's own whose limits are counted over `window` seconds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "logs").mkdir()
    told = {"SANDBOX_DB": str(folder / "sandbox.sqlite3"), "SANDBOX_LIMIT_SECONDS": str(window)}
    command = ["-m", "procurement.sandbox", "serve", "--port", str(port), "--parent", str(os.getpid())]
    child = processes.start("sandbox", command, folder=folder, environment=os.environ | told)
    try:
        for _ in range(600):
            if child.process.poll() is not None:
                raise CommandError(f"The supplier sandbox did not start: {child.last_words()}")
            if processes.answers(port):
                break
            time.sleep(0.1)
        yield Sandbox(f"http://127.0.0.1:{port}")
    finally:
        processes.stop([child], seconds=5)


def prepare(sandbox: Sandbox, plan: Plan) -> None:
    """Approved orders at PSN:B2B; with `hanging` behind as many at Alpha, which then answers nobody."""
    connect_accounts(sandbox, None)
    # What is not measured would only take processor time.
    SupplierAccount.objects.exclude(code__in=[PSNB2B, *([ALPHA] if plan.hanging else [])]).delete()
    sku = Sku.objects.create(code="PSN-US-10", title="Ten", region="US", currency="USD", face_minor=10_00)
    shorter = {name: {"calls": limit.calls, "seconds": limit.seconds / plan.faster} for name, limit in DEFAULTS.items()}
    for account in SupplierAccount.objects.order_by("code"):
        account.settings = {"limits": shorter}
        account.save(update_fields=["settings"])
        told = {"delivery_delay_seconds": DELIVERY_STEP / plan.faster, "webhook_url": ""}
        sandbox.call("PUT", f"accounts/{account.code}", told)
        arrive(sandbox, account, MONEY, account.code)
        today = timezone.now().date()
        deposits.open_book(
            account=account, amount_minor=MONEY, currency="USD", credited_on=today, reference=account.code
        )
        refresh_products(account)
        queue_orders(sku, account, plan.orders)
    if plan.hanging:
        sandbox.call("POST", "faults", {"supplier": ALPHA, "kind": "slow_answer", "count": None, "params": HANGS})


def queue_orders(sku: Sku, account: SupplierAccount, orders: int) -> None:
    product = account.products.get(region=sku.region, denomination_minor=sku.face_minor)
    number = sku.mappings.count() + 1
    mapping = Mapping.objects.create(sku=sku, product=product, account=account, number=number, state="active")
    for place in range(orders):
        order = drafting.draft_order(by=None, mapping=mapping, quantity=1, client_order_id=f"{account.code}-{place}")
        drafting.submit_order(by=None, order=order)


@contextmanager
def working(workers: int) -> Iterator[None]:
    """So many processes that do what `manage.py work` does."""
    connections.close_all()  # none may be shared with a child
    forks = multiprocessing.get_context("fork")
    crew = [forks.Process(target=work, daemon=True) for _ in range(workers)]
    for worker in crew:
        worker.start()
    try:
        yield
    finally:
        for worker in crew:
            worker.terminate()
        for worker in crew:
            worker.join()


def work() -> None:
    stop_on_signals()
    run_until_stopped(f"bench-{os.getpid()}")


def read_counts(sandbox: Sandbox, plan: Plan, began: datetime) -> Findings:
    """What the sandbox counted itself, and its own log of the time from the first order to the last."""
    said = sandbox.call("GET", "limits")
    (key,) = (key for key in said["keys"] if key["supplier"] == PSNB2B)
    rows = sandbox.call("GET", f"requests?supplier={PSNB2B}&last=100000")["requests"]
    seen = [(datetime.fromisoformat(row["at"]), row["method"] == "POST") for row in rows if not row["refused_by_limit"]]
    posts = [at for at, is_order in seen if is_order]
    during = sum(min(posts) <= at <= max(posts) for at, _ in seen)
    counts = [
        Count("requests", said["requests"], key["most_requests_in_a_window"], during),
        Count("orders", said["orders"], key["most_orders_in_a_window"], len(posts)),
    ]
    accepted = sandbox.call("GET", f"orders?supplier={PSNB2B}")["count"]
    first, last = ((at - began).total_seconds() for at in (min(posts), max(posts)))
    return Findings(plan, counts, accepted, key["refused"], first, last)


def as_markdown(found: Findings) -> str:
    plan = found.plan
    rows = [[one.name, str(one.limit), str(one.most), str(one.calls), f"{found.use(one):.0%}"] for one in found.counts]
    head = ["counted by the supplier", "allowed", f"most in any {plan.window:g} s", "in all", "used of what is allowed"]
    what = (
        f"{plan.workers} processes, {plan.orders} orders approved at once, {found.accepted} accepted, "
        f"{found.refused} calls refused; the first order arrived after {found.first:.1f} s, the last after {found.last:.0f} s"
    )
    return "\n".join([facts_line(what, plan.command), "", *table(head, rows, numbers_from=1)])
