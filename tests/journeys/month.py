"""A month at the desk over the real services: three accounts in dollars, euros and yen at the sandbox's engine.

The engine runs in child processes without a socket and always at our clock's time. It counts in cents of dollars; the
line to an account restates them in the currency that account settles in, so that 45.12 becomes 4,512 yen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

import httpx
import time_machine
from django.conf import settings
from django.utils import timezone

from procurement.approvals.models import ApprovalRule
from procurement.bookkeeping import deposits
from procurement.catalog.models import Mapping, Sku
from procurement.catalog.services.refreshing import refresh_products
from procurement.demo.seed import quick_writes
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.orders.services.tracking import check_order
from procurement.reconciliation.models import Day
from procurement.reconciliation.services import reconcile_day
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import create_account, read_balance, set_api_key
from procurement.work.models import DueWork
from tests.conftest import make_person
from tests.fixtures_sandbox import KEYS, PATHS
from tests.orders.conftest import map_exactly
from tests.simulation.suppliers import HOME, Suppliers

FIRST = date(2026, 10, 1)
DAYS = 31
OPENING = 40_000_00
FACES = (10, 50)
STATED = frozenset({"unit_cost", "available", "reserved", "total_cost", "refunded", "price", "total", "balance"})
ENOUGH = 10**9
Named = tuple[str, str, int]


class Line(httpx.BaseTransport):
    """The way to one account: hands requests to the engine and restates its answers in the account's currency."""

    def __init__(self, suppliers: Suppliers, dialect: str, currency: str) -> None:
        self.suppliers, self.dialect, self.currency = suppliers, dialect, currency
        # What the supplier says of an order later on, by our reference or its own id: (field, minor units).
        self.restated: dict[str, tuple[str, int]] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        trace = request.extensions.get("trace") or (lambda name, info: None)
        trace("http11.send_request_headers.started", {})
        trace("http11.send_request_headers.complete", {})
        path, query = request.url.path, dict(request.url.params)
        found = self.suppliers.request(request.method, path, query, dict(request.headers), request.read())
        status, headers, content, hung_up, _slept = found
        if hung_up:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        kept = [(name, value) for name, value in headers if name.lower() != "content-length"]
        products = path.endswith(("/products", "/inventory"))
        return httpx.Response(status, headers=kept, content=json.dumps(self.said(json.loads(content), products)))

    def said(self, data: Any, products: bool) -> Any:
        """The engine's answer in this account's currency; a product's face value keeps its own."""
        if isinstance(data, list):
            return [self.said(one, products) for one in data]
        if not isinstance(data, dict):
            return data
        named = {"cost_currency", "price_currency"} if products else {"currency"}
        found = {
            name: self.currency
            if name in named
            else self.amount(value)
            if name in STATED
            else self.said(value, products)
            for name, value in data.items()
        }
        name, minor = self.restated.get(str(data.get("order_id") or data.get("id")), ("", 0))
        return found | ({name: self.text(minor)} if name else {})

    def amount(self, value: Any) -> Any:
        return self.text(round(float(value) * 100)) if isinstance(value, str) else value

    def text(self, minor: int) -> str:
        return str(minor) if self.currency == "JPY" else f"{minor // 100}.{minor % 100:02}"


