"""Many workers on hosts whose clocks differ, by the supplier's own count; and one supplier that hangs beside another."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.conf import settings
from django.utils import timezone

from procurement.catalog.models import Mapping
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.suppliers import budget, shared_clock
from procurement.suppliers.models import SupplierAccount
from tests.fixtures_sandbox import KEYS, PATHS
from tests.simulation.crew import SKEWS, Crew
from tests.simulation.simulation import Simulation
from tests.simulation.wire import READ_TIMEOUT

Simulate = Callable[..., Simulation]
WORKERS = 16
MINUTE = timedelta(minutes=1)


def approve_orders(code: str, number: int) -> None:
    mapping = Mapping.objects.get(account__code=code, sku__face_minor=1000)
    for place in range(number):
        order = drafting.draft_order(by=None, mapping=mapping, quantity=1, client_order_id=f"{code}-{2000 + place}")
        drafting.submit_order(by=None, order=order)


def none_waits(code: str) -> bool:
    return not Order.objects.filter(account__code=code, state__in=("approved", "placing")).exists()


def count_of_the_supplier(simulation: Simulation) -> dict[str, Any]:
    """What PSN:B2B's own limits page says of our key."""
    (found,) = simulation.suppliers.control("GET", "limits")["keys"]
    return dict(found)


@pytest.mark.requirement("R39", "R40", "R44", "R45")
def test_sixteen_workers_keep_both_limits_and_use_them(simulate: Simulate) -> None:
    simulation = simulate("psnb2b")
    with simulation.running(1):
        # Slow to deliver: orders are asked about again and again, so that more calls wait than may go.
        simulation.suppliers.control("PUT", "accounts/psnb2b", {"delivery_delay_seconds": 20})
        approve_orders("psnb2b", 21)
        crew = Crew(simulation)
        start = crew.now
        crew.hire_workers(WORKERS, until=lambda: none_waits("psnb2b"))
        crew.run()
        seen = count_of_the_supplier(simulation)
        arrived = [(datetime.fromisoformat(row["at"]), row["method"]) for row in simulation.suppliers.requests()]
    assert seen["most_requests_in_a_window"] <= 60
    assert seen["most_orders_in_a_window"] <= 10
    assert seen["refused"] == 0
    two_minutes = [method for at, method in arrived if start <= at < start + 2 * MINUTE]
    assert len(two_minutes) >= 0.8 * 2 * 60
    assert two_minutes.count("POST") >= 0.8 * 2 * 10


def order_posts(simulation: Simulation, number: int) -> int:
    """Workers of all hosts post orders whenever the places allow it; the most that arrived in a window."""
    account = SupplierAccount.objects.get(code="psnb2b")
    headers = {"Authorization": f"Bearer {KEYS['psnb2b']}", "Content-Type": "application/json"}
    crew = Crew(simulation)

    def post() -> None:
        for _ in range(number // WORKERS):
            while isinstance(ticket := budget.take(account, budget.PLACING), datetime):
                crew.pass_time(max(0.01, (ticket - shared_clock.now()).total_seconds()))
            crew.wire.linger()
            with crew.true_time():
                simulation.suppliers.request("POST", PATHS["psnb2b"] + "orders", {}, headers, b"{}")
            crew.wire.linger()
            budget.ended(ticket, answered=True)

    for place in range(WORKERS):
        crew.hire(post, SKEWS[place % len(SKEWS)])
    crew.run()
    return int(count_of_the_supplier(simulation)["most_orders_in_a_window"])


@pytest.mark.requirement("R40")
def test_by_the_clock_of_each_host_a_limit_would_be_broken(simulate: Simulate) -> None:
    simulation = simulate("psnb2b")
    with simulation.running(1):
        assert order_posts(simulation, 48) == 10
    with simulation.running(1), patch.object(Crew, "shared_now", lambda crew: timezone.now()):
        assert order_posts(simulation, 48) > 10


def placed_after(simulation: Simulation, *, hanging: str) -> list[float]:
    """Six workers, eight orders at Alpha and three later ones at PSN:B2B: seconds until each of the three was placed."""
    with simulation.running(1):
        approve_orders("alpha", 8)
        approve_orders("psnb2b", 3)
        crew = Crew(simulation, slowest=0.2)
        crew.wire.hanging = hanging
        start = crew.now
        crew.hire_workers(6, until=lambda: none_waits("psnb2b"))
        crew.run()
        placed = Order.objects.filter(account__code="psnb2b").order_by("placed_at").values_list("placed_at", flat=True)
        return [(at - start).total_seconds() for at in placed if at]


@pytest.mark.requirement("R25", "R45")
def test_orders_of_one_supplier_do_not_wait_for_another_that_hangs(
    simulate: Simulate, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulation = simulate()
    usual = placed_after(simulation, hanging="")
    beside = placed_after(simulation, hanging="/alpha/")
    assert len(usual) == len(beside) == 3
    # A worker looks for work every two seconds. All are placed before the first hanging call is given up.
    assert beside[0] <= usual[0] + 2
    assert beside[-1] < READ_TIMEOUT
    monkeypatch.setattr(settings, "WORK_PER_ACCOUNT", 100)
    without_a_share = placed_after(simulation, hanging="/alpha/")
    assert without_a_share[0] > READ_TIMEOUT
