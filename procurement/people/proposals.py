"""Two administrators for one change: one proposes it, another who is not meant by it confirms it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.people.kinds import KINDS, person_of
from procurement.people.models import Proposal
from procurement.people.states import CONFIRMED, DECLINED, EXPIRED, OPEN, PROPOSAL, WITHDRAWN
from procurement.staff import sessions
from procurement.staff.access import check_can, check_confirms, people_with
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition


def sentence_of(proposal: Proposal) -> str:
    """`Roles of Ben Okafor: Buyer becomes Manager`, for the record and the pages."""
    kind = KINDS[proposal.kind]
    changed = [
        f"{label.lower()} {old} → {new}"
        for (label, old), (_, new) in zip(
            kind.words(proposal.about, proposal.before), kind.words(proposal.about, proposal.after), strict=True
        )
        if old != new
    ]
    return f"{kind.title} of {proposal.subject or proposal.about}: {', '.join(changed)}"


def propose(*, by: User, kind: str, about: str, after: dict[str, Any], reason: str) -> Proposal:
    """Ask a second administrator for a change, which nothing does until they confirm it.

    Refused without a reason, for what is so already, or may never be; StaleState while the same thing is proposed.
    """
    check_can(by, Permission.PEOPLE_MANAGE)
    reason = " ".join(reason.split())[:500]
    if len(reason) < 10:
        raise Refused("Say in at least 10 characters why: who confirms it reads that. Nothing was proposed.")
    what = KINDS[kind]
    before = what.now(about)
    if before == after:
        raise Refused("That is so already. Nothing was proposed.")
    what.check(about, after)
    try:
        with transaction.atomic():
            for late in Proposal.objects.filter(kind=kind, about=about, state=OPEN, expires_at__lt=timezone.now()):
                transition(late, EXPIRED, by=None, machine=PROPOSAL, facts={"what": sentence_of(late)})
            made = Proposal.objects.create(
                kind=kind,
                about=about,
                subject=person_of(about) if what.about_person else None,
                before=before,
                after=after,
                reason=reason,
                proposed_by=by,
            )
            record("proposal.proposed", by=by, subject=made, reason=reason, what=sentence_of(made))
    except IntegrityError:
        raise StaleState(
            "The same is proposed already and waits for a second administrator. Nothing more was proposed."
            " Decide that one first."
        ) from None
    return made


def check_may_decide(by: User, proposal: Proposal) -> None:
    """Another administrator than the one who proposed it, whom it is not about, and whose role is a day old."""
    check_confirms(by, Permission.PEOPLE_MANAGE)
    if by.pk not in (proposal.proposed_by_id, proposal.subject_id):
        return
    why = "You proposed this" if by.pk == proposal.proposed_by_id else "This is about you"
    others = ", ".join(str(one) for one in who_may_decide(proposal)) or "none; add a second administrator"
    raise NotAllowed(f"{why}; it needs another administrator: {others}. Nothing was changed.")


def who_may_decide(proposal: Proposal) -> list[User]:
    """The administrators who neither proposed it nor are meant by it."""
    left_out = (proposal.proposed_by_id, proposal.subject_id)
    return [one for one in people_with(Permission.PEOPLE_MANAGE) if one.pk not in left_out]


def check_open(proposal: Proposal) -> None:
    """Only a proposal that nobody decided and whose 72 hours are not over."""
    if not proposal.is_open:
        who = f" by {proposal.decided_by}" if proposal.decided_by else ""
        raise StaleState(f"This is decided or over: {proposal.status.label.lower()}{who}. Nothing was changed.")


def confirm(*, by: User, proposal: Proposal) -> None:
    """Do what was proposed, at once and all of it; whom it is about signs in anew.

    NotAllowed for who proposed it or is meant by it; StaleState once it is decided, over, or what holds is no longer what
    the proposal began from.
    """
    check_may_decide(by, proposal)
    check_open(proposal)
    kind = KINDS[proposal.kind]
    if kind.now(proposal.about) != proposal.before:
        raise StaleState(
            "What it would change was changed since it was proposed. Nothing was done. Decline it, and propose it anew."
        )
    kind.check(proposal.about, proposal.after)
    try:
        with transaction.atomic():
            at = decide(by, proposal, CONFIRMED)
            kind.apply(proposal, by, at)
            if proposal.subject:
                sessions.end_all(proposal.subject)
    except IntegrityError:
        raise StaleState("Somebody changed the same at this moment. Nothing was done. Look at it again.") from None


def decline(*, by: User, proposal: Proposal, reason: str) -> None:
    """Say no, with a reason that the proposer reads; nothing changes."""
    check_may_decide(by, proposal)
    check_open(proposal)
    reason = " ".join(reason.split())[:500]
    if len(reason) < 3:
        raise Refused("Say why in a few words: who proposed it reads them. Nothing was decided.")
    decide(by, proposal, DECLINED, reason)


def withdraw(*, by: User, proposal: Proposal) -> None:
    """Take one's own proposal back."""
    check_can(by, Permission.PEOPLE_MANAGE)
    if by.pk != proposal.proposed_by_id:
        raise NotAllowed(f"{proposal.proposed_by} proposed this and alone can take it back. Nothing was changed.")
    check_open(proposal)
    decide(by, proposal, WITHDRAWN)


def decide(by: User, proposal: Proposal, state: str, reason: str = "") -> datetime:
    """Write the decision down; returns its moment."""
    at = timezone.now()
    transition(
        proposal,
        state,
        by=by,
        machine=PROPOSAL,
        reason=reason,
        facts={"what": sentence_of(proposal)},
        decided_by=by,
        decided_at=at,
        decision_reason=reason,
    )
    return at