@dataclass
class Till:
    """One account of the month: how it is reached, and the engine behind it."""

    account: SupplierAccount
    line: Line
    mappings: list[Mapping]

    @property
    def currency(self) -> str:
        return self.line.currency

    def control(self, method: str, path: str, data: dict[str, Any]) -> dict[str, Any]:
        return self.line.suppliers.control(method, path, data)

    def arm(self, kind: str, **params: Any) -> None:
        self.line.suppliers.arm(self.line.dialect, kind, **params)

    def balance(self) -> int:
        """What the engine has for us, in minor units of the account's currency."""
        return round(float(self.control("GET", f"accounts/{self.line.dialect}", {})["balance"]["USD"]) * 100)

    def take(self, minor: int) -> None:
        """The supplier takes money without a word (or gives some, when negative)."""
        left = self.balance() - minor
        self.control("PUT", f"accounts/{self.line.dialect}", {"balance": {"USD": f"{left // 100}.{left % 100:02}"}})

    def bought_elsewhere(self) -> tuple[str, int]:
        """Somebody buys in the supplier's portal: its id there, and what it took."""
        before = self.balance()
        bodies: dict[str, dict[str, Any]] = {
            "alpha": {
                "product_id": self.mappings[0].product.external_id,
                "client_order_id": "BY-HAND",
                "idempotency_key": "by-hand-in-the-portal",
                "quantity": 1,
            },
            "psnb2b": {"region": "US", "denomination": 10, "quantity": 1},
        }
        dialect = self.line.dialect
        headers = {"Authorization": f"Bearer {KEYS[dialect]}", "Content-Type": "application/json", "Host": "localhost"}
        body = json.dumps(bodies[dialect]).encode()
        status, _, content, _, _ = self.line.suppliers.request("POST", f"{PATHS[dialect]}orders", {}, headers, body)
        assert status == 201, content
        data = json.loads(content)
        return data.get("order_id") or data["id"], before - self.balance()


