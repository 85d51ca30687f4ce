"""A whole desk on the scratch database: sandbox, web, worker and scheduler as processes of their own, as in the demo."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings

from procurement.catalog.models import Mapping, Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.celery import app
from procurement.demo import processes
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.scratch import bench_settings, scratch_database
from procurement.demo.processes import Child
from procurement.demo.seed import deposit_opening, lift_limits
from procurement.demo.supervisor import SCHEDULER, WORKER, web_command
from procurement.demo.world import Sandbox, connect_accounts
from procurement.suppliers.models import SupplierAccount
from procurement.work import broker
from procurement.work.models import Loop

URLCONF = "procurement.urls"
PATIENCE_SECONDS = 90.0


@dataclass
class Desk:
    """The running processes by name, the sandbox's controls, and one mapping of a $50 card at each supplier."""

    sandbox: Sandbox
    children: dict[str, Child]
    accounts: dict[str, SupplierAccount]
    mappings: dict[str, Mapping]

    def signal(self, name: str, number: signal.Signals) -> None:
        processes.signal_group(self.children[name].process.pid, number)

    def posts(self, supplier: str) -> list[dict[str, Any]]:
        """The paid POSTs this supplier saw, oldest first."""
        found = self.sandbox.call("GET", f"requests?supplier={supplier}&method=POST&last=5000")["requests"]
        return [row for row in reversed(found) if row["path"].endswith("/orders")]


def wait_for(happened: Callable[[], object], what: str) -> None:
    """Poll until it happened; BenchFailed after a minute and a half."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        if time.monotonic() > deadline:
            raise BenchFailed(f"{what} did not happen within {PATIENCE_SECONDS:.0f} s.")
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_desk() -> Iterator[Desk]:
    """Everything started and swept once; everything stopped and dropped at the end."""
    with (
        tempfile.TemporaryDirectory(prefix="countersign-bench-") as name,
        bench_settings(URLCONF),
        override_settings(ENVIRONMENT="sandbox"),
        scratch_database(),
        own_queue(Path(name)) as queue,
    ):
        folder, children = Path(name), {}
        (folder / "logs").mkdir()
        web, supplier = free_port(), free_port()
        commands = {
            "sandbox": ("-m", "procurement.sandbox", "serve", "--port", str(supplier)),
            "web": web_command(web),
            "worker": WORKER,
            "scheduler": (*SCHEDULER, "--schedule", str(folder / "scheduler")),
        }
        try:
            for part, command in commands.items():
                environment = environment_of(folder, queue)
                children[part] = processes.start(part, list(command), folder=folder, environment=environment)
                if part == "sandbox":
                    wait_for(lambda: processes.answers(supplier), "An answer of the sandbox")
                    desk = open_shop(Sandbox(f"http://127.0.0.1:{supplier}"), children)
            wait_for(lambda: processes.answers(web), "An answer of the web process")
            wait_for(Loop.objects.exists, "The first sweep")
            yield desk
        finally:
            processes.stop([child for part, child in children.items() if part != "sandbox"], seconds=5)
            processes.stop([child for part, child in children.items() if part == "sandbox"], seconds=2)


@contextmanager
def own_queue(folder: Path) -> Iterator[str]:
    """The name of a queue that this process rings at and the children listen to; gone afterwards."""
    queue, before = f"countersign-bench-{uuid.uuid4().hex}", dict(app.conf.broker_transport_options)
    if not settings.BROKER_URL:
        app.conf.broker_transport_options = broker.options(folder / "broker")
    usual, app.conf.task_default_queue = app.conf.task_default_queue, queue
    try:
        yield queue
    finally:
        if settings.BROKER_URL:
            with app.connection_for_write() as server, server.channel() as channel:
                channel.queue_delete(queue)
        app.conf.task_default_queue, app.conf.broker_transport_options = usual, before


def environment_of(folder: Path, queue: str) -> dict[str, str]:
    """The children's settings: this process's, on the scratch database."""
    name = str(connection.settings_dict["NAME"])
    url = urlsplit(os.environ.get("DATABASE_URL", ""))
    if connection.vendor == "sqlite":
        (folder / "countersign.sqlite3").unlink(missing_ok=True)
        (folder / "countersign.sqlite3").symlink_to(name)
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "procurement.settings",
        "DATABASE_URL": url._replace(path=f"/{name}").geturl() if url.scheme else "",
        "COUNTERSIGN_ENV": "sandbox",
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_QUEUE": queue,
        "COUNTERSIGN_SECRET_KEY": "of-a-bench-that-nobody-signs-in-at",
        "COUNTERSIGN_MASTER_KEY": settings.MASTER_KEY,
        "SANDBOX_DB": str(folder / "sandbox.sqlite3"),
    }


def open_shop(sandbox: Sandbox, children: dict[str, Child]) -> Desk:
    """Both suppliers with money, no limits and codes that are ready at once."""
    sandbox.call("PUT", "settings", {"limits_enabled": False})
    accounts = {account.code: account for account in connect_accounts(sandbox, None)}
    lift_limits(lifted=True)
    sku = Sku.objects.create(code="US-50", title="$50", region="US", currency="USD", face_minor=5000)
    mappings = {}
    for number, (code, account) in enumerate(accounts.items(), start=1):
        sandbox.call("PUT", f"accounts/{code}", {"delivery_delay_seconds": 0, "balance": {"USD": "900000.00"}})
        deposit_opening(sandbox, account)
        refresh_products(account)
        product = account.products.get(region="US", currency="USD", denomination_minor=5000)
        mappings[code] = Mapping.objects.create(
            sku=sku, product=product, account=account, number=number, state="active"
        )
    return Desk(sandbox, children, accounts, mappings)
