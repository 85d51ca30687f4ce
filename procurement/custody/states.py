"""Where a proposal to destroy a key stands."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

DESTRUCTION = Machine(
    name="key destruction",
    statuses={
        "proposed": Status("Proposed", "attention", "another administrator"),
        "confirmed": Status("Destroyed", "good", "nobody"),
        "declined": Status("Declined", "neutral", "nobody"),
    },
    moves=(
        Move("proposed", "confirmed", "key.destroyed", "another administrator"),
        Move("proposed", "declined", "key.destruction_declined", "the proposer, or another administrator"),
    ),
)
