"""Supplier's orders that no order of ours carries: which wait for a verdict, and which unconfirmed orders they fit."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from django.db.models import QuerySet

from procurement.orders.evidence import told_of
from procurement.orders.fitting import misfits, mistimed, overcharge
from procurement.orders.models import Attempt, Order, UnclaimedOrder
from procurement.orders.queries import without_amounts
from procurement.orders.states import UNCONFIRMED
from procurement.staff.access import may, people_with
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.parts import TimelineEntry

MOST_SHOWN = 100


def open_unclaimed() -> QuerySet[UnclaimedOrder]:
    """Incidents nobody has ended, oldest first."""
    rows = UnclaimedOrder.objects.filter(state="open").select_related("account", "second_of", "proposed_by")
    return rows.order_by("first_seen_at", "pk")


@dataclass(frozen=True)
class Fit:
    """An unconfirmed order of ours beside one unclaimed order; `against` are the clauses that differ, empty if it fits."""

    order: Order
    against: list[str]


@dataclass(frozen=True)
class Line:
    """One unclaimed order as a line of the list: the unconfirmed orders it fits."""

    row: UnclaimedOrder
    what: str
    fits: list[Order]


def lines_of(rows: list[UnclaimedOrder]) -> list[Line]:
    """What each of them fits; two queries, however many there are."""
    ours = unconfirmed_of({row.account_id for row in rows})
    return [Line(row, what(row), [fit.order for fit in fits_of(row, ours) if not fit.against]) for row in rows]


def what(row: UnclaimedOrder) -> str:
    """What it is for, as far as the supplier said: `3 × TR 250`."""
    face = "" if row.denomination is None else f"{row.denomination.normalize():f}"
    return f"{f'{row.quantity} × ' if row.quantity else ''}{row.region} {face}".strip()


Ours = list[tuple[Order, Attempt]]


def unconfirmed_of(account_ids: set[uuid.UUID]) -> Ours:
    """The unconfirmed orders of these accounts, each with the attempt that went out last."""
    attempts = Attempt.objects.filter(
        order__account_id__in=account_ids, order__state__in=UNCONFIRMED, sent_at__isnull=False
    )
    rows = attempts.select_related("order__product", "order__account").order_by("order__created_at", "number")
    return list({attempt.order_id: (attempt.order, attempt) for attempt in rows}.values())


def fits_of(row: UnclaimedOrder, ours: Ours) -> list[Fit]:
    """How each unconfirmed order of the same account compares; nothing for a row of which only the id is known."""
    if row.read_at is None:
        return []
    told = told_of(row)
    found = []
    for order, attempt in ours:
        if order.account_id == row.account_id and attempt.sent_at:
            late = mistimed(attempt.sent_at, attempt.deadline or attempt.sent_at, told.created_at)
            above = overcharge(order, told, order.max_total_minor)
            found.append(Fit(order, [*misfits(order, told), *filter(None, [above, late])]))
    return found


def waits_for(user: User, row: UnclaimedOrder) -> bool:
    """Whether the next step of an open incident is this person's: to propose, or to confirm what another proposed."""
    if user.pk in left_out(row):
        return False
    return may(user, Permission.RECONCILIATION_RUN if row.proposed_by_id else Permission.CASE_WORK)


def left_out(row: UnclaimedOrder) -> set[int | None]:
    """Who takes no further step: the proposer, and whoever asked for the order it may be a second purchase of."""
    return {row.proposed_by_id, row.second_of.requested_by_id if row.second_of else None}


@dataclass(frozen=True)
class Decision:
    """Where the two-person verdict stands, and this person's part in it; `mark` names the very proposal that is shown."""

    may_propose: bool
    may_confirm: bool
    may_decline: bool
    mark: str
    obstacle: str


def decision_of(row: UnclaimedOrder, user: User) -> Decision | None:
    """The open verdict; None once it is decided."""
    if not row.is_open:
        return None
    mine = waits_for(user, row)
    finance = may(user, Permission.RECONCILIATION_RUN)
    return Decision(
        may_propose=mine and not row.proposal,
        may_confirm=mine and bool(row.proposal),
        may_decline=bool(row.proposal) and (finance or row.proposed_by_id == user.pk),
        mark=mark_of(row),
        obstacle="" if mine else obstacle_for(row, user),
    )


def mark_of(row: UnclaimedOrder) -> str:
    """Names one proposal among all that were made about this order."""
    return f"{row.proposal}-{row.proposed_by_id}-{row.proposed_at.isoformat()}" if row.proposed_at else ""


def obstacle_for(row: UnclaimedOrder, user: User) -> str:
    """Why this person does not take the next step, and who can, by name."""
    needed = Permission.RECONCILIATION_RUN if row.proposal else Permission.CASE_WORK
    able = ", ".join(str(person) for person in people_with(needed) if person.pk not in left_out(row))
    step = "confirm this" if row.proposal else "propose whose it is"
    who = f"{able} can {step}." if able else f"Nobody can {step} now: an administrator must give somebody the role."
    if row.second_of and row.second_of.requested_by_id == user.pk:
        return f"You asked for {row.second_of}, so others say whose this is. {who}"
    if row.proposed_by_id == user.pk:
        return f"You proposed this, so another person confirms it. {who}"
    return who


def bare(entry: TimelineEntry) -> TimelineEntry:
    """A line of the history for people who may not see costs."""
    return replace(entry, sentence=without_amounts(entry.sentence), reason=without_amounts(entry.reason))
