"""Whether what a supplier says of an order can be said of an order of ours: field by field, each in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from ledger.money import exponent
from procurement.bookkeeping import postings
from procurement.orders.models import Order

# Clocks differ, and a supplier may write an order down some time after it was asked for.
EARLIEST = timedelta(minutes=2)
LATEST = timedelta(minutes=15)


class Said(Protocol):
    """What a supplier's order and its answer to ours have in common; empty or None = not stated."""

    @property
    def external_id(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def denomination(self) -> Decimal | None: ...
    @property
    def quantity(self) -> int | None: ...
    @property
    def currency(self) -> str: ...
    @property
    def total(self) -> int | None: ...
    @property
    def client_order_id(self) -> str: ...


@dataclass(frozen=True)
class Told:
    """One supplier's order as far as it is known, from whatever told of it. `total` is minor units of `currency`."""

    external_id: str = ""
    region: str = ""
    denomination: Decimal | None = None
    quantity: int | None = None
    currency: str = ""
    total: int | None = None
    client_order_id: str = ""
    created_at: datetime | None = None


def misfits(order: Order, said: Said, verb: str = "says") -> list[str]:
    """How it differs from what was asked for, each as a clause; empty if nothing stated contradicts the order."""
    found = []
    if said.client_order_id and said.client_order_id != order.client_order_id:
        found.append(f"our id is {order.client_order_id}, the supplier {verb} {said.client_order_id}")
    if said.external_id and said.external_id != order.product.external_id:
        found.append(f"ordered {order.product.external_id}, the supplier {verb} {said.external_id}")
    if said.region and said.region != order.region:
        found.append(f"ordered {order.region}, the supplier {verb} {said.region}")
    if said.denomination is not None and said.denomination != face_of(order):
        ordered, told = plain(face_of(order)), plain(said.denomination)
        found.append(f"ordered {ordered} {order.face_currency}, the supplier {verb} {told}")
    if said.quantity is not None and said.quantity != order.quantity:
        found.append(f"ordered {order.quantity}, the supplier {verb} {said.quantity}")
    if said.currency and said.currency != order.cost_currency:
        found.append(f"agreed in {order.cost_currency}, the supplier {verb} {said.currency}")
    return found


def overcharge(order: Order, said: Said, agreed: int, verb: str = "says") -> str:
    """The clause of a total above what was agreed, in minor units; empty if there is none or it can't be compared."""
    if said.total is None or (said.currency and said.currency != order.cost_currency) or said.total <= agreed:
        return ""
    was, now = (postings.amount_text(minor, order.cost_currency) for minor in (agreed, said.total))
    return f"agreed to at most {was}, the supplier {verb} {now}"


def mistimed(first_sent: datetime, last_sent: datetime, created_at: datetime | None) -> str:
    """The clause of an order made at another time than ours was sent; empty if it fits or no time is stated."""
    if created_at is None or first_sent - EARLIEST <= created_at <= last_sent + LATEST:
        return ""
    return f"sent at {first_sent:%H:%M:%S}, the supplier made it {created_at:%d %b %H:%M:%S} UTC"


def unstated(said: Said, created_at: datetime | None) -> list[str]:
    """Which fields a full match needs and the supplier does not state."""
    product = said.external_id or (said.region and said.denomination is not None)
    stated = {
        "the product": product,
        "the quantity": said.quantity is not None,
        "the total": said.total is not None,
        "the time": created_at is not None,
    }
    return [name for name, there in stated.items() if not there]


def face_of(order: Order) -> Decimal:
    """The order's face value in major units."""
    return major(order.face_minor, order.face_currency)


def major(minor: int, currency: str) -> Decimal:
    """Major units of an amount, to compare with what a supplier wrote."""
    return Decimal(minor).scaleb(-exponent(currency))


def plain(amount: Decimal) -> str:
    """`50` or `49.95`, however many zeros it was written with."""
    return f"{amount.normalize():f}"
