"""What a load balancer and an operator's Prometheus are told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from procurement.desk import health
from procurement.desk.metrics import METRICS, escaped, exposition
from procurement.orders.services import drafting
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.vault import KeyUnavailable
from procurement.work.models import DueWork, Loop
from tests.orders.conftest import Shop, run_until_settled, sandbox_server, shop

__all__ = ["sandbox_server", "shop"]
pytestmark = pytest.mark.django_db
LINE = re.compile(r'countersign_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+')


def ask(path: str, **headers: str) -> Any:
    return Client().get(path, headers=headers)


def value(text: str, series: str) -> float:
    found = [line.rpartition(" ")[2] for line in text.splitlines() if line.rpartition(" ")[0] == series]
    assert len(found) == 1, series
    return float(found[0])


def test_alive_asks_no_database(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        assert ask("/livez").status_code == 200


def test_ready_names_a_silent_loop_and_stays_ready() -> None:
    assert ask("/readyz").json()["checks"]["work loop"].startswith("never seen")
    Loop.objects.create(name="loop", last_seen_at=timezone.now() - timedelta(seconds=90))
    answer = ask("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert answer.json()["checks"]["work loop"].startswith("silent for 9")
    Loop.objects.update(last_seen_at=timezone.now())
    assert set(ask("/readyz").json()["checks"].values()) == {"ok"}


def test_not_ready_without_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise DatabaseError("connection refused to host db.internal")

    monkeypatch.setattr(connection, "ensure_connection", away)
    answer = ask("/readyz")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"database": "no connection"})


def test_not_ready_with_another_master_key(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong() -> None:
        raise KeyUnavailable("The master key is not the one the stored keys were made with.")

    monkeypatch.setattr(health, "verify_master_key", wrong)
    answer = ask("/readyz")
    assert answer.status_code == 503
    assert "master key is not the one" in answer.json()["checks"]["master key"]


def test_not_ready_before_migrating(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.Migrations, "applied", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'reconciliation'")
    answer = ask("/readyz")
    assert answer.status_code == 503
    assert "not applied: run manage.py migrate" in answer.json()["checks"]["migrations"]


def test_every_metric_is_written_as_prometheus_reads_it(shop: Shop, buyer: User) -> None:
    assert (
        run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b", 1))).state == "codes_stored"
    )
    shop.sandbox.arm("psnb2b", "answer_lost")
    unsure = run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b", 1)))
    assert unsure.state == "unknown"
    DueWork.objects.create(kind="order.check", ref="x", due_at=timezone.now() - timedelta(seconds=90), last_error="E")
    text = ask("/metrics").content.decode()
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert {f"countersign_{metric.name}" for metric in METRICS} >= {re.split(r"[ {]", line)[0] for line in lines}
    assert value(text, 'countersign_orders{state="unknown"}') == 1
    assert value(text, 'countersign_orders{state="codes_stored"}') == 1
    code = shop.accounts["psnb2b"].code
    assert value(text, f'countersign_lane_frozen_seconds{{account="{code}"}}') >= 0
    assert value(text, f'countersign_calls_last_minute{{account="{code}",what="orders"}}') == 2
    assert value(text, f'countersign_account_state{{account="{code}",state="live"}}') == 1
    assert value(text, f'countersign_balance_minor{{account="{code}",currency="USD"}}') > 0
    assert value(text, 'countersign_overdue_seconds{kind="order.check"}') >= 90
    assert value(text, "countersign_failing_work") == 1
    assert value(text, "countersign_unconfirmed_age_seconds") > 0


def test_metrics_cost_the_same_however_much_there_is(shop: Shop, buyer: User) -> None:
    with CaptureQueriesContext(connection) as few:
        exposition()
    for number in range(3):
        copy = SupplierAccount.objects.get(pk=shop.accounts["alpha"].pk)
        copy.pk, copy.code, copy.hook_slug, copy._state.adding = None, f"copy-{number}", f"slug-{number}", True
        copy.save(force_insert=True)
        DueWork.objects.create(kind=f"kind-{number}", ref="x", due_at=timezone.now())
    with CaptureQueriesContext(connection) as many:
        exposition()
    assert len(few) == len(many) <= len(METRICS) + 10


def test_a_label_cannot_break_out() -> None:
    assert escaped('a"b\\c\nd') == r"a\"b\\c\nd"


def test_the_operations_page_and_its_alerts_name_every_metric_and_no_other() -> None:
    docs = Path(settings.ROOT) / "docs"
    text = (docs / "operations.md").read_text() + (docs / "examples" / "alerts.yml").read_text()
    assert set(re.findall(r"countersign_([a-z_]+)", text)) == {metric.name for metric in METRICS}


@pytest.mark.requirement("R100")
@pytest.mark.parametrize(
    ("token", "address", "headers", "status"),
    [
        ("", "127.0.0.1", {}, 200),
        ("", "10.0.0.7", {}, 403),
        ("", "127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}, 403),
        ("secret-token", "127.0.0.1", {}, 403),
        ("secret-token", "10.0.0.7", {"Authorization": "Bearer wrong"}, 403),
        ("secret-token", "10.0.0.7", {"Authorization": "Bearer secret-token"}, 200),
    ],
)
def test_figures_are_for_the_operator(
    settings: Any, token: str, address: str, headers: dict[str, str], status: int
) -> None:
    settings.METRICS_TOKEN = token
    answer = Client(REMOTE_ADDR=address).get("/metrics", headers=headers)
    assert answer.status_code == status
    assert (b"countersign_" in answer.content) == (status == 200)


@pytest.mark.any_database
def test_a_web_process_with_a_wrong_master_key_does_not_start(tmp_path: Path) -> None:
    root = Path(settings.ROOT)
    environment = {
        **{
            name: text
            for name, text in os.environ.items()
            if name not in {"DATABASE_URL", "COUNTERSIGN_MASTER_KEY_FILE"}
        },
        "COUNTERSIGN_DATA_DIR": str(tmp_path),
    }

    def run(key: str, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *command],
            cwd=root,
            env={**environment, "COUNTERSIGN_MASTER_KEY": key},
            capture_output=True,
            text=True,
            check=False,
        )

    right, wrong = "A" * 43 + "=", "B" * 42 + "A="
    make = (
        "from procurement.vault import *; seal(Secret('x' * 8), purpose=Purpose.CODE, context=Context('t', 'c', '1'))"
    )
    assert run(right, "manage.py", "migrate", "-v0").returncode == 0
    assert run(right, "manage.py", "shell", "-v0", "-c", make).returncode == 0
    assert run(right, "-c", "import procurement.wsgi").returncode == 0
    refused = run(wrong, "-c", "import procurement.wsgi")
    assert refused.returncode == 1
    assert "Not started: " in refused.stderr
    worker = run(wrong, "-m", "celery", "-A", "procurement.celery", "worker", "-P", "solo")
    assert worker.returncode == 1
    assert "Not started: " in worker.stderr
