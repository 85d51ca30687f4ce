"""Alpha PSN: orders carry an idempotency key, so a lost answer is asked for again with the same bytes (R18, R21)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import StringConstraints

from procurement.suppliers import budget
from procurement.suppliers.clients import problems
from procurement.suppliers.clients.base import BaseClient
from procurement.suppliers.clients.echo import Echo, as_count, as_text
from procurement.suppliers.clients.fields import (
    Count,
    Currency,
    Identifier,
    Label,
    Major,
    Message,
    Moment,
    Words,
    renamed,
    to_minor,
)
from procurement.suppliers.clients.http import Call, Reply
from procurement.suppliers.clients.strict_json import canonical
from procurement.suppliers.clients.types import (
    DELIVERED,
    FAILED,
    NO_SUBJECT,
    PARTLY_DELIVERED,
    PROCESSING,
    REFUNDED,
    UNRECOGNISED,
    Balance,
    BalanceReading,
    ClaimVerdict,
    Placed,
    PlaceRequest,
    ProductOffer,
    RemoteCode,
    RemoteOrder,
    Subject,
    Verdict,
)
from procurement.vault import Secret

STATUSES = {
    "processing": PROCESSING,
    "completed": DELIVERED,
    "partially_completed": PARTLY_DELIVERED,
    "failed": FAILED,
    "refunded": REFUNDED,
}
MOST_PAGES = 200
RawCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Product(Message):
    product_id: Identifier
    name: Words
    region: Label
    currency: Currency
    denomination: Major
    unit_cost: Major
    cost_currency: Currency
    stock: Count | None
    quoted_until: Moment | None = None


class Products(Message):
    products: list[Product]


class FundedCurrency(Message):
    currency: Currency
    available: Major
    reserved: Major | None = None


class Balances(Message):
    balances: list[FundedCurrency]


class Order(Message):
    order_id: Identifier
    status: Label
    client_order_id: Words | None = None
    product_id: Words | None = None
    quantity: Count | None = None
    delivered_quantity: Count | None = None
    total_cost: Major | None = None
    refunded: Major | None = None
    currency: Currency | None = None
    created_at: Moment | None = None


class Orders(Message):
    orders: list[Order]
    next_cursor: Words | None = None


class DeliveredCode(Message):
    code: RawCode
    region: Label
    serial: Words | None = None


class Delivery(Message):
    order_id: Identifier
    codes: list[DeliveredCode]


def offer(product: Product) -> ProductOffer:
    return ProductOffer(
        external_id=product.product_id,
        name=product.name,
        region=product.region,
        currency=product.currency,
        denomination=to_minor(product.denomination, product.currency),
        unit_cost=to_minor(product.unit_cost, product.cost_currency),
        cost_currency=product.cost_currency,
        stock=product.stock,
        quoted_until=product.quoted_until,
    )


class AlphaClient(BaseClient):
    """One account at Alpha PSN."""

    idempotent = True
    keyed_orders = True
    takes_claims = False
    lists_orders = True

    def _read(self, reply: Reply) -> Any:
        return renamed(reply.data, self.account.settings.get("fields", {}))

    def list_products(self) -> tuple[ProductOffer, ...]:
        """The whole catalogue at its prices now."""
        reply = self._get(Call("products.list", "GET", self.path("products", "/products")))
        found = self._parse(Products, self._read(reply), "The product list").products
        try:
            return tuple(offer(product) for product in found)
        except ValueError as error:
            raise problems.Misfit(f"A price in the product list does not fit: {error}. Nothing was stored.") from None

    def read_balance(self) -> BalanceReading:
        """What is left, for each currency that is funded."""
        reply = self._get(Call("balance.read", "GET", self.path("balance", "/balance")), use=budget.BALANCE)
        found = self._parse(Balances, self._read(reply), "The balance").balances
        try:
            balances = tuple(
                Balance(
                    one.currency,
                    to_minor(one.available, one.currency),
                    to_minor(one.reserved, one.currency) if one.reserved is not None else 0,
                )
                for one in found
            )
        except ValueError as error:
            raise problems.Misfit(f"An amount of the balance does not fit: {error}. Nothing was stored.") from None
        return BalanceReading(balances, request_id=str(reply.request_id))

    def prepare_order(self, request: PlaceRequest) -> bytes:
        """The exact bytes to store and send, now and in every repetition (R20, R21)."""
        return canonical(
            {
                "product_id": request.external_id,
                "quantity": request.quantity,
                "client_order_id": request.client_order_id,
                "idempotency_key": request.idempotency_key,
            }
        ).encode()

    def place_order(self, body: bytes, subject: Subject = NO_SUBJECT) -> Verdict:
        """Send the stored bytes. The same bytes sent again give the first order back."""
        return self._place(Call("orders.place", "POST", self.path("orders", "/orders"), body), subject, self._placed)

    def _placed(self, reply: Reply) -> Placed | None:
        data = self._read(reply)
        if not isinstance(data, dict):
            return None
        echo = Echo(data)
        remote_id = echo.identifier("order_id")
        if not remote_id:
            return None
        total, currency = echo.total("total_cost", self.account.settlement_currency)
        raw_status = echo.take("status", as_text) or ""
        return Placed(
            remote_id=remote_id,
            status=STATUSES.get(raw_status, UNRECOGNISED),
            raw_status=raw_status,
            total=total,
            currency=currency,
            quantity=echo.take("quantity", as_count),
            external_id=echo.take("product_id", as_text) or "",
            client_order_id=echo.take("client_order_id", as_text) or "",
            replayed=reply.status == 200,
            misfits=tuple(echo.misfits),
        )

    def _order(self, found: Order) -> RemoteOrder:
        currency = found.currency or self.account.settlement_currency
        try:
            total = None if found.total_cost is None else to_minor(found.total_cost, currency)
            refunded = None if found.refunded is None else to_minor(found.refunded, currency)
        except ValueError as error:
            raise problems.Misfit(
                f"An amount of order {found.order_id} does not fit: {error}. Nothing was changed."
            ) from None
        return RemoteOrder(
            remote_id=found.order_id,
            status=STATUSES.get(found.status, UNRECOGNISED),
            raw_status=found.status,
            quantity=found.quantity,
            delivered_quantity=found.delivered_quantity,
            total=total,
            currency=currency,
            refunded=refunded,
            created_at=found.created_at,
            client_order_id=found.client_order_id or "",
            external_id=found.product_id or "",
        )

    def read_order(self, remote_id: str, subject: Subject = NO_SUBJECT) -> RemoteOrder:
        """The order as the supplier sees it now; Misfit when the answer is about another order."""
        path = self.path("orders", "/orders") + "/" + quote(remote_id, safe="")
        reply = self._get(Call("orders.read", "GET", path), subject, budget.POLLING)
        found = self._parse(Order, self._read(reply), "The order")
        self.check_same_order(found.order_id, remote_id)
        return self._order(found)

    def read_codes(self, remote_id: str, subject: Subject = NO_SUBJECT) -> tuple[RemoteCode, ...]:
        """The codes delivered so far; NotReady or NotFound when there are none yet."""
        path = self.path("orders", "/orders") + "/" + quote(remote_id, safe="") + self.path("delivery", "/delivery")
        reply = self._get(Call("orders.codes", "GET", path, codes_inside=True), subject, budget.CODES)
        found = self._parse(Delivery, self._read(reply), "The delivery")
        self.check_same_order(found.order_id, remote_id)
        return tuple(RemoteCode(Secret(one.code), one.region, None, one.serial or "") for one in found.codes)

    def _pages(self, query: dict[str, str], subject: Subject) -> tuple[RemoteOrder, ...]:
        found: list[RemoteOrder] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            asked = {**query, "cursor": cursor} if cursor else query
            reply = self._get(
                Call("orders.list", "GET", self.path("orders", "/orders"), query=asked), subject, budget.POLLING
            )
            page = self._parse(Orders, self._read(reply), "The list of orders")
            found.extend(self._order(order) for order in page.orders)
            if not page.next_cursor or page.next_cursor == cursor:
                return tuple(found)
            cursor = page.next_cursor
        raise problems.Misfit(f"The list of orders has more than {MOST_PAGES} pages. Nothing was stored.")

    def list_orders(self, created_from: datetime, created_to: datetime) -> tuple[RemoteOrder, ...] | None:
        """Every order created in [from, to), both UTC."""
        return self._pages({"created_from": created_from.isoformat(), "created_to": created_to.isoformat()}, NO_SUBJECT)

    def find_order(self, client_order_id: str, subject: Subject = NO_SUBJECT) -> RemoteOrder | None:
        """The order that carries our reference, or None when the supplier knows none."""
        found = [
            one
            for one in self._pages({"client_order_id": client_order_id}, subject)
            if one.client_order_id == client_order_id
        ]
        if len(found) > 1:
            raise problems.Misfit(
                f"The supplier lists {len(found)} orders with our reference. Nothing was changed; a person must look."
            )
        return found[0] if found else None

    def file_claim(
        self, remote_order_id: str, code: Secret, reason: str, description: str = "", subject: Subject = NO_SUBJECT
    ) -> ClaimVerdict:
        """Not offered: a person files claims through the supplier's support."""
        raise problems.NotOffered(f"{self.account} takes claims through its support only. Nothing was sent.")
