"""PSN:B2B: no idempotency key and no list of orders, so an order whose answer was lost is never sent again (R31)."""

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
    as_major,
    major_text,
    renamed,
    to_minor,
)
from procurement.suppliers.clients.http import Call, Reply
from procurement.suppliers.clients.strict_json import canonical
from procurement.suppliers.clients.types import (
    DELIVERED,
    FAILED,
    NO_SUBJECT,
    PAID,
    PROCESSING,
    UNRECOGNISED,
    Balance,
    BalanceReading,
    ClaimReceipt,
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

STATUSES = {"pending": PROCESSING, "paid": PAID, "delivered": DELIVERED, "failed": FAILED}
CLAIM_REASONS = frozenset({"invalid", "wrong_region", "failed"})
LONGEST_DESCRIPTION = 2_000
RawCode = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class Item(Message):
    region: Label
    currency: Currency
    denomination: Major
    price: Major
    price_currency: Currency
    stock: Count


class Inventory(Message):
    inventory: list[Item]


class Tier(Message):
    name: Label
    discount_percent: Major


class BalanceAnswer(Message):
    balance: Major
    currency: Currency
    tier: Tier


class Order(Message):
    id: Identifier
    status: Label
    region: Words | None = None
    denomination: Major | None = None
    quantity: Count | None = None
    total: Major | None = None
    currency: Currency | None = None
    created_at: Moment | None = None
    failure_reason: Words | None = None


class DeliveredCode(Message):
    code: RawCode
    region: Label
    denomination: Major
    serial: Words | None = None


class Delivery(Message):
    order_id: Identifier
    codes: list[DeliveredCode]


def external_id(region: str, denomination: int, currency: str) -> str:
    """This project's handle of a product that has none at the supplier: region and face value, such as `US-50` (R9)."""
    return f"{region}-{major_text(denomination, currency)}"


def offer(item: Item) -> ProductOffer:
    denomination = to_minor(item.denomination, item.currency)
    return ProductOffer(
        external_id=external_id(item.region, denomination, item.currency),
        name=f"{item.region} {major_text(denomination, item.currency)} {item.currency}",
        region=item.region,
        currency=item.currency,
        denomination=denomination,
        unit_cost=to_minor(item.price, item.price_currency),
        cost_currency=item.price_currency,
        stock=item.stock,
    )


class Psnb2bClient(BaseClient):
    """One account at PSN:B2B."""

    idempotent = False
    takes_claims = True
    lists_orders = False

    def _read(self, reply: Reply) -> Any:
        return renamed(reply.data, self.account.settings.get("fields", {}))

    def list_products(self) -> tuple[ProductOffer, ...]:
        """The live inventory of all regions, with price and stock (R7)."""
        reply = self._get(Call("products.list", "GET", self.path("inventory", "/inventory")))
        found = self._parse(Inventory, self._read(reply), "The inventory").inventory
        try:
            return tuple(offer(item) for item in found)
        except ValueError as error:
            raise problems.Misfit(f"A price in the inventory does not fit: {error}. Nothing was stored.") from None

    def read_balance(self) -> BalanceReading:
        """What is left, and the volume-discount tier (R86)."""
        reply = self._get(Call("balance.read", "GET", self.path("balance", "/balance")), use=budget.BALANCE)
        found = self._parse(BalanceAnswer, self._read(reply), "The balance")
        try:
            available = to_minor(found.balance, found.currency)
            basis_points = to_minor(found.tier.discount_percent, "USD")
        except ValueError as error:
            raise problems.Misfit(f"An amount of the balance does not fit: {error}. Nothing was stored.") from None
        balances = (Balance(found.currency, available),)
        return BalanceReading(balances, found.tier.name, basis_points, str(reply.request_id))

    def prepare_order(self, request: PlaceRequest) -> bytes:
        """The exact bytes to store and send; this dialect has no field for our reference or key."""
        denomination = major_text(request.denomination, request.face_currency)
        region = canonical(request.region)
        return f'{{"denomination":{denomination},"quantity":{request.quantity},"region":{region}}}'.encode()

    def place_order(self, body: bytes, subject: Subject = NO_SUBJECT) -> Verdict:
        """Send the stored bytes once. A second sending is a second purchase."""
        return self._place(Call("orders.place", "POST", self.path("orders", "/orders"), body), subject, self._placed)

    def _placed(self, reply: Reply) -> Placed | None:
        data = self._read(reply)
        if not isinstance(data, dict):
            return None
        echo = Echo(data)
        remote_id = echo.identifier("id") or echo.identifier("order_id")
        if not remote_id:
            return None
        total, currency = echo.total("total", self.account.settlement_currency)
        raw_status = echo.take("status", as_text) or ""
        return Placed(
            remote_id=remote_id,
            status=STATUSES.get(raw_status, UNRECOGNISED),
            raw_status=raw_status,
            total=total,
            currency=currency,
            quantity=echo.take("quantity", as_count),
            region=echo.take("region", as_text) or "",
            denomination=echo.take("denomination", as_major),
            misfits=tuple(echo.misfits),
        )

    def read_order(self, remote_id: str, subject: Subject = NO_SUBJECT) -> RemoteOrder:
        """The order as the supplier sees it now; Misfit when the answer is about another order."""
        path = self.path("orders", "/orders") + "/" + quote(remote_id, safe="")
        reply = self._get(Call("orders.read", "GET", path), subject, budget.POLLING)
        found = self._parse(Order, self._read(reply), "The order")
        self.check_same_order(found.id, remote_id)
        currency = found.currency or self.account.settlement_currency
        try:
            total = None if found.total is None else to_minor(found.total, currency)
        except ValueError as error:
            raise problems.Misfit(
                f"The total of order {found.id} does not fit: {error}. Nothing was changed."
            ) from None
        return RemoteOrder(
            remote_id=found.id,
            status=STATUSES.get(found.status, UNRECOGNISED),
            raw_status=found.status,
            quantity=found.quantity,
            total=total,
            currency=currency,
            created_at=found.created_at,
            failure_reason=found.failure_reason or "",
            region=found.region or "",
            denomination=found.denomination,
        )

    def read_codes(self, remote_id: str, subject: Subject = NO_SUBJECT) -> tuple[RemoteCode, ...]:
        """The codes of a delivered order; may be read again with the same answer; NotReady before delivery (R59)."""
        path = self.path("orders", "/orders") + "/" + quote(remote_id, safe="") + self.path("codes", "/codes")
        reply = self._get(Call("orders.codes", "GET", path, codes_inside=True), subject, budget.CODES)
        found = self._parse(Delivery, self._read(reply), "The codes")
        self.check_same_order(found.order_id, remote_id)
        return tuple(
            RemoteCode(Secret(one.code), one.region, one.denomination, one.serial or "") for one in found.codes
        )

    def list_orders(self, created_from: datetime, created_to: datetime) -> tuple[RemoteOrder, ...] | None:
        """None: this supplier has no list of orders, which is not the same as an empty one."""
        return None

    def find_order(self, client_order_id: str, subject: Subject = NO_SUBJECT) -> RemoteOrder | None:
        """Not offered: this supplier knows no reference of ours."""
        raise problems.NotOffered(f"{self.account} cannot look an order up by our reference. Nothing was sent.")

    def file_claim(
        self, remote_order_id: str, code: Secret, reason: str, description: str = "", subject: Subject = NO_SUBJECT
    ) -> ClaimVerdict:
        """File one claim for one code; `reason` is invalid, wrong_region or failed (R67)."""
        if reason not in CLAIM_REASONS:
            raise ValueError(f"{reason} is not a reason this supplier knows.")
        body = canonical(
            {
                "order_id": remote_order_id,
                "code": code.expose(),
                "reason": reason,
                "description": description[:LONGEST_DESCRIPTION],
            }
        ).encode()
        call = Call("claims.file", "POST", self.path("claims", "/claims"), body, codes_inside=True)
        return self._claim(call, subject, self._receipt)

    def _receipt(self, reply: Reply) -> ClaimReceipt | None:
        echo = Echo(self._read(reply) if isinstance(reply.data, dict) else {})
        claim_id = echo.identifier("id")
        return ClaimReceipt(claim_id, echo.take("status", as_text) or "") if claim_id else None
