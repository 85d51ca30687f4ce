"""What any supplier says, in this project's words. Amounts are minor units; times are UTC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from procurement.vault import Secret

PROCESSING, PAID, DELIVERED = "processing", "paid", "delivered"
PARTLY_DELIVERED, FAILED, REFUNDED, UNRECOGNISED = "partly_delivered", "failed", "refunded", "unrecognised"

Subject = tuple[str, str]
NO_SUBJECT: Subject = ("", "")


@dataclass(frozen=True)
class ProductOffer:
    """One product at its price now. `region` is the supplier's own label, unchanged (R4); `stock` None = not stated."""

    external_id: str
    name: str
    region: str
    currency: str
    denomination: int
    unit_cost: int
    cost_currency: str
    stock: int | None
    quoted_until: datetime | None = None


@dataclass(frozen=True)
class Balance:
    currency: str
    available: int
    reserved: int = 0


@dataclass(frozen=True)
class BalanceReading:
    """One answer to "what is left": an amount for each currency, and the discount tier in basis points (R86)."""

    balances: tuple[Balance, ...]
    tier_name: str = ""
    tier_discount_bp: int | None = None
    request_id: str = ""


@dataclass(frozen=True)
class PlaceRequest:
    """One intended purchase. `denomination` is the face value in minor units of `face_currency`."""

    external_id: str
    region: str
    denomination: int
    face_currency: str
    quantity: int
    client_order_id: str
    idempotency_key: str


@dataclass(frozen=True)
class Placed:
    """The supplier took the order. What it echoed stands here as it said it; None = not said or not readable.

    `denomination` is in major units as written. `misfits` names fields that were there and did not fit.
    """

    remote_id: str
    status: str
    raw_status: str = ""
    total: int | None = None
    currency: str = ""
    quantity: int | None = None
    external_id: str = ""
    region: str = ""
    denomination: Decimal | None = None
    client_order_id: str = ""
    replayed: bool = False
    misfits: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotPlaced:
    """Certainly no order came of it. `permanent` = sending the same again is useless; `retry_at` = not before then."""

    reason_code: str
    sentence: str
    permanent: bool
    retry_at: datetime | None = None


@dataclass(frozen=True)
class Unknown:
    """Nobody knows whether an order came of it: never to be sent again by itself without a key.

    `placed_no_id`: the supplier said yes (2xx) but gave no id we could read.
    """

    reason: str
    sentence: str
    placed_no_id: bool = False
    remote_id: str | None = None


Verdict = Placed | NotPlaced | Unknown


@dataclass(frozen=True)
class RemoteOrder:
    """An order as the supplier sees it now. `status` is one of ours, `raw_status` the supplier's own word."""

    remote_id: str
    status: str
    raw_status: str
    quantity: int | None = None
    delivered_quantity: int | None = None
    total: int | None = None
    currency: str = ""
    refunded: int | None = None
    created_at: datetime | None = None
    client_order_id: str = ""
    failure_reason: str = ""
    external_id: str = ""
    region: str = ""
    denomination: Decimal | None = None


@dataclass(frozen=True)
class RemoteCode:
    """One delivered code. `denomination` is in major units as the supplier wrote it; None = not stated."""

    code: Secret
    region: str
    denomination: Decimal | None = None
    serial: str = ""


@dataclass(frozen=True)
class ClaimReceipt:
    claim_id: str
    status: str


@dataclass(frozen=True)
class ClaimRefused:
    """Certainly no claim came of it."""

    reason_code: str
    sentence: str
    permanent: bool
    retry_at: datetime | None = None


@dataclass(frozen=True)
class ClaimUnknown:
    """Nobody knows whether the claim arrived; a person asks the supplier before it is sent again."""

    reason: str
    sentence: str


ClaimVerdict = ClaimReceipt | ClaimRefused | ClaimUnknown


class SupplierClient(Protocol):
    """What every dialect offers. Reading methods raise `problems.SupplierProblem`; sending methods return a verdict."""

    @property
    def idempotent(self) -> bool: ...
    @property
    def takes_claims(self) -> bool: ...
    @property
    def lists_orders(self) -> bool: ...

    def list_products(self) -> tuple[ProductOffer, ...]: ...
    def read_balance(self) -> BalanceReading: ...
    def prepare_order(self, request: PlaceRequest) -> bytes: ...
    def place_order(self, body: bytes, subject: Subject = NO_SUBJECT) -> Verdict: ...
    def read_order(self, remote_id: str, subject: Subject = NO_SUBJECT) -> RemoteOrder: ...
    def read_codes(self, remote_id: str, subject: Subject = NO_SUBJECT) -> tuple[RemoteCode, ...]: ...
    def list_orders(self, created_from: datetime, created_to: datetime) -> tuple[RemoteOrder, ...] | None: ...
    def find_order(self, client_order_id: str, subject: Subject = NO_SUBJECT) -> RemoteOrder | None: ...
    def file_claim(
        self, remote_order_id: str, code: Secret, reason: str, description: str = "", subject: Subject = NO_SUBJECT
    ) -> ClaimVerdict: ...