@dataclass
class Month:
    """The desk through the month. `tills` by account code; `nightly` holds what each night's report named."""

    traveller: time_machine.Traveller
    tills: dict[str, Till]
    people: dict[str, User]
    nightly: dict[tuple[str, int], list[Named]] = field(default_factory=dict)
    # What happens besides on a day: in the "morning", after its orders ("evening"), after the last reading
    # ("night"), after the report ("small hours").
    plans: dict[tuple[int, str], Callable[[], None]] = field(default_factory=dict)
    bought: int = 0

    def at(self, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
        """A moment of the month, the first being day 1."""
        return datetime(2026, 10, 1, hour, minute, second, tzinfo=UTC) + timedelta(days=day - 1)

    def move_to(self, moment: datetime) -> None:
        assert moment >= timezone.now(), f"back in time to {moment}"
        self.traveller.move_to(moment)

    def wait(self, seconds: float) -> None:
        self.traveller.shift(seconds)

    def submit(self, code: str, quantity: int) -> Order:
        """Ben asks for codes; small orders are approved by the rule."""
        self.bought += 1
        till, name = self.tills[code], f"M-{self.bought:04}"
        known = Mapping.objects.select_related("product", "account", "sku")
        mapping = known.get(pk=till.mappings[self.bought % len(till.mappings)].pk)
        order = drafting.draft_order(by=self.people["ben"], mapping=mapping, quantity=quantity, client_order_id=name)
        drafting.submit_order(by=self.people["ben"], order=order)
        assert order.state == "approved", (name, order.state)
        return order

    def buy(self, code: str, quantity: int = 4) -> Order:
        """An order from the wish to the codes, as the work loop would bring it there."""
        order = self.submit(code, quantity)
        self.follow(order)
        return order

    def follow(self, order: Order, *, seconds: int = 60) -> None:
        end, again = timezone.now() + timedelta(seconds=seconds), place_order(str(order.pk))
        self.wait(4)
        order.refresh_from_db()
        while order.state in {"approved", "placing", "unknown"} and again is not None and again < end:
            self.move_to(max(again, timezone.now()))
            again = place_order(str(order.pk))
            order.refresh_from_db()
        again = timezone.now()
        while again is not None and again < end and order.state != "codes_stored":
            self.move_to(max(again, timezone.now()))
            again = check_order(str(order.pk))
            order.refresh_from_db()
        DueWork.objects.all().delete()

    def morning(self) -> None:
        for till in self.tills.values():
            refresh_products(till.account)
            read_balance(till.account)

    def live(self, orders_a_day: int) -> None:
        """Every day: the morning's readings, orders at each account, what was planned, the night's report."""
        for day in range(1, DAYS + 1):
            self.move_to(self.at(day, 6, 30))
            self.morning()
            self.do_planned(day, "morning")
            for number in range(orders_a_day):
                for place, code in enumerate(self.tills):
                    # 13 orders a day: with those that are planted more than 400 in the month.
                    if number or place == day % 3:
                        self.wait(900)
                        self.buy(code, 1 + (day + number) % 3)
            self.do_planned(day, "evening")
            self.move_to(max(timezone.now(), self.at(day, 23, 59, 50)))
            for till in self.tills.values():
                read_balance(till.account)
            self.do_planned(day, "night")
            self.move_to(max(timezone.now(), self.at(day + 1, 0, 10)))
            self.report(day)
            self.do_planned(day, "small hours")

    def do_planned(self, day: int, when: str) -> None:
        self.plans.get((day, when), lambda: None)()

    def report(self, day: int) -> None:
        for code in self.tills:
            self.nightly[code, day] = named(self.compare(code, day))

    def compare(self, code: str, day: int) -> Day:
        """The comparison as often as the supplier's orders must be read."""
        till, when = self.tills[code], FIRST + timedelta(days=day - 1)
        while (row := reconcile_day(by=None, account=till.account, currency=till.currency, day=when)).unread:
            pass
        return row


def named(row: Day) -> list[Named]:
    """The open differences as (kind, reference, amount)."""
    rows = row.differences.filter(gone_at=None).order_by("kind", "reference")
    return list(rows.values_list("kind", "reference", "amount_minor"))


@contextmanager
def month(*, start: date = FIRST) -> Iterator[Month]:
    """An empty database becomes a shop with three accounts and money on both sides; the clock stands before the month."""
    engines = [Suppliers(), Suppliers()]
    quick_writes(True)
    lines = {
        "alpha": Line(engines[0], "alpha", "USD"),
        "psnb2b": Line(engines[0], "psnb2b", "EUR"),
        "alpha-yen": Line(engines[1], "alpha", "JPY"),
    }
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC) - timedelta(days=3)
    try:
        with (
            time_machine.travel(begin, tick=False) as traveller,
            patch.object(settings, "SUPPLIER_TRANSPORT", lambda account: lines[account.code], create=True),
        ):
            people = {
                "ben": make_person("ben", "buyer"),
                "sam": make_person("sam", "support"),
                "fay": make_person("fay", "finance"),
                "mia": make_person("mia", "manager"),
            }
            for currency in ("USD", "EUR", "JPY"):
                limits = {"order_limit_minor": ENOUGH, "daily_limit_minor": ENOUGH}
                ApprovalRule.objects.update_or_create(currency=currency, defaults=limits)
            skus = [
                Sku.objects.create(
                    code=f"PSN-US-{face}", title=f"US {face}", region="US", currency="USD", face_minor=face * 100
                )
                for face in FACES
            ]
            tills = {code: open_till(code, line, skus) for code, line in lines.items()}
            traveller.move_to(begin + timedelta(days=2, hours=12))
            yield Month(traveller, tills, people)
    finally:
        quick_writes(False)
        for engine in engines:
            engine.close()


def open_till(code: str, line: Line, skus: list[Sku]) -> Till:
    """An account with its products mapped and the same money on both sides."""
    engine, dialect = line.suppliers, line.dialect
    engine.control("PUT", "settings", {"limits_enabled": False, "loop_enabled": False})
    money = {"balance": {"USD": f"{OPENING // 100}.00"}, "delivery_delay_seconds": 1}
    engine.control("PUT", f"accounts/{dialect}", money)
    account = create_account(
        by=None,
        code=code,
        name=code.title(),
        dialect=dialect,
        base_url=HOME + PATHS[dialect],
        settlement_currency=line.currency,
    )
    set_api_key(by=None, account=account, key=KEYS[dialect])
    free = {"calls": 0}
    account.settings = {**account.settings, "limits": {"all": free, "orders": free, "polls": free}}
    account.save(update_fields=["settings"])
    refresh_products(account)
    deposits.open_book(
        account=account,
        amount_minor=OPENING,
        currency=line.currency,
        credited_on=timezone.now().date(),
        reference=f"OPEN-{code}",
    )
    return Till(account, line, [map_exactly(sku, account) for sku in skus])
