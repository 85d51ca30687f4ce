"""A shop in a box: two accounts at the running sandbox, a SKU mapped at both, money on the ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from ledger.money import parse_amount
from procurement.bookkeeping import deposits
from procurement.catalog.models import Mapping, Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import check_order
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import create_account, set_api_key, set_webhook_secret
from procurement.work.runner import run_due
from tests.fixtures_sandbox import KEYS, SECRETS, SandboxServer, sandbox_server

__all__ = ["sandbox_server"]


@dataclass
class Shop:
    """What a test needs at hand; `accounts` by code."""

    sandbox: SandboxServer
    accounts: dict[str, SupplierAccount]
    sku: Sku
    mappings: dict[str, Mapping]

    def order(self, buyer: User | None, code: str = "alpha", quantity: int = 2, name: str = "") -> Order:
        return drafting.draft_order(
            by=buyer,
            mapping=self.mappings[code],
            quantity=quantity,
            client_order_id=name or drafting.next_client_order_id(),
        )


@pytest.fixture
def shop(transactional_db: None, sandbox_server: SandboxServer) -> Shop:
    return open_shop(sandbox_server)


def open_shop(sandbox_server: SandboxServer, money: str = "5000.00", *, plausible: bool = False) -> Shop:
    """Fill an empty database; `money` (USD) is on both sides of each account."""
    # Most of the catalogue is of no use to most tests, and reading it would take longer than they do.
    sandbox_server.reset(plausible=plausible)
    sandbox_server.settings(limits_enabled=False, loop_enabled=False)
    accounts = {}
    for code, name in (("alpha", "Alpha PSN"), ("psnb2b", "PSN:B2B")):
        sandbox_server.account(code, delivery_delay_seconds=0, balance={"USD": money})
        account = create_account(
            by=None, code=code, name=name, dialect=code, base_url=sandbox_server.url(code), settlement_currency="USD"
        )
        set_api_key(by=None, account=account, key=KEYS[code])
        set_webhook_secret(by=None, account=account, secret=SECRETS[code])
        refresh_products(account)
        deposits.open_book(
            account=account,
            amount_minor=parse_amount(money, "USD"),
            currency="USD",
            credited_on=date(2026, 1, 1),
            reference=f"{code}-1",
        )
        accounts[code] = account
    sku = Sku.objects.create(
        code="PSN-US-50", title="PlayStation Store Gift Card $50", region="US", currency="USD", face_minor=5000
    )
    return Shop(sandbox_server, accounts, sku, {code: map_exactly(sku, account) for code, account in accounts.items()})


def map_exactly(sku: Sku, account: SupplierAccount) -> Mapping:
    product = account.products.get(region=sku.region, currency=sku.currency, denomination_minor=sku.face_minor)
    number = sku.mappings.count() + 1
    return Mapping.objects.create(sku=sku, product=product, account=account, number=number, state="active")


def run_until_settled(order: Order, steps: int = 12) -> Order:
    """Do what the work loop would do, at the times it would do it, until nothing is due for the order."""
    again: datetime | None = timezone.now()
    for _ in range(steps):
        if again is None:
            break
        with time_machine.travel(again + timedelta(seconds=1)):
            order.refresh_from_db()
            step = place_order if order.state in {"approved", "placing", "unknown"} else check_order
            again = step(str(order.pk)) or (timezone.now() if step is place_order and moved_on(order) else None)
    order.refresh_from_db()
    return order


def moved_on(order: Order) -> bool:
    """Whether placing made a check due."""
    order.refresh_from_db()
    return order.state == "placed"


def work_for(seconds: int, *kinds: str, every: int = 5) -> None:
    """Do the due work of these kinds as the loop would in the coming `seconds`, without waiting for them."""
    start = timezone.now()
    for passed in range(0, seconds + 1, every):
        with time_machine.travel(start + timedelta(seconds=passed)):
            run_due(kinds=kinds)


@pytest.fixture
def submitted(shop: Shop, buyer: User) -> Callable[..., Order]:
    """An order sent on: approved at once when small, waiting for a manager when large."""

    def make(code: str = "alpha", quantity: int = 2) -> Order:
        return drafting.submit_order(by=buyer, order=shop.order(buyer, code, quantity))

    return make
