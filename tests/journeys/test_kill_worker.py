"""A worker killed in the middle of a paid POST: bought once where a key allows asking again, unconfirmed where not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.work.models import DueWork
from tests.orders.conftest import Shop
from tests.work.child import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
ANSWER_SECONDS, LEASE_SECONDS = 8, 2


def environment(folder: Path) -> dict[str, str]:
    """What a worker needs to share the test's database and key, whichever database that is."""
    given = connection.settings_dict
    url = ""
    if connection.vendor == "postgresql":
        host, port = given["HOST"] or "127.0.0.1", given["PORT"] or "5432"
        url = f"postgresql://{given['USER']}:{given['PASSWORD']}@{host}:{port}/{given['NAME']}"
    else:
        (folder / "countersign.sqlite3").symlink_to(given["NAME"])
    return os.environ | {
        "DATABASE_URL": url,
        "COUNTERSIGN_DATA_DIR": str(folder),
        "COUNTERSIGN_MASTER_KEY": settings.MASTER_KEY,
        "COUNTERSIGN_WORK_LEASE": str(LEASE_SECONDS),
    }


@pytest.fixture
def start_worker(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Start `manage.py work`; whatever still runs at the end of the test is ended."""
    started: list[subprocess.Popen[bytes]] = []
    told = environment(tmp_path)

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "worker.log").open("a") as log:
            command = [sys.executable, "manage.py", "work"]
            started.append(subprocess.Popen(command, cwd=settings.ROOT, env=told, stdout=log, stderr=log))
        return started[-1]

    yield start
    for worker in started:
        worker.terminate()
        try:
            worker.wait(10)
        except subprocess.TimeoutExpired:
            worker.kill()


def paid_posts(shop: Shop, supplier: str) -> list[dict[str, Any]]:
    """The POSTs to the supplier's orders that the sandbox answered or tried to."""
    return [row for row in shop.sandbox.requests(supplier=supplier) if row["method"] == "POST"]


def kill_while_sending(shop: Shop, order: Order, start_worker: Callable[[], subprocess.Popen[bytes]]) -> None:
    """Let a worker send the order, and kill it while the supplier, which has taken it, keeps it waiting."""
    supplier = order.account.code
    shop.sandbox.arm(supplier, "slow_answer", seconds=ANSWER_SECONDS)
    victim = start_worker()
    wait_until(lambda: shop.sandbox.orders(supplier=supplier), seconds=40)
    victim.kill()
    victim.wait(10)
    order.refresh_from_db()
    assert (order.state, order.attempts.get().state) == ("placing", "sending")
    # Instead of waiting a minute and a half: the answer's deadline has passed.
    Attempt.objects.update(deadline=timezone.now() - timedelta(minutes=2))
    DueWork.objects.filter(kind="order.place").update(lease_until=timezone.now())


def state_of(order: Order) -> str:
    return str(Order.objects.values_list("state", flat=True).get(pk=order.pk))


@pytest.mark.requirement("R20", "R21", "R22")
def test_at_alpha_the_same_key_and_bytes_find_the_order_again(
    shop: Shop, start_worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    order = drafting.submit_order(by=None, order=shop.order(None, "alpha", 2))
    kill_while_sending(shop, order, start_worker)

    start_worker()
    wait_until(lambda: state_of(order) == "codes_stored", seconds=40)

    order.refresh_from_db()
    assert len(shop.sandbox.orders(supplier="alpha")) == 1
    wait_until(lambda: len(paid_posts(shop, "alpha")) == 2, seconds=20)
    assert (order.attempts.count(), order.codes.count()) == (1, 2)
    assert postings.settled_balance("alpha", "USD") == 5000_00 - (order.total_cost_minor or 0)
    assert postings.free_balance("alpha", "USD") == postings.settled_balance("alpha", "USD")


@pytest.mark.requirement("R26", "R31")
def test_at_psnb2b_the_order_is_unconfirmed_and_never_sent_again(
    shop: Shop, start_worker: Callable[[], subprocess.Popen[bytes]]
) -> None:
    order = drafting.submit_order(by=None, order=shop.order(None, "psnb2b", 2))
    second = drafting.submit_order(by=None, order=shop.order(None, "psnb2b", 3))
    DueWork.objects.filter(ref=str(second.pk)).update(due_at=timezone.now() + timedelta(hours=1))
    kill_while_sending(shop, order, start_worker)

    start_worker()
    wait_until(lambda: state_of(order) == "unknown", seconds=40)
    DueWork.objects.filter(ref=str(second.pk)).update(due_at=timezone.now())
    wait_until(lambda: DueWork.objects.get(ref=str(second.pk)).due_at > timezone.now() + timedelta(seconds=30))

    wait_until(lambda: paid_posts(shop, "psnb2b"), seconds=20)
    assert (state_of(order), state_of(second)) == ("unknown", "approved")
    assert len(shop.sandbox.orders(supplier="psnb2b")) == len(paid_posts(shop, "psnb2b")) == 1
    assert not DueWork.objects.filter(kind="order.place", ref=str(order.pk)).exists()
    held = order.max_total_minor + second.max_total_minor
    assert postings.free_balance("psnb2b", "USD") == 5000_00 - held
