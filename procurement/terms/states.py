"""States of statements, of buyers' questions, of price lists and of access to a supplier's API."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

NOT_CONFIRMED, CONFIRMED, CONTRADICTED, SUPERSEDED = "not_confirmed", "confirmed", "contradicted", "superseded"

STATEMENT = Machine(
    name="statement",
    statuses={
        NOT_CONFIRMED: Status("Not confirmed", "attention", "an administrator who did not record it"),
        CONFIRMED: Status("Confirmed", "good", "nobody"),
        CONTRADICTED: Status("Contradicted", "bad", "administrator"),
        SUPERSEDED: Status("Superseded", "neutral", "nobody"),
    },
    moves=(
        Move(NOT_CONFIRMED, CONFIRMED, "statement.confirmed", "an administrator who did not record it"),
        Move(NOT_CONFIRMED, CONTRADICTED, "statement.contradicted", "administrator"),
        Move(CONFIRMED, CONTRADICTED, "statement.contradicted", "administrator"),
        Move(NOT_CONFIRMED, SUPERSEDED, "statement.superseded", "a later statement"),
        Move(CONFIRMED, SUPERSEDED, "statement.superseded", "a later statement"),
        Move(CONTRADICTED, SUPERSEDED, "statement.superseded", "a later statement"),
    ),
)
# Never stored: a confirmed statement shows as expired from the end of its last day.
EXPIRED = Status("Expired", "attention", "administrator")

OPEN, ANSWERED, CHECKED = "open", "answered", "checked"
QUESTION = Machine(
    name="buyer's question",
    statuses={
        OPEN: Status("Not answered", "attention", "administrator"),
        ANSWERED: Status("Not checked", "attention", "an administrator who did not answer it"),
        CHECKED: Status("Checked", "good", "nobody"),
    },
    moves=(
        Move(OPEN, ANSWERED, "question.answered", "administrator"),
        Move(ANSWERED, ANSWERED, "question.answered", "administrator, with another answer"),
        Move(CHECKED, ANSWERED, "question.answered", "administrator, with another answer"),
        Move(ANSWERED, CHECKED, "question.checked", "an administrator who did not answer it"),
    ),
)

ASKED, RECEIVED = "asked", "received"
PRICE_LIST = Machine(
    name="price list",
    statuses={
        ASKED: Status("Asked for", "progress", "the supplier"),
        RECEIVED: Status("Received", "good", "nobody"),
    },
    moves=(Move(ASKED, RECEIVED, "price_list.received", "administrator"),),
)

PREPARED, REQUESTED, IN_REVIEW, ISSUED, REFUSED = "prepared", "requested", "in_review", "issued", "refused"
ACCESS = Machine(
    name="API access",
    statuses={
        PREPARED: Status("Not sent yet", "attention", "administrator"),
        REQUESTED: Status("Requested", "progress", "the supplier"),
        IN_REVIEW: Status("In review", "progress", "the supplier"),
        ISSUED: Status("Issued", "good", "nobody"),
        REFUSED: Status("Refused", "bad", "nobody"),
    },
    moves=(
        Move(PREPARED, REQUESTED, "access.requested", "administrator"),
        Move(REQUESTED, IN_REVIEW, "access.in_review", "administrator"),
        Move(REQUESTED, ISSUED, "access.issued", "administrator"),
        Move(REQUESTED, REFUSED, "access.refused", "administrator"),
        Move(IN_REVIEW, ISSUED, "access.issued", "administrator"),
        Move(IN_REVIEW, REFUSED, "access.refused", "administrator"),
    ),
)
