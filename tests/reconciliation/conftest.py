"""A supplier that says what a test wants it to say, and our side of a day."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from procurement.bookkeeping import deposits, postings
from procurement.catalog.models import Mapping, Product, Sku
from procurement.orders.models import Delivery, Order
from procurement.reconciliation import reading
from procurement.reconciliation.models import Day, Difference
from procurement.reconciliation.services import reconcile_day
from procurement.staff.models import User
from procurement.suppliers.clients.problems import NoAnswer, NotFound
from procurement.suppliers.clients.types import RemoteOrder
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount

DAY = date(2026, 11, 20)
START = datetime(2026, 11, 20, tzinfo=UTC)
NEXT = START + timedelta(days=1)
NOON = START + timedelta(hours=12)
SOON = timedelta(seconds=3)


@dataclass
class FakeClient:
    """The supplier's side: its orders by id, its balance, and whether it answers."""

    lists: bool = True
    orders: dict[str, RemoteOrder] = field(default_factory=dict)
    down: bool = False
    reads: list[str] = field(default_factory=list)

    def list_orders(self, created_from: datetime, created_to: datetime) -> tuple[RemoteOrder, ...] | None:
        self.answer()
        if not self.lists:
            return None
        in_time = (
            one for one in self.orders.values() if one.created_at and created_from <= one.created_at < created_to
        )
        return tuple(in_time)

    def read_order(self, remote_id: str) -> RemoteOrder:
        self.answer()
        self.reads.append(remote_id)
        if remote_id not in self.orders:
            raise NotFound("There is no such order.")
        return self.orders[remote_id]

    def answer(self) -> None:
        if self.down:
            raise NoAnswer("Alpha did not answer within 45 s. Nothing was changed; try again later.")


@contextmanager
def moment(at: datetime) -> Iterator[None]:
    with time_machine.travel(at, tick=False):
        yield


class Scene:
    """One supplier account in USD over one day: what we booked, and what the supplier says."""

    def __init__(self, account: SupplierAccount, client: FakeClient) -> None:
        self.account, self.client, self.balance = account, client, 0
        sku = Sku.objects.create(code="US-50", title="US 50", region="US", currency="USD", face_minor=5000)
        self.product = Product.objects.create(
            account=account, external_id="us50", name="US 50", region="US", currency="USD", denomination_minor=5000
        )
        self.mapping = Mapping.objects.create(sku=sku, product=self.product, account=account, number=1, state="active")

    def deposit(self, minor: int, at: datetime = START - timedelta(days=3), credited_on: date | None = None) -> None:
        with moment(at):
            deposits.open_book(
                account=self.account,
                amount_minor=minor,
                currency="USD",
                credited_on=credited_on or at.date(),
                reference=f"WIRE-{uuid.uuid4().hex[:6]}",
            )
        self.balance += minor

    def order(self, label: str, cost: int, *, state: str = "codes_stored", remote_id: str | None = None) -> Order:
        return Order.objects.create(
            client_order_id=label,
            sku=self.mapping.sku,
            mapping=self.mapping,
            product=self.product,
            account=self.account,
            sold_region="US",
            sold_currency="USD",
            sold_face_minor=5000,
            region="US",
            face_currency="USD",
            face_minor=5000,
            quantity=2,
            unit_cost_minor=cost // 2,
            cost_currency="USD",
            price_read_at=timezone.now(),
            state=state,
            remote_id=f"r-{label}" if remote_id is None else remote_id,
            delivered_quantity=2,
        )

    def facts(self, order: Order, cost: int) -> dict[str, Any]:
        return {
            "account_code": self.account.code,
            "currency": "USD",
            "order_id": str(order.pk),
            "label": order.client_order_id,
            "amount_minor": cost,
        }

    def hold(self, order: Order, cost: int, at: datetime) -> None:
        with moment(at):
            postings.hold_order(**self.facts(order, cost), actor="Ben Buyer")

    def book(self, order: Order, cost: int, at: datetime) -> None:
        """Settle the order here: its purchase, and its codes in one file."""
        with moment(at):
            postings.purchase(**self.facts(order, cost))
            Delivery.objects.create(order=order, count=2, checksum="c" * 64, fetched_at=at)
        Order.objects.filter(pk=order.pk).update(total_cost_minor=cost, placed_at=at)

    def there(self, order: Order, cost: int, at: datetime, **changes: Any) -> None:
        """Let the supplier have the order, made at `at`, and take its cost."""
        facts = RemoteOrder(
            remote_id=f"r-{order.client_order_id}",
            status="delivered",
            raw_status="completed",
            quantity=2,
            delivered_quantity=2,
            total=cost,
            currency="USD",
            refunded=0,
            created_at=at,
            client_order_id=order.client_order_id,
        )
        self.client.orders[facts.remote_id] = replace(facts, **changes)
        self.balance -= cost

    def restate(self, order: Order, **changes: Any) -> None:
        """Let the supplier say something else of an order it has."""
        remote_id = f"r-{order.client_order_id}"
        self.client.orders[remote_id] = replace(self.client.orders[remote_id], **changes)

    def buy(self, label: str, cost: int = 4500, at: datetime = NOON) -> Order:
        """An order that agrees on both sides."""
        order = self.order(label, cost)
        self.hold(order, cost, at)
        self.there(order, cost, at + timedelta(seconds=1))
        self.book(order, cost, at + SOON)
        return order

    def says(self, minor: int | None = None, at: datetime = NEXT + timedelta(seconds=30)) -> None:
        """A reading of the supplier's balance; by default what its own movements leave."""
        available = self.balance if minor is None else minor
        BalanceSnapshot.objects.create(
            account=self.account, currency="USD", available=available, taken_at=at, request_id=uuid.uuid4()
        )

    def run(self, day: date = DAY, at: datetime = NEXT + timedelta(minutes=5), by: User | None = None) -> Day:
        with moment(at):
            return reconcile_day(by=by, account=self.account, currency="USD", day=day)


def named(row: Day) -> list[tuple[str, str, int]]:
    """The open differences as (kind, reference, amount)."""
    return list(
        row.differences.filter(gone_at=None)
        .order_by("kind", "reference")
        .values_list("kind", "reference", "amount_minor")
    )


def all_rows(row: Day) -> list[tuple[Any, ...]]:
    return list(Difference.objects.filter(day=row).order_by("pk").values_list())


@pytest.fixture
def client_of_supplier(monkeypatch: pytest.MonkeyPatch) -> FakeClient:
    fake = FakeClient()
    monkeypatch.setattr(reading, "client_for", lambda account: fake)
    return fake


@pytest.fixture
def scene(db: None, client_of_supplier: FakeClient, monkeypatch: pytest.MonkeyPatch) -> Scene:
    account = SupplierAccount.objects.create(
        code="alpha", name="Alpha", dialect="alpha", base_url="http://127.0.0.1:9/alpha/v1", settlement_currency="USD"
    )
    made = Scene(account, client_of_supplier)

    def read_balance(account: SupplierAccount) -> None:
        client_of_supplier.answer()
        made.says(at=timezone.now())

    monkeypatch.setattr(reading, "read_balance", read_balance)
    made.deposit(100_000)
    return made
