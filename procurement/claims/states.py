"""The lives of a case (what a customer reports) and of a claim (what we ask of a supplier)."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

CASE = Machine(
    name="case",
    statuses={
        "todo": Status("To do", "attention", "support"),
        "waiting_customer": Status("Waiting for customer", "progress", "the customer"),
        "waiting_supplier": Status("Waiting for supplier", "progress", "the supplier"),
        "solved": Status("Solved", "good", "nobody"),
        "closed": Status("Closed", "neutral", "nobody"),
    },
    moves=(
        Move("todo", "waiting_customer", "case.waiting_customer", "support"),
        Move("todo", "waiting_supplier", "case.waiting_supplier", "support files a claim"),
        Move("todo", "solved", "case.solved", "support"),
        Move("todo", "closed", "case.closed", "support"),
        Move("waiting_customer", "todo", "case.reopened", "support"),
        Move("waiting_customer", "waiting_supplier", "case.waiting_supplier", "support files a claim"),
        Move("waiting_customer", "solved", "case.solved", "support"),
        Move("waiting_customer", "closed", "case.closed", "support"),
        Move("waiting_supplier", "todo", "case.reopened", "outcome of the claim"),
        Move("waiting_supplier", "waiting_customer", "case.waiting_customer", "support"),
        Move("waiting_supplier", "solved", "case.solved", "outcome of the claim"),
        Move("solved", "todo", "case.reopened", "support"),
        Move("closed", "todo", "case.reopened", "support"),
    ),
)

CLAIM = Machine(
    name="claim",
    statuses={
        "draft": Status("Draft", "neutral", "support"),
        "filed": Status("Filed", "progress", "the supplier"),
        "unconfirmed": Status("Unconfirmed", "hold", "support"),
        "refused": Status("Not eligible", "neutral", "support"),
        "replaced": Status("Replaced", "good", "nobody"),
        "credited": Status("Credited", "good", "nobody"),
        "declined": Status("Declined", "bad", "support"),
    },
    moves=(
        Move("draft", "filed", "claim.filed", "support"),
        Move("draft", "unconfirmed", "claim.unconfirmed", "the supplier's answer was lost"),
        Move("draft", "refused", "claim.refused", "the supplier"),
        Move("unconfirmed", "filed", "claim.filed", "support, told by the supplier"),
        Move("unconfirmed", "refused", "claim.refused", "support, told by the supplier"),
        Move("filed", "replaced", "claim.replaced", "support"),
        Move("filed", "credited", "claim.credited", "support or finance"),
        Move("filed", "declined", "claim.declined", "support"),
    ),
)

OPEN_CLAIM = ("draft", "filed", "unconfirmed")
OPEN_CASE = ("todo", "waiting_customer", "waiting_supplier")
