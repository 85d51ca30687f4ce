"""The faults a person or a test can arm: what each does, what it can be told, and who takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db.models import F

from procurement.sandbox import clock, memory
from procurement.sandbox.models import SUPPLIERS, Fault

BOTH = tuple(SUPPLIERS)


@dataclass(frozen=True)
class Kind:
    """One kind of fault; `defaults` are its settings and their usual values."""

    label: str
    help: str
    defaults: dict[str, Any] = field(default_factory=dict)
    suppliers: tuple[str, ...] = BOTH


# Met by any request whose class fits `where`: order, claim, read or any.
REPLY_KINDS = {
    "rate_limit_now": Kind("Rate limit now", "429 with Retry-After.", {"seconds": 30, "where": "any"}),
    "key_revoked": Kind("Key revoked", "401 for a key that was good.", {"where": "any"}),
    "error_before_accept": Kind(
        "5xx before accept", "An error; nothing was ordered.", {"status": 503, "where": "order"}
    ),
    "slow_answer": Kind("Slow answer", "Works at once, answers late.", {"seconds": 10, "where": "order"}),
    "error_after_accept": Kind(
        "5xx after accept", "An error, yet the order stands.", {"status": 500, "where": "order"}
    ),
    "answer_lost": Kind(
        "Answer lost after accept",
        "The order stands, the connection closes without a byte.",
        {"reset": False, "where": "order"},
    ),
    "html_502": Kind("HTML 502", "The order stands, a proxy's page comes back.", {"where": "order"}),
    "empty_body": Kind("200 with empty body", "The order stands, nothing says so.", {"where": "order"}),
    "truncated_json": Kind("Truncated JSON", "The order stands, the reply stops half-way.", {"where": "order"}),
    "webhook_before_reply": Kind(
        "Webhook before the reply", "The order runs to its end and says so before the POST is answered."
    ),
    "balance_off": Kind("Balance off by one cent", "The balance read is wrong by some cents.", {"cents": 1}),
}
# Met by the next new order, before it is priced.
MARKET_KINDS = {
    "price_moved": Kind("Price moved", "The price rises before the order is charged, and stays.", {"percent": 5}),
    "tier_moved": Kind(
        "Tier moved", "The discount tier changes, and stays.", {"name": "Bronze", "percent": "1.00"}, ("psnb2b",)
    ),
    "stock_gone": Kind("Stock gone", "The stock falls to nothing just before the order."),
}
# Played by one order over its life.
ORDER_KINDS = {
    "wrong_amount": Kind("Wrong amount", "The order is charged some cents more than its price.", {"cents": 100}),
    "no_webhook": Kind("No webhook", "The order's events are never sent."),
    "webhook_three_times": Kind("Webhook three times", "Each event comes several times.", {"copies": 3}),
    "bad_signature": Kind("Bad signature", "The order's events are signed with another secret, and sent once."),
    "old_timestamp": Kind("Old timestamp", "The order's events carry an old time, and are sent once.", {"minutes": 60}),
    "order_fails": Kind("Order fails", "The order ends as failed; the money comes back.", {"refund": True}),
    "delivered_then_failed": Kind("Delivered, then failed", "A delivered order turns to failed.", {"refund": True}),
    "part_delivery": Kind(
        "Part delivery",
        "Fewer codes than ordered (0: half). The rest is refunded, or comes after some seconds.",
        {"codes": 0, "refund": True, "rest_after": 0},
    ),
    "late_delivery": Kind("Late delivery", "The last step waits.", {"seconds": 21_600}),
    "wrong_region_code": Kind("Wrong-region code", "The first code is of another region.", {"region": ""}),
    "duplicate_code": Kind("Duplicate code across orders", "The first code was delivered in an earlier order."),
    "truncated_code": Kind("Truncated code", "The last code lacks two characters."),
}
CLAIM_KINDS = {
    "claim_accepted": Kind(
        "Claim accepted", "Decided as soon as filed: credit or replace.", {"outcome": "credit"}, ("psnb2b",)
    ),
    "claim_declined": Kind("Claim declined", "Decided as soon as filed.", {}, ("psnb2b",)),
}
KINDS = REPLY_KINDS | MARKET_KINDS | ORDER_KINDS | CLAIM_KINDS


def arm(supplier: str, kind: str, count: int | None = 1, params: dict[str, Any] | None = None) -> Fault:
    """Arm a fault for the next `count` occasions (None: until cleared); ValueError says what does not fit.

    Every kind also understands the setting `product` (such as psn-us-50): then only orders of that product meet it.
    """
    known = KINDS.get(kind)
    if known is None or supplier not in known.suppliers:
        raise ValueError(f"{SUPPLIERS.get(supplier, supplier)} has no fault {kind!r}.")
    if count is not None and (type(count) is not int or count < 1):
        raise ValueError("The count is a whole number above zero, or null for until cleared.")
    given = params or {}
    unknown = sorted(set(given) - set(known.defaults) - {"product"})
    if unknown:
        raise ValueError(f"{known.label} knows no setting {', '.join(unknown)}.")
    for name, value in given.items():
        usual = known.defaults.get(name)
        if type(usual) is int and type(value) not in (int, float):
            raise ValueError(f"The setting {name} of {known.label} is a number.")
    row = Fault.objects.create(
        supplier=supplier, kind=kind, remaining=count, params=known.defaults | given, armed_at=clock.now()
    )
    memory.forget()
    return row


class Armed:
    """The faults that stood armed when a request came, and which of them it met."""

    def __init__(self, supplier: str) -> None:
        self.rows = memory.armed_faults(supplier)
        self.met: list[str] = []

    def take(self, kind: str, *, where: str = "", product: str = "") -> dict[str, Any] | None:
        """Use up one occasion of the kind and return its settings; None where none is armed or fits."""
        for row in self.rows:
            if row.kind == kind and fits(row.params, where, product) and spend(row):
                self.met.append(kind)
                return row.params
        return None


def fits(params: dict[str, Any], where: str, product: str) -> bool:
    wanted = params.get("where", "any")
    if where and wanted not in ("any", where):
        return False
    return not params.get("product") or params["product"] == product


def spend(row: Fault) -> bool:
    """Count one occasion; False where another request took the last one meanwhile."""
    mine, less = Fault.objects.filter(pk=row.pk), {}
    if row.remaining is not None:
        mine, less = mine.filter(remaining__gt=0), {"remaining": F("remaining") - 1}
    done = mine.update(taken=F("taken") + 1, **less) == 1
    memory.forget()
    return done
