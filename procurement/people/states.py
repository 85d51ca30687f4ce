"""The life of an invitation and of a proposal of two administrators."""

from __future__ import annotations

from procurement.states import Machine, Move, Status

OPEN, ACCEPTED, CONFIRMED, DECLINED, WITHDRAWN, EXPIRED = (
    *("open", "accepted", "confirmed", "declined"),
    *("withdrawn", "expired"),
)

INVITATION = Machine(
    name="invitation",
    statuses={
        OPEN: Status("Invited", "progress", "the person invited"),
        ACCEPTED: Status("Accepted", "good", "nobody"),
        WITHDRAWN: Status("Withdrawn", "neutral", "nobody"),
    },
    moves=(
        Move(OPEN, ACCEPTED, "invitation.accepted", "the person invited"),
        Move(OPEN, WITHDRAWN, "invitation.withdrawn", "administrator"),
    ),
)
# Never stored: a link shows as expired once its time is over.
LINK_EXPIRED = Status("Link expired", "attention", "administrator")

PROPOSAL = Machine(
    name="proposal",
    statuses={
        OPEN: Status("To be confirmed", "attention", "an administrator who neither proposed it nor is meant by it"),
        CONFIRMED: Status("Confirmed", "good", "nobody"),
        DECLINED: Status("Declined", "bad", "nobody"),
        WITHDRAWN: Status("Taken back", "neutral", "nobody"),
        EXPIRED: Status("Expired", "neutral", "nobody"),
    },
    moves=(
        Move(OPEN, CONFIRMED, "proposal.confirmed", "an administrator who neither proposed it nor is meant by it"),
        Move(OPEN, DECLINED, "proposal.declined", "an administrator who neither proposed it nor is meant by it"),
        Move(OPEN, WITHDRAWN, "proposal.withdrawn", "who proposed it"),
        Move(OPEN, EXPIRED, "proposal.expired", "a later proposal"),
    ),
)
