"""What a reconciliation day can say. The result of a run, not a machine: running again may give any of them."""

from __future__ import annotations

from procurement.states import Status

DAY = {
    "waiting": Status("Waiting for supplier data", "hold", "the supplier"),
    "agrees": Status("Agrees", "good", "nobody"),
    "differs": Status("Has differences", "bad", "finance"),
}

# What a difference can be, in words.
KINDS = {
    "missing_here": "Missing here",
    "missing_there": "Missing at the supplier",
    "amount": "Amount differs",
    "unconfirmed": "Unconfirmed order",
    "timing": "On the other side of the cut-off",
    "balance": "Balance differs",
    "carried": "Carried over",
    "refund_awaited": "Refund awaited",
    "codes": "Codes missing",
}
