"""Asking the supplier: its orders of the day and its balance, kept as rows before anything is compared.

Nothing here runs inside a transaction. Whatever was read before a failure is kept.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.utils import timezone

from procurement.orders.services.unclaimed import note_listed
from procurement.reconciliation.models import SupplierRecord
from procurement.reconciliation.pairs import ids_to_read
from procurement.reconciliation.window import Window
from procurement.suppliers.clients import Throttled, client_for
from procurement.suppliers.clients.problems import NotFound
from procurement.suppliers.clients.types import RemoteOrder, SupplierClient
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount
from procurement.suppliers.services import read_balance

# Clocks differ: orders this near the cut-off may stand on its other side.
MARGIN = timedelta(minutes=15)
# How far from the cut-off a balance may have been read; our movements in between are carried over.
SNAPSHOT_REACH = timedelta(hours=12)
# Single readings in one run, and how long one run waits for the supplier's limit: others need it too.
MOST_READS = 10
MOST_WAIT = timedelta(seconds=10)
READ_AGAIN_AFTER = timedelta(minutes=10)
BATCH = 500
RECORD_FIELDS = (
    "client_order_id",
    "status",
    "raw_status",
    "currency",
    "total_minor",
    "refunded_minor",
    "quantity",
    "delivered_quantity",
    "created_at",
    "missing",
    "read_at",
)


def read_supplier(window: Window) -> None:
    """Read what the comparison needs and keep it; SupplierProblem when the supplier can't be asked."""
    if not window.is_over or must_read_balance(window):
        read_balance(window.account)
    client = client_for(window.account)
    listed = client.list_orders(window.start - MARGIN, window.end + MARGIN)
    if listed is not None:
        keep(window.account, listed)
        note_listed(window.account, listed)
    stale = window.now - READ_AGAIN_AFTER
    wanted = ids_to_read(window, stale, listed=listed is not None, most=MOST_READS)
    read_one_by_one(window.account, client, wanted)


def must_read_balance(window: Window) -> bool:
    """Whether a reading now would be nearer the cut-off than any that is kept."""
    kept = nearest_snapshot(window)
    distance = timezone.now() - window.cutoff
    return distance <= SNAPSHOT_REACH and (kept is None or distance < abs(kept.taken_at - window.cutoff))


def nearest_snapshot(window: Window) -> BalanceSnapshot | None:
    """The balance read nearest the cut-off, within reach; None is "not known", never zero."""
    rows = BalanceSnapshot.objects.filter(account=window.account, currency=window.currency)
    cutoff = window.cutoff
    before = (
        rows.filter(taken_at__lte=cutoff, taken_at__gte=cutoff - SNAPSHOT_REACH).order_by("-taken_at", "-pk").first()
    )
    after = rows.filter(taken_at__gt=cutoff, taken_at__lte=cutoff + SNAPSHOT_REACH).order_by("taken_at", "pk").first()
    near = [row for row in (before, after) if row is not None]
    return min(near, key=lambda row: abs(row.taken_at - cutoff), default=None)


def read_one_by_one(account: SupplierAccount, client: SupplierClient, remote_ids: list[str]) -> None:
    """Read these orders, waiting a little where our limits ask for it."""
    deadline = timezone.now() + MOST_WAIT
    for remote_id in remote_ids:
        try:
            found = read_patiently(client, remote_id, deadline)
        except Throttled:
            return
        if found is None:
            keep_missing(account, remote_id)
        else:
            keep(account, [found])


def read_patiently(client: SupplierClient, remote_id: str, deadline: datetime) -> RemoteOrder | None:
    """One order; None when the supplier does not know it. Throttled once the wait would pass the deadline."""
    while True:
        try:
            return client.read_order(remote_id)
        except NotFound:
            return None
        except Throttled as throttled:
            if throttled.retry_at is None or throttled.retry_at > deadline:
                raise
            time.sleep(max(0.05, (throttled.retry_at - timezone.now()).total_seconds()))


def keep(account: SupplierAccount, orders: Iterable[RemoteOrder]) -> None:
    """Store what the supplier said, replacing what it said before; a list that names an order twice counts once."""
    now = timezone.now()
    store(
        [
            SupplierRecord(
                account=account,
                remote_id=order.remote_id,
                client_order_id=order.client_order_id[:100],
                status=order.status,
                raw_status=order.raw_status[:60],
                currency=order.currency,
                total_minor=order.total,
                refunded_minor=order.refunded,
                quantity=order.quantity,
                delivered_quantity=order.delivered_quantity,
                created_at=order.created_at,
                read_at=now,
            )
            for order in {order.remote_id: order for order in orders}.values()
        ]
    )


def keep_missing(account: SupplierAccount, remote_id: str) -> None:
    store([SupplierRecord(account=account, remote_id=remote_id, missing=True, read_at=timezone.now())])


def store(records: list[SupplierRecord]) -> None:
    SupplierRecord.objects.bulk_create(
        records,
        update_conflicts=True,
        unique_fields=["account", "remote_id"],
        update_fields=RECORD_FIELDS,
        batch_size=BATCH,
    )
