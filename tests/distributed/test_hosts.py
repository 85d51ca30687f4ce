"""Several hosts share a database server and a broker: whatever is killed, cut off or emptied, nothing runs or is paid twice.

Every test ends with the invariants over our rows and the supplier's own record: no order was bought twice, none is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

import httpx
import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from procurement.catalog.services.refreshing import KIND
from procurement.orders.models import Attempt, Order
from procurement.staff.models import User
from procurement.work.models import DueWork, PeriodicSlot
from procurement.work.registry import JOBS
from tests.distributed.conftest import end_connections
from tests.distributed.hosts import Hosts, pass_time, wait_for_state
from tests.simulation.invariants import broken_invariants
from tests.work.child import wait_until

pytestmark = [pytest.mark.requirement("T7"), pytest.mark.xdist_group("distributed")]
# Which broker rings plays no part in these.
any_broker = pytest.mark.parametrize("hosts", ["rabbitmq"], indirect=True)
# How late an answer comes that something happens before, in seconds.
SLOW = 8


@pytest.fixture(autouse=True)
def nothing_twice_and_nothing_lost(hosts: Hosts) -> Iterator[None]:
    yield
    hosts.sandbox.call("DELETE", "faults")
    assert broken_invariants(hosts.sandbox.orders(), quiescent=False) == []


def readings_of_products(hosts: Hosts, code: str) -> int:
    paths = [row["path"] for row in hosts.sandbox.requests(supplier=code, last="5000")]
    return sum(path.endswith(("/products", "/inventory")) for path in paths)


def test_two_schedulers_and_two_workers_run_each_slot_once(hosts: Hosts) -> None:
    wait_until(lambda: set(PeriodicSlot.objects.exclude(finished_at=None).values_list("job", flat=True)) == set(JOBS))
    wait_until(lambda: not DueWork.objects.filter(kind=KIND).exists())

    slots = PeriodicSlot.objects.filter(job=KIND).count()
    # Beside the slots the shop read them once when it was opened.
    assert {code: readings_of_products(hosts, code) for code in hosts.shop.accounts} == dict.fromkeys(
        hosts.shop.accounts, slots + 1
    )


def test_an_emptied_broker_loses_no_work(hosts: Hosts) -> None:
    hosts.freeze("a", "b")
    orders = [hosts.order(code, f"{code}-flush-{number}") for code in hosts.shop.accounts for number in range(2)]
    hosts.broker.empty(hosts.queue)
    hosts.go_on("a", "b")

    for order in orders:
        wait_for_state(order, "codes_stored")
    assert [hosts.bought(order.client_order_id) for order in orders] == [1] * 4


def test_a_broker_out_of_reach_costs_time_and_no_work(hosts: Hosts) -> None:
    hosts.to_broker.cut()
    order = hosts.order("alpha", "alpha-cut")
    hosts.to_broker.heal()

    wait_for_state(order, "codes_stored", seconds=60)
    hosts.wait_for_workers()
    assert hosts.bought("alpha-cut") == 1


def sending(hosts: Hosts, name: str, worker: str, other: str) -> Order:
    """An order at the supplier without keys, in the middle of its POST from `worker`; `other` stands still."""
    hosts.sandbox.arm("psnb2b", "slow_answer", seconds=SLOW)
    hosts.freeze(other)
    order = hosts.order("psnb2b", name)
    wait_until(lambda: hosts.bought(name) == 1)
    return order


def given_up(hosts: Hosts, order: Order) -> None:
    """Another worker takes the row over once the lease is over, and calls the order unconfirmed after its deadline."""
    row = DueWork.objects.get(kind="order.place", ref=str(order.pk))
    wait_until(lambda: DueWork.objects.filter(pk=row.pk, fence__gt=row.fence, lease_until=None).exists())
    order.refresh_from_db()
    assert order.state == "placing"
    pass_time(90)
    wait_for_state(order, "unknown")


@any_broker
def test_what_a_person_sends_at_one_host_is_done_at_another(hosts: Hosts) -> None:
    address = hosts.start_web("web")
    ben = hosts.people["ben"]
    order = hosts.shop.order(ben, "psnb2b", 1, "psnb2b-web")
    with httpx.Client(base_url=address, cookies=signed_in(ben), timeout=60, trust_env=False) as browser:
        page = browser.get(f"/orders/{order.pk}/").raise_for_status().text
        form = page[page.index(f"/orders/{order.pk}/submit/") :]
        fields = dict(
            re.findall(r'name="(csrfmiddlewaretoken|once|unit_cost)" value="(\w+)"', form[: form.index("</form>")])
        )
        assert browser.post(f"/orders/{order.pk}/submit/", data=fields).status_code == 303

    wait_for_state(order, "codes_stored")
    assert hosts.bought("psnb2b-web") == 1


def signed_in(person: User) -> dict[str, str]:
    """The cookie of somebody who signed in, kept in the shared database like everybody's."""
    browser = Client()
    browser.force_login(person)
    return {settings.SESSION_COOKIE_NAME: browser.cookies[settings.SESSION_COOKIE_NAME].value}


