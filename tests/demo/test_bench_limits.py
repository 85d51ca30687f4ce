"""The bench of the limits: what it finds is the sandbox's own count, and too much of it is said in sentences."""

from __future__ import annotations

import pytest
from django.utils import timezone

from procurement.demo.bench.limits import Count, Findings, Plan, as_markdown, prepare, read_counts
from procurement.demo.world import Sandbox
from procurement.orders.models import Order
from procurement.suppliers import budget
from procurement.suppliers.models import SupplierAccount
from procurement.work.runner import run_due
from tests.fixtures_sandbox import SandboxServer, sandbox_server

__all__ = ["sandbox_server"]


def findings(*, requests: int, accepted: int = 100) -> Findings:
    counts = [Count("requests", 60, requests, 550), Count("orders", 10, 10, 100)]
    return Findings(Plan(100, 16, 3), counts, accepted, 0, 1.0, 201.0)


@pytest.mark.django_db  # the findings name the server’s version
def test_use_is_the_part_of_what_was_allowed_meanwhile() -> None:
    lines = as_markdown(findings(requests=58)).splitlines()
    assert "`python3 dev.py bench limits --orders 100 --workers 16 --faster 3`" in lines[0]
    assert "most in any 20 s" in lines[2]
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == ["requests", "60", "58", "550", "92%"]
    assert [cell.strip() for cell in lines[5].split("|")[1:-1]] == ["orders", "10", "10", "100", "100%"]


def test_too_many_calls_and_lost_orders_are_said() -> None:
    assert findings(requests=60).broken == []
    assert findings(requests=61, accepted=99).broken == [
        "61 requests came in one window; 60 are allowed.",
        "99 orders were accepted of 100.",
    ]


@pytest.mark.parametrize("hanging", [False, True])
def test_a_small_backlog_is_prepared_and_counted(
    transactional_db: None, sandbox_server: SandboxServer, hanging: bool
) -> None:
    sandbox_server.reset()
    sandbox, plan, began = Sandbox(sandbox_server.base_url), Plan(2, 1, 6, hanging), timezone.now()
    prepare(sandbox, plan)
    account = SupplierAccount.objects.get(code="psnb2b")
    assert budget.limit_for(account, "all") == budget.Limit(calls=58, seconds=10)
    codes = ["alpha", "alpha", "psnb2b", "psnb2b"] if hanging else ["psnb2b", "psnb2b"]
    assert list(Order.objects.order_by("approved_at").values_list("account__code", flat=True)) == codes
    assert len(sandbox.call("GET", "faults")["faults"]) == hanging
    sandbox_server.call("DELETE", "faults")
    run_due(kinds=["order.place"])
    found = read_counts(sandbox, plan, began)
    assert (found.accepted, found.refused, found.broken) == (2, 0, [])
    assert [one.name for one in found.counts] == ["requests", "orders"]
    assert found.counts[1].calls == found.counts[1].most == 2
    sandbox_server.reset()
