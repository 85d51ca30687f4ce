"""What a reconciliation day can say. The result of a run, not a machine: running again may give any of them."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

DAY = {
    "waiting": Status("Waiting for supplier data", "hold", "the supplier"),
    "agrees": Status("Agrees", "good", "nobody"),
    "differs": Status("Has differences", "bad", "finance"),
}

# Two people over one frozen day; a day that changes afterwards keeps the signatures it had.
SIGN_OFF = Machine(
    name="sign-off",
    statuses={
        "prepared": Status("Ready to sign", "attention", "a second person of finance, or a manager"),
        "signed": Status("Signed off", "good", "nobody"),
        "withdrawn": Status("Not signed", "neutral", "finance"),
        "reopened": Status("Reopened", "attention", "finance"),
    },
    moves=(
        Move("prepared", "signed", "reconciliation.signed", "reviewer"),
        Move("prepared", "withdrawn", "reconciliation.withdrawn", "preparer, reviewer, or a day that changed"),
        Move("signed", "reopened", "reconciliation.reopened", "late data"),
    ),
)

# Why two sides differ, as finance says it.
CAUSES = {
    "timing": "Timing: it evens out on another day",
    "supplier_error": "The supplier’s error, reported",
    "our_error": "Our error, being corrected",
    "unconfirmed": "Unconfirmed order, being settled",
    "outside": "Bought or paid outside this desk",
    "fee": "A fee or a charge without an order",
    "rounding": "Rounding",
    "other": "Another cause, as noted",
}

# What only `matching` writes: no choice of a form.
MATCHED = "matched"
MATCHED_WORDS = "Matched: together they come to nothing"

# What a difference can be, in words.
KINDS = {
    "missing_here": "Missing here",
    "missing_there": "Missing at the supplier",
    "amount": "Amount differs",
    "unconfirmed": "Unconfirmed order",
    "timing": "On the other side of the cut-off",
    "balance": "Balance differs",
    "carried": "Carried over",
    "statement": "Statement differs",
    "deposit": "Another amount credited",
    "refund_awaited": "Refund awaited",
    "codes": "Codes missing",
}