@any_broker
@pytest.mark.requirement("T1", "T4", "T6")
def test_a_worker_killed_in_a_paid_post_leaves_an_unconfirmed_order_that_nobody_sends_again(hosts: Hosts) -> None:
    order = sending(hosts, "psnb2b-killed", "a", "b")
    hosts.kill("a")
    hosts.go_on("b")

    given_up(hosts, order)

    pass_time(3600)
    hosts.start_worker("a")
    hosts.wait_for_workers()
    assert hosts.bought("psnb2b-killed") == 1
    assert order.attempts.get().state == "unknown"
    hosts.settle(order)
    assert hosts.bought("psnb2b-killed") == 1


@any_broker
@pytest.mark.requirement("T1", "T6")
def test_the_late_write_of_a_host_that_was_cut_off_is_refused(hosts: Hosts) -> None:
    order = sending(hosts, "psnb2b-fenced", "a", "b")
    hosts.to_database.hush()
    hosts.go_on("b")

    given_up(hosts, order)
    before = Order.objects.values().get(pk=order.pk), Attempt.objects.values().get(order=order)
    hosts.to_database.heal()

    wait_until(lambda: "StaleState" in hosts.said("a"), seconds=60)
    wait_until(lambda: "another worker holds the row and this result is dropped" in hosts.said("a"))
    assert (Order.objects.values().get(pk=order.pk), Attempt.objects.values().get(order=order)) == before
    hosts.settle(order)
    assert hosts.bought("psnb2b-fenced") == 1


@any_broker
@pytest.mark.requirement("T1")
def test_a_database_that_ends_all_connections_loses_nothing(hosts: Hosts) -> None:
    for code in hosts.shop.accounts:
        hosts.sandbox.arm(code, "slow_answer", count=4, seconds=1)
    orders = [hosts.order(code, f"{code}-ended-{number}") for code in hosts.shop.accounts for number in range(3)]
    ended = 0
    for order in orders[:3]:
        with suppress(AssertionError):
            wait_until(lambda: hosts.bought(order.client_order_id) == 1, 5)  # noqa: B023
        connection.close()
        ended += end_connections(str(connection.settings_dict["NAME"]))
    assert ended > 0
    hosts.wait_for_workers()

    for order in orders:
        followed_to_its_end(hosts, order)
    assert [hosts.bought(order.client_order_id) for order in orders] == [1] * 6


def followed_to_its_end(hosts: Hosts, order: Order) -> None:
    """Whatever its worker could not store: a key finds it again, and without one two people say so."""

    def is_ended() -> bool:
        order.refresh_from_db()
        pass_time(10)
        return order.state == "codes_stored" or (order.state == "unknown" and order.account.code == "psnb2b")

    wait_until(is_ended)
    if order.state == "unknown":
        hosts.settle(order)
