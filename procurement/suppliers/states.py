"""States of a supplier account, and results of a webhook event, with their words and tones."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

LIVE, PAUSED, KEY_REFUSED, DOWN = "live", "paused", "key_refused", "down"

ACCOUNT = Machine(
    name="supplier account",
    statuses={
        LIVE: Status("In use", "good", "nobody"),
        PAUSED: Status("Paused", "neutral", "administrator"),
        KEY_REFUSED: Status("Key refused", "bad", "administrator"),
        DOWN: Status("Down", "bad", "nobody: the next balance reading that succeeds ends it"),
    },
    moves=(
        Move(LIVE, PAUSED, "account.paused", "administrator"),
        Move(DOWN, PAUSED, "account.paused", "administrator"),
        Move(KEY_REFUSED, PAUSED, "account.paused", "administrator"),
        Move(PAUSED, LIVE, "account.resumed", "administrator"),
        Move(KEY_REFUSED, LIVE, "account.resumed", "administrator"),
        Move(LIVE, KEY_REFUSED, "account.key_refused", "supplier answered 401 or 403"),
        Move(DOWN, KEY_REFUSED, "account.key_refused", "supplier answered 401 or 403"),
        Move(LIVE, DOWN, "account.down", "five failures in a row, or half of the calls of a minute"),
        Move(DOWN, LIVE, "account.answering", "a balance reading succeeded"),
    ),
)

BEING_HANDLED, APPLIED, DUPLICATE, ORDER_NOT_FOUND = "being_handled", "applied", "duplicate", "order_not_found"
BAD_SIGNATURE, TOO_OLD, ERROR = "bad_signature", "too_old", "error"
UNVERIFIED = "unverified"

WEBHOOK_RESULTS = {
    BEING_HANDLED: Status("Being handled", "progress", "system"),
    APPLIED: Status("Applied", "good", "nobody"),
    DUPLICATE: Status("Duplicate ignored", "neutral", "nobody"),
    ORDER_NOT_FOUND: Status("Order not found", "attention", "administrator"),
    UNVERIFIED: Status("Unverified hint", "neutral", "nobody"),
    BAD_SIGNATURE: Status("Bad signature", "bad", "administrator"),
    TOO_OLD: Status("Too old", "bad", "administrator"),
    ERROR: Status("Error", "bad", "administrator"),
}
REFUSED_RESULTS = (BAD_SIGNATURE, TOO_OLD, ERROR)
# What a stranger could have written: never evidence, kept in a bounded number, deleted after a while.
NOT_PROVEN = (*REFUSED_RESULTS, UNVERIFIED)
