"""The life of an approval request."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

APPROVAL = Machine(
    name="approval request",
    statuses={
        "open": Status("Needs approval", "attention", "a manager who did not ask for it"),
        "approved": Status("Approved", "good", "nobody"),
        "rejected": Status("Rejected", "bad", "nobody"),
        "sent_back": Status("Sent back", "neutral", "the requester"),
        "withdrawn": Status("Withdrawn", "neutral", "nobody"),
        "expired": Status("Expired", "neutral", "nobody"),
    },
    moves=(
        Move("open", "approved", "approval.approved", "approver"),
        Move("open", "rejected", "approval.rejected", "approver"),
        Move("open", "sent_back", "approval.sent_back", "approver"),
        Move("open", "withdrawn", "approval.withdrawn", "requester"),
        Move("open", "expired", "approval.expired", "clock"),
    ),
)
