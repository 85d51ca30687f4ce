"""Both sides of a day from the database: what we booked, and what the supplier said. No call is made here."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db.models import F, QuerySet, Sum

from procurement.bookkeeping.balances import (
    Flows,
    Held,
    Purchase,
    expected_at,
    flows,
    holds_open_at,
    purchases_of,
)
from procurement.bookkeeping.models import Deposit
from procurement.orders.models import Delivery, Order
from procurement.reconciliation.models import SupplierRecord
from procurement.reconciliation.pairs import Pairs, read_pairs
from procurement.reconciliation.window import Window
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount

# Below the number of values a statement may carry on either database.
BATCH = 2000


class OrderRow(NamedTuple):
    """What is read of an order, by its columns: a day may have very many."""

    pk: uuid.UUID
    client_order_id: str
    remote_id: str
    state: str
    quantity: int
    delivered_quantity: int
    unit_cost_minor: int
    refunded_minor: int


class Theirs(NamedTuple):
    """An order as the supplier last showed it, by the columns of SupplierRecord."""

    remote_id: str
    client_order_id: str
    status: str
    raw_status: str
    currency: str
    total_minor: int | None
    refunded_minor: int | None
    delivered_quantity: int | None
    created_at: datetime | None
    missing: bool


@dataclass(frozen=True, slots=True)
class Ours:
    """An order as we have it: amounts in minor units, `cost` None while nothing is booked for it."""

    pk: uuid.UUID
    label: str
    remote_id: str
    state: str
    quantity: int
    delivered: int
    in_files: int
    agreed: int
    refunded: int
    cost: int | None
    booked_at: datetime | None


@dataclass(frozen=True)
class Facts:
    """What is compared. `held` is (order, amount) at the cut-off, `held_then` when the supplier's balance was read.

    `booked` and `listed` are both sides of the day without the pairs that agree.
    """

    window: Window
    flows: Flows
    snapshot: BalanceSnapshot | None
    expected: int
    pairs: Pairs
    booked: list[Ours]
    records: dict[str, Theirs]
    listed: list[Theirs]
    known: dict[str, Ours]
    held: list[tuple[Ours, int]]
    held_then: list[tuple[Ours, int]]
    # Credited that day with another amount than was announced.
    deposits: list[Deposit]

    @property
    def difference(self) -> int | None:
        """The supplier's balance less ours at the moment it was read; None if it was not."""
        return None if self.snapshot is None else self.snapshot.available - self.expected

    def ours_of(self, record: Theirs) -> Ours | None:
        """Our order for the supplier's: by its id, else by our reference."""
        return self.known.get(record.remote_id) or self.known.get(f"client:{record.client_order_id}")

    def listed_as(self, order: Ours) -> Theirs | None:
        """The supplier's record of an order whose supplier id we do not have."""
        return next((record for record in self.listed if record.client_order_id == order.label), None)

    def is_held(self, order: Ours) -> bool:
        return any(held.pk == order.pk for held, _ in self.held)

    def is_booked_that_day(self, order: Ours) -> bool:
        return order.booked_at is not None and self.window.start <= order.booked_at < self.window.cutoff


def gather(window: Window, snapshot: BalanceSnapshot | None, apart: Collection[str] = ()) -> Facts:
    """Everything the comparison reads, in a number of queries that does not grow with the orders.

    Orders of `apart`, by their id as text, are looked at even if both sides agree on them.
    """
    code, currency = window.account.code, window.currency
    pairs = read_pairs(window, apart)
    moment = snapshot.taken_at if snapshot else window.cutoff
    held, then = holds_open_at(code, currency, window.cutoff), holds_open_at(code, currency, moment)
    orders = orders_by_id([*pairs.differing, *(one.order_id for one in (*held, *then))])
    listed = listed_records(window, pairs)
    ours = views(orders | orders_named_by(window.account, listed, orders.values()))
    booked = [ours[order_id] for order_id in pairs.differing if order_id in ours]
    return Facts(
        window=window,
        flows=flows(code, currency, window.day, window.cutoff),
        snapshot=snapshot,
        expected=expected_at(code, currency, moment),
        pairs=pairs,
        booked=sorted(booked, key=lambda order: (order.booked_at or window.start, order.label)),
        records=records_of(window.account, booked, listed),
        listed=listed,
        known=named(ours.values()),
        held=with_orders(held, ours),
        held_then=with_orders(then, ours),
        deposits=deposits_apart(window),
    )


