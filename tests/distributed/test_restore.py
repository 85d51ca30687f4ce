"""A backup of an hour ago is put back: what was bought since is found at the suppliers, and nothing is bought again (T8)."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.core.management import call_command
from django.db import connection

from procurement.orders.models import Order, UnclaimedOrder
from procurement.orders.services.drafting import cancel_order
from procurement.orders.services.unclaimed import note_unclaimed
from procurement.reconciliation.models import Difference
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import resume_account
from procurement.work.models import DueWork
from tests.distributed.conftest import copy_database, drop_database
from tests.distributed.hosts import Hosts, pass_time, wait_for_state
from tests.simulation.invariants import broken_invariants
from tests.work.child import wait_until

pytestmark = [
    pytest.mark.requirement("T1", "T8"),
    pytest.mark.xdist_group("distributed"),
    pytest.mark.parametrize("hosts", ["rabbitmq"], indirect=True),
]


@contextmanager
def standing_still(hosts: Hosts) -> Iterator[None]:
    """No worker asks the database for anything while it is copied."""
    hosts.freeze("a", "b")
    try:
        yield
    finally:
        hosts.go_on("a", "b")


def test_what_was_bought_since_the_backup_is_found_and_nothing_is_bought_again(hosts: Hosts) -> None:
    live = str(connection.settings_dict["NAME"])
    backup = f"{live}_backup"
    with standing_still(hosts):
        queued = [hosts.order(code, f"{code}-queued") for code in hosts.shop.accounts]
        copy_database(live, backup)
    since = [hosts.order(code, f"{code}-since") for code in hosts.shop.accounts]
    for order in [*queued, *since]:
        wait_for_state(order, "codes_stored")
    bought = hosts.sandbox.orders()
    ids = {order.client_order_id: order.remote_id for order in [*queued, *since]}

    with standing_still(hosts):
        copy_database(backup, live)
        drop_database(backup)
        said = io.StringIO()
        call_command("after_restore", stdout=said)
    assert set(SupplierAccount.objects.values_list("state", flat=True)) == {"paused"}
    assert [order.state for order in Order.objects.filter(client_order_id__endswith="-queued")] == ["approved"] * 2
    assert not Order.objects.filter(client_order_id__endswith="-since").exists()

    # At the supplier with a list each is known by its id; at the other the missing money is named to the cent.
    report = said.getvalue()
    assert f"{ids['alpha-since']}: no order of ours carries it" in report
    assert f"alpha-queued, “Approved, queued”: the supplier has it as {ids['alpha-queued']}; cancel it" in report
    assert "psnb2b-queued, “Approved, queued”: the supplier has no list" in report
    missing = Difference.objects.get(kind="balance", day__account__code="psnb2b", gone_at=None)
    assert missing.amount_minor == -sum(order.total_cost_minor or 0 for order in (queued[1], since[1]))

    # The workers sweep over what is queued, and nothing leaves while people look.
    pass_time(3600)
    hosts.wait_for_workers()
    assert hosts.sandbox.orders() == bought

    for order in queued:
        order = Order.objects.get(pk=order.pk)
        cancel_order(by=hosts.people["ben"], order=order, reason="The supplier has it already")
    for code in ("psnb2b-queued", "psnb2b-since"):
        note_unclaimed(account=hosts.shop.accounts["psnb2b"], remote_id=ids[code], seen_by="person")
    call_command("after_restore", stdout=io.StringIO())
    for account in SupplierAccount.objects.all():
        resume_account(by=hosts.people["ada"], account=account, reason="Compared with the supplier")
    pass_time(3600)
    hosts.wait_for_workers()
    wait_until(lambda: not DueWork.objects.filter(kind="order.unclaimed").exists())

    incidents = Counter(UnclaimedOrder.objects.filter(remote_id__in=ids.values()).values_list("state", flat=True))
    assert incidents == {"open": 4}
    assert hosts.sandbox.orders() == bought
    assert broken_invariants(hosts.sandbox.orders(), quiescent=False) == []
