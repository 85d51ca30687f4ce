"""Ending an order nobody is sure of: one person proposes what happened, another confirms; neither asked for the order."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Attempt, Order, Resolution
from procurement.orders.services.outcomes import FIRST_CHECK, free_lane, settle_cost
from procurement.orders.states import ATTEMPT, ORDER, RESOLVABLE
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import RemoteOrder
from procurement.work.services import make_due

PLACED, NOT_PLACED, ACCEPTED = "placed", "not_placed", "accepted"


def open_resolution(order: Order) -> Resolution | None:
    """The proposal waiting for a second person, if any."""
    return order.resolutions.filter(state="open").select_related("proposed_by").first()


def check_uninvolved(by: User, order: Order) -> None:
    """Who asked for an order never says what became of its money."""
    if order.requested_by_id == by.pk:
        raise NotAllowed("You asked for this order, so others must say what became of it. Nothing was changed.")


def verdicts_for(order: Order) -> tuple[str, ...]:
    """What may be said of this order: of an unconfirmed one whether it was placed, of a contradiction that it is accepted."""
    if order.state in RESOLVABLE:
        return (NOT_PLACED, PLACED)
    return (ACCEPTED,) if order.state == "manual_review" and order.remote_id else ()


def check_resolvable(order: Order) -> Attempt:
    """Only an order that waits for a verdict; returns the attempt in question."""
    attempt = order.attempts.filter(state__in=["unknown", "placed_no_id", "placed"]).first()
    if not verdicts_for(order) or attempt is None:
        raise StaleState(f"This order is “{order.status.label}” and needs no verdict any more. Nothing was changed.")
    return attempt


def propose_outcome(*, by: User, order: Order, verdict: str, remote_id: str, reason: str) -> Resolution:
    """Say what happened, with the evidence in words: bound to a supplier's order id, or not placed."""
    check_can(by, Permission.CASE_WORK)
    check_uninvolved(by, order)
    check_resolvable(order)
    remote_id, reason = remote_id.strip(), " ".join(reason.split())
    if verdict not in verdicts_for(order):
        raise Refused("Choose one of the verdicts offered. Nothing was proposed.")
    if verdict == PLACED and not remote_id:
        raise Refused("Write the supplier's order id that this order is bound to. Nothing was proposed.")
    if len(reason) < 10:
        raise Refused("Say in at least 10 characters what proves it. Nothing was proposed.")
    try:
        with transaction.atomic():
            proposal = Resolution.objects.create(
                order=order,
                verdict=verdict,
                remote_id=remote_id if verdict == PLACED else "",
                reason=reason,
                proposed_by=by,
            )
            record("order.outcome_proposed", by=by, subject=order, reason=reason, verdict=proposal.words)
    except IntegrityError:
        raise StaleState("Somebody proposed an outcome already. Nothing was added. Reload the page.") from None
    return proposal


def decline_outcome(*, by: User, order: Order) -> None:
    """Take a proposal off the table: its author withdraws it, or finance does not agree."""
    proposal = open_resolution(order)
    if proposal is None:
        raise StaleState("There is no open proposal any more. Nothing was changed.")
    if proposal.proposed_by_id != by.pk:
        check_can(by, Permission.RECONCILIATION_RUN)
    close(proposal, "declined", by)
    record("order.outcome_declined", by=by, subject=order, verdict=proposal.words)


def close(proposal: Resolution, state: str, by: User) -> None:
    """End a proposal once; of two people one wins."""
    changed = Resolution.objects.filter(pk=proposal.pk, state="open").update(
        state=state, decided_by=by, decided_at=timezone.now()
    )
    if changed != 1:
        raise StaleState("Somebody decided this at the same moment. Nothing was changed. Reload the page.")


def confirm_outcome(*, by: User, order: Order) -> None:
    """Finance confirms a proposal made by another person; the order, its money and the lane follow, in one transaction.

    Binding to a supplier's order reads that order first and refuses one that does not fit or belongs to another order.
    """
    check_can(by, Permission.RECONCILIATION_RUN)
    check_uninvolved(by, order)
    attempt = check_resolvable(order)
    proposal = open_resolution(order)
    if proposal is None:
        raise StaleState("There is no open proposal any more. Nothing was changed.")
    if proposal.proposed_by_id == by.pk:
        raise NotAllowed("You proposed this; it needs another person. Nothing was changed.")
    remote = read_candidate(order, proposal.remote_id) if proposal.verdict == PLACED else None
    with transaction.atomic():
        close(proposal, "confirmed", by)
        if proposal.verdict == ACCEPTED:
            go_on(order, by, proposal.reason)
        elif remote is None:
            end_as_not_placed(order, attempt, by, proposal.reason)
        else:
            bind(order, attempt, by, proposal.reason, remote)


def read_candidate(order: Order, remote_id: str) -> RemoteOrder:
    """The supplier's own record of the order to bind to; Refused if it can't be this order."""
    if Order.objects.filter(account=order.account, remote_id=remote_id).exists():
        raise Refused(f"{remote_id} belongs to another order already. Nothing was changed.")
    remote = client_for(order.account).read_order(remote_id)
    if remote.quantity is not None and remote.quantity != order.quantity:
        raise Refused(
            f"{remote_id} is for {remote.quantity} codes, this order for {order.quantity}. Nothing was changed."
        )
    if remote.region and remote.region != order.region:
        raise Refused(f"{remote_id} is for {remote.region}, this order for {order.region}. Nothing was changed.")
    if remote.currency and remote.currency != order.cost_currency:
        raise Refused(f"{remote_id} was charged in {remote.currency}, not {order.cost_currency}. Nothing was changed.")
    return remote


def go_on(order: Order, by: User, reason: str) -> None:
    """The contradiction is accepted as it stands in the books; the order is followed again from where it was."""
    facts = {"remote_id": order.remote_id}
    transition(order, "placed", by=by, machine=ORDER, reason=reason, facts=facts, problem="")
    make_due("order.check", str(order.pk), at=timezone.now() + FIRST_CHECK)


def end_as_not_placed(order: Order, attempt: Attempt, by: User, reason: str) -> None:
    facts = {"why": reason}
    transition(attempt, "not_placed", by=by, machine=ATTEMPT, reason=reason, facts=facts, answered_at=timezone.now())
    transition(order, "place_failed", by=by, machine=ORDER, reason=reason, facts=facts, problem=reason[:500])
    postings.release_order(order_id=str(order.pk), reason=reason, actor=str(by))
    free_lane(attempt)


def bind(order: Order, attempt: Attempt, by: User, reason: str, remote: RemoteOrder) -> None:
    now, facts = timezone.now(), {"remote_id": remote.remote_id}
    transition(attempt, "placed", by=by, machine=ATTEMPT, reason=reason, facts=facts, answered_at=now)
    transition(
        order,
        "placed",
        by=by,
        machine=ORDER,
        reason=reason,
        facts=facts,
        remote_id=remote.remote_id,
        remote_status=remote.raw_status,
        placed_at=now,
        problem="",
        total_cost_minor=settle_cost(order, remote.total, remote.currency),
    )
    free_lane(attempt)
    make_due("order.check", str(order.pk), at=now + FIRST_CHECK)