def deposits_apart(window: Window) -> list[Deposit]:
    """Deposits credited that day with another amount than was announced."""
    rows = Deposit.objects.filter(account=window.account, currency=window.currency, credited_on=window.day)
    return list(rows.exclude(credited_minor=F("amount_minor")).order_by("reference"))


def named(ours: Iterable[Ours]) -> dict[str, Ours]:
    """Our orders by the supplier's id and by our reference."""
    found = {}
    for order in ours:
        found[f"client:{order.label}"] = order
        if order.remote_id:
            found[order.remote_id] = order
    return found


def with_orders(held: list[Held], ours: dict[str, Ours]) -> list[tuple[Ours, int]]:
    return [(ours[one.order_id], one.amount) for one in held if one.order_id in ours]


def listed_records(window: Window, pairs: Pairs) -> list[Theirs]:
    """The supplier's orders of the day that agree with none of ours, oldest first."""
    found = records_by_id(window.account, pairs.listed).values()
    return sorted(found, key=lambda record: (record.created_at or window.start, record.remote_id))


def records_of(account: SupplierAccount, booked: list[Ours], listed: list[Theirs]) -> dict[str, Theirs]:
    """By the supplier's id, its records of these orders, read only where they are not among those listed."""
    found = {record.remote_id: record for record in listed}
    return found | records_by_id(account, [order.remote_id for order in booked if order.remote_id not in found])


def records_by_id(account: SupplierAccount, remote_ids: Iterable[str]) -> dict[str, Theirs]:
    found: dict[str, Theirs] = {}
    for batch in batches(remote_ids):
        rows = read_records(SupplierRecord.objects.filter(account=account, remote_id__in=batch))
        found |= {row.remote_id: row for row in rows}
    return found


def read_records(rows: QuerySet[SupplierRecord]) -> list[Theirs]:
    return [Theirs(*row) for row in rows.values_list(*Theirs._fields)]


def read_orders(rows: QuerySet[Order]) -> dict[str, OrderRow]:
    """By their id as text."""
    return {str(row[0]): OrderRow(*row) for row in rows.values_list(*OrderRow._fields)}


def orders_by_id(order_ids: Iterable[str]) -> dict[str, OrderRow]:
    """Orders by their id as text, in the order given; ids that are no order of ours are left out."""
    wanted = list(dict.fromkeys(order_ids))
    found: dict[str, OrderRow] = {}
    for batch in batches(one for one in wanted if is_uuid(one)):
        found |= read_orders(Order.objects.filter(pk__in=batch))
    return {order_id: found[order_id] for order_id in wanted if order_id in found}


def orders_named_by(account: SupplierAccount, listed: list[Theirs], known: Collection[OrderRow]) -> dict[str, OrderRow]:
    """Our orders, beside those `known`, that the supplier's records name by its id or by our reference."""
    remote_ids, labels = {order.remote_id for order in known}, {order.client_order_id for order in known}
    rows, found = Order.objects.filter(account=account), dict[str, OrderRow]()
    for batch in batches(record.remote_id for record in listed if record.remote_id not in remote_ids):
        found |= read_orders(rows.filter(remote_id__in=batch))
    named = (record.client_order_id for record in listed)
    for batch in batches(label for label in named if label and label not in labels):
        found |= read_orders(rows.filter(client_order_id__in=batch))
    return found


def views(by_id: dict[str, OrderRow]) -> dict[str, Ours]:
    """Each order with what is booked for it and what its delivery files hold, by its id as text."""
    booked = purchases_of(list(by_id))
    files: dict[str, int] = {}
    for batch in batches(by_id):
        counts = Delivery.objects.filter(order_id__in=batch).values_list("order").annotate(total=Sum("count"))
        files |= {str(order_id): total for order_id, total in counts}
    return {order_id: view(order, booked.get(order_id), files.get(order_id, 0)) for order_id, order in by_id.items()}


def view(order: OrderRow, purchase: Purchase | None, in_files: int) -> Ours:
    return Ours(
        pk=order.pk,
        label=order.client_order_id,
        remote_id=order.remote_id,
        state=order.state,
        quantity=order.quantity,
        delivered=order.delivered_quantity,
        in_files=in_files,
        agreed=order.unit_cost_minor * order.quantity,
        refunded=order.refunded_minor,
        cost=purchase.cost if purchase else None,
        booked_at=purchase.at if purchase else None,
    )


def batches(values: Iterable[str]) -> Iterator[list[str]]:
    wanted = list(values)
    for start in range(0, len(wanted), BATCH):
        yield wanted[start : start + BATCH]


def is_uuid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
