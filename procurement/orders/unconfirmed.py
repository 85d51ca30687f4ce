"""The desk of unconfirmed orders: which wait for a verdict, who may give it, and what holds each up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, QuerySet, Subquery
from django.utils import timezone

from procurement.orders import unclaimed
from procurement.orders.lanes import frozen_lanes
from procurement.orders.models import Attempt, Order, Resolution, UnclaimedOrder
from procurement.orders.services.resolving import verdicts_for
from procurement.orders.standing import WORK
from procurement.orders.states import UNCONFIRMED
from procurement.staff.access import may, people_with
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.clock import span_words
from procurement.web.nav import nav_count
from procurement.work.models import DueWork


def unconfirmed_orders() -> QuerySet[Order]:
    """Every order nobody is sure of, with when it was sent."""
    sent = Attempt.objects.filter(order=OuterRef("pk"), sent_at__isnull=False).order_by("-number")
    rows = Order.objects.filter(state__in=UNCONFIRMED).select_related("account", "requested_by")
    return rows.annotate(sent_at=Subquery(sent.values("sent_at")[:1]))


def may_act(user: User, order: Order) -> bool:
    """Whether this person may propose or confirm what became of the order: by role, and not the one who asked for it."""
    return may(user, Permission.CASE_WORK, Permission.RECONCILIATION_RUN) and order.requested_by_id != user.pk


def waits_for(user: User, requester_id: int | None, proposer_id: int | None) -> bool:
    """Whether the next step of an unconfirmed order is this person's: to propose, or to confirm what another proposed."""
    if requester_id == user.pk:
        return False
    if proposer_id is None:
        return may(user, Permission.CASE_WORK)
    return may(user, Permission.RECONCILIATION_RUN) and proposer_id != user.pk


@nav_count("orders:unconfirmed_list")
def waiting_for(user: User) -> int:
    """Unconfirmed and unclaimed orders whose next step is this person's."""
    if not may(user, Permission.CASE_WORK, Permission.RECONCILIATION_RUN):
        return 0
    open_ones = Resolution.objects.filter(order=OuterRef("pk"), state="open")
    orders = Order.objects.filter(state__in=UNCONFIRMED)
    proposer = Subquery(open_ones.values("proposed_by_id")[:1])
    rows = orders.annotate(proposer_id=proposer).values_list("requested_by_id", "proposer_id")
    unconfirmed = sum(waits_for(user, requester, proposer) for requester, proposer in rows)
    incidents = UnclaimedOrder.objects.filter(state="open").select_related("second_of")
    return unconfirmed + sum(unclaimed.waits_for(user, row) for row in incidents)


@dataclass(frozen=True)
class Row:
    """One unconfirmed order as a line of the list; `waiting` orders stand behind it if it froze its lane."""

    order: Order
    since: datetime
    freezes: bool
    waiting: int
    next_at: datetime | None
    proposal: Resolution | None
    can_confirm: list[User]
    yours: bool

    @property
    def age(self) -> tuple[str, str]:
        return span_words(timezone.now() - self.since)


def rows_of(orders: Iterable[Order], user: User) -> list[Row]:
    """The lines of these orders; as many queries for many as for one."""
    orders = list(orders)
    lanes = {lane.order.pk: lane for lane in frozen_lanes()}
    due = due_times(orders)
    open_ones = Resolution.objects.filter(order__in=orders, state="open").select_related("proposed_by")
    proposals = {row.order_id: row for row in open_ones}
    sent = dict(Attempt.objects.filter(order__in=orders).order_by("number").values_list("order_id", "sent_at"))
    finance = people_with(Permission.RECONCILIATION_RUN)
    rows = []
    for order in orders:
        proposal, lane = proposals.get(order.pk), lanes.get(order.pk)
        left_out = {order.requested_by_id, proposal.proposed_by_id if proposal else None}
        rows.append(
            Row(
                order=order,
                since=sent.get(order.pk) or order.created_at,
                freezes=lane is not None,
                waiting=lane.waiting if lane else 0,
                next_at=due.get(str(order.pk)),
                proposal=proposal,
                can_confirm=[person for person in finance if person.pk not in left_out],
                yours=waits_for(user, order.requested_by_id, proposal.proposed_by_id if proposal else None),
            )
        )
    return rows


def due_times(orders: list[Order]) -> dict[str, datetime]:
    """When the desk looks at each order again by itself, by order id."""
    work = DueWork.objects.filter(kind__in=WORK, ref__in=[str(order.pk) for order in orders])
    return dict(work.order_by("-due_at").values_list("ref", "due_at"))


@dataclass(frozen=True)
class Decision:
    """Where the two-person verdict stands, and this person's part in it; `obstacle` says why they can't take the next step."""

    proposal: Resolution | None
    verdicts: tuple[str, ...]
    may_propose: bool
    may_confirm: bool
    may_decline: bool
    obstacle: str


def decision_of(order: Order, user: User) -> Decision | None:
    """The open verdict of an unconfirmed order; None once it is decided."""
    offered = verdicts_for(order)
    if order.state not in UNCONFIRMED:
        return None
    proposal = order.resolutions.filter(state="open").select_related("proposed_by").first()
    mine = order.requested_by_id == user.pk
    finance, support = may(user, Permission.RECONCILIATION_RUN), may(user, Permission.CASE_WORK)
    may_confirm = proposal is not None and finance and not mine and proposal.proposed_by_id != user.pk
    may_propose = proposal is None and bool(offered) and support and not mine
    return Decision(
        proposal=proposal,
        verdicts=offered,
        may_propose=may_propose,
        may_confirm=may_confirm,
        may_decline=proposal is not None and (finance or proposal.proposed_by_id == user.pk),
        obstacle="" if may_propose or may_confirm else obstacle_for(order, user, proposal),
    )


def obstacle_for(order: Order, user: User, proposal: Resolution | None) -> str:
    """Why this person does not take the next step, and who can, by name."""
    needed = Permission.RECONCILIATION_RUN if proposal else Permission.CASE_WORK
    left_out = {order.requested_by_id, proposal.proposed_by_id if proposal else None}
    able = ", ".join(str(person) for person in people_with(needed) if person.pk not in left_out)
    step = "confirm this" if proposal else "propose what happened"
    who = f"{able} can {step}." if able else f"Nobody can {step} now: an administrator must give somebody the role."
    if order.requested_by_id == user.pk:
        return f"You asked for this order, so others say what became of it. {who}"
    if proposal and proposal.proposed_by_id == user.pk:
        return f"You proposed this, so another person confirms it. {who}"
    return who
