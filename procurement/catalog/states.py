"""The life of a mapping."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

MAPPING = Machine(
    name="mapping",
    statuses={
        "draft": Status("Draft", "attention", "a manager or admin other than its author"),
        "active": Status("Active", "good", "nobody"),
        "retired": Status("Retired", "neutral", "nobody"),
    },
    moves=(
        Move("draft", "active", "mapping.activated", "second person"),
        Move("draft", "retired", "mapping.retired", "buyer or manager"),
        Move("active", "retired", "mapping.retired", "manager, or its successor"),
    ),
)
