"""An installation on several hosts: the real commands of docs/operations.md, each process in a folder of its own.

They share a database server, a broker and nothing else. Host a reaches the database, and all hosts the broker, through a
network that a test can cut.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.utils import timezone

from procurement.demo.processes import answers, die_with_parent
from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.orders.services.resolving import confirm_outcome, propose_outcome
from procurement.suppliers.models import Exchange
from procurement.work.models import DueWork, Loop
from tests.conftest import make_person
from tests.demo.test_demo import free_port
from tests.distributed.brokers import Broker
from tests.distributed.proxy import Proxy
from tests.fixtures_sandbox import ROOT, SandboxServer
from tests.orders.conftest import open_shop
from tests.work.child import wait_until

LEASE = 5
THREADS = ("--without-gossip", "--without-mingle", "--without-heartbeat", "-P", "threads", "-c", "2")
WORKER = ("celery", "-A", "procurement.celery", "worker", *THREADS)
BEAT = ("celery", "-A", "procurement.celery", "beat", "--pidfile", "")
WEB = ("gunicorn", "procurement.wsgi", "--worker-class", "gthread", "--threads", "2", "--no-control-socket")
PEOPLE = {"ben": "buyer", "sam": "support", "fay": "finance", "ada": "admin"}


class Hosts:
    """The processes by name, and what a test does to them."""

    def __init__(self, folder: Path, broker: Broker, sandbox: SandboxServer) -> None:
        self.folder, self.broker, self.sandbox = folder, broker, sandbox
        self.queue = f"countersign-test-{uuid.uuid4().hex}"
        server = connection.settings_dict
        self.to_database = Proxy((server["HOST"], int(server["PORT"] or 5432)))
        self.to_broker = Proxy(broker.address)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.people = {name: make_person(name, role) for name, role in PEOPLE.items()}
        self.shop = open_shop(sandbox, money="9000.00")
        for account in self.shop.accounts.values():
            # How often may be called is proven elsewhere, and would take minutes here.
            account.settings = {"limits": {name: {"calls": 0} for name in ("all", "orders", "polls")}}
            account.save(update_fields=["settings"])

    def start(self, name: str, *command: str) -> None:
        """Start one process; `a` is the host whose way to the database can be cut."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        with (folder / "log").open("a") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=folder,
                env=self.environment(folder, database=self.to_database.port if name == "a" else None),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_parent() if sys.platform == "linux" else None,
            )

    def environment(self, folder: Path, database: int | None) -> dict[str, str]:
        server = connection.settings_dict
        login = quote(server["USER"]) + (f":{quote(server['PASSWORD'])}" if server["PASSWORD"] else "")
        place = f"127.0.0.1:{database}" if database else f"{server['HOST']}:{server['PORT'] or 5432}"
        return {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": f"postgresql://{login}@{place}/{server['NAME']}",
            "BROKER_URL": self.broker.through(self.to_broker.port),
            "COUNTERSIGN_QUEUE": self.queue,
            "COUNTERSIGN_ENV": "sandbox",
            "COUNTERSIGN_DATA_DIR": str(folder / "data"),
            "COUNTERSIGN_WORK_LEASE": str(LEASE),
            "COUNTERSIGN_MASTER_KEY": settings.MASTER_KEY,
        }

    def start_worker(self, name: str) -> None:
        self.start(name, *WORKER, "-n", f"worker@{name}")

    def start_web(self, name: str) -> str:
        """Start a web process and wait for it; its address."""
        port = free_port()
        self.start(name, *WEB, "--bind", f"127.0.0.1:{port}")
        wait_until(lambda: answers(port))
        return f"http://127.0.0.1:{port}"

    def start_all(self) -> None:
        for name in ("a", "b"):
            self.start_worker(name)
        for name in ("beat-1", "beat-2"):
            self.start(name, *BEAT, "--schedule", str(self.folder / name))
        self.wait_for_workers()

    def wait_for_workers(self) -> None:
        """Until each host has swept, or swept again."""
        began = timezone.now()
        wanted = {f"worker@{name}" for name in ("a", "b")}

        def missing() -> set[str]:
            return wanted - set(Loop.objects.filter(last_seen_at__gt=began).values_list("name", flat=True))

        try:
            wait_until(lambda: not missing())
        except AssertionError:
            last = {name: self.said(name.removeprefix("worker@"))[-2000:] for name in missing()}
            raise AssertionError(f"These workers do not sweep; the end of their logs: {last}") from None

    def freeze(self, *names: str) -> None:
        for name in names:
            self.processes[name].send_signal(signal.SIGSTOP)

    def go_on(self, *names: str) -> None:
        for name in names:
            self.processes[name].send_signal(signal.SIGCONT)

    def kill(self, name: str) -> None:
        """Fell it without a farewell."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes.pop(name).wait(10)

    def close(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.broker.remove(self.queue)
        self.to_database.close()
        self.to_broker.close()

    def said(self, name: str) -> str:
        return (self.folder / name / "log").read_text(errors="replace")

    def order(self, code: str, name: str, quantity: int = 1) -> Order:
        """Ben asks for so little that nobody needs to approve it."""
        ben = self.people["ben"]
        return drafting.submit_order(by=ben, order=self.shop.order(ben, code, quantity, name))

    def bought(self, name: str) -> int:
        """How many orders the supplier made out of this one of ours, by its own count."""
        posts = {str(one.request_id) for one in exchanges_of(name)}
        return sum(one["asked_by"] in posts for one in self.sandbox.orders())

    def settle(self, order: Order) -> None:
        """Support and finance bind an unconfirmed order to the supplier's, and it is followed to its codes."""
        posts = {str(one.request_id) for one in exchanges_of(order.client_order_id)}
        remote = next(one["order_id"] for one in self.sandbox.orders() if one["asked_by"] in posts)
        sam, fay = self.people["sam"], self.people["fay"]
        why = "The supplier names it on the telephone."
        order.refresh_from_db()
        propose_outcome(by=sam, order=order, verdict="placed", remote_id=remote, reason=why, acknowledged=True)
        confirm_outcome(by=fay, order=order)
        wait_for_state(order, "codes_stored")


def exchanges_of(name: str) -> Any:
    attempts = [str(pk) for pk in Attempt.objects.filter(order__client_order_id=name).values_list("pk", flat=True)]
    return Exchange.objects.filter(purpose="orders.place", subject_id__in=attempts)


def wait_for_state(order: Order, *states: str, seconds: float = 40) -> None:
    def reached() -> bool:
        order.refresh_from_db()
        return order.state in states

    try:
        wait_until(reached, seconds)
    except AssertionError:
        raise AssertionError(f"{order} is “{order.state}” and not {' or '.join(states)}") from None


def pass_time(seconds: float) -> None:
    """What is due, or ends, within `seconds` is due, or ends, now: instead of waiting for it."""
    step = timedelta(seconds=seconds)
    DueWork.objects.update(due_at=F("due_at") - step, lease_until=F("lease_until") - step)
    Attempt.objects.update(deadline=F("deadline") - step)
