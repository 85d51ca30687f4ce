"""Ending an order nobody is sure of: one person proposes what happened, another confirms; neither asked for the order."""

from __future__ import annotations

from collections.abc import Callable

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.evidence import (
    ACCEPTED,
    NOT_PLACED,
    PAID_NO_GOODS,
    PLACED,
    REFUNDED,
    evidence_of,
    objections_to,
)
from procurement.orders.fitting import misfits
from procurement.orders.models import Attempt, Order, Resolution
from procurement.orders.services.outcomes import FIRST_CHECK, claim_for, end_proposal, free_lane, settle_cost
from procurement.orders.states import ATTEMPT, ORDER
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import RemoteOrder
from procurement.work.services import make_due


def open_resolution(order: Order) -> Resolution | None:
    """The proposal waiting for a second person, if any."""
    return order.resolutions.filter(state="open").select_related("proposed_by").first()


def check_uninvolved(by: User, order: Order) -> None:
    """Who asked for an order never says what became of its money."""
    if order.requested_by_id == by.pk:
        raise NotAllowed("You asked for this order, so others must say what became of it. Nothing was changed.")


def verdicts_for(order: Order) -> tuple[str, ...]:
    """What two people may say of this order in its state; empty once nothing is left to say."""
    if order.state == "unknown" or (order.state == "manual_review" and not order.remote_id):
        return (NOT_PLACED, PLACED, PAID_NO_GOODS)
    if order.state == "placed_no_id":
        return (PLACED, REFUNDED) if is_booked_as_paid(order) else (PLACED, PAID_NO_GOODS, REFUNDED)
    return (ACCEPTED, REFUNDED) if order.state == "manual_review" else ()


def is_booked_as_paid(order: Order) -> bool:
    """Whether two people agreed that it was paid, and the books say so."""
    return order.resolutions.filter(state="confirmed", verdict=PAID_NO_GOODS).exists()


def check_resolvable(order: Order) -> Attempt:
    """Only an order that waits for a verdict; returns the attempt in question."""
    attempt = order.attempts.filter(state__in=["unknown", "placed_no_id", "placed"]).first()
    if not verdicts_for(order) or attempt is None:
        raise StaleState(f"This order is “{order.status.label}” and needs no verdict any more. Nothing was changed.")
    return attempt


def propose_outcome(
    *, by: User, order: Order, verdict: str, remote_id: str, reason: str, acknowledged: bool = False
) -> Resolution:
    """Say what happened, with the evidence in words; another person confirms it.

    A verdict that the evidence does not bear out (`evidence.objections_to`) is Refused with what speaks against it, unless
    the person `acknowledged` that; then it stands with the proposal for whoever confirms.
    """
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
    against = " ".join(objections_to(evidence_of(order), verdict))
    if against and not acknowledged:
        raise Refused(
            f"{against} Nothing was proposed. Wait, or say that you know this, and in the reason why it holds."
        )
    try:
        with transaction.atomic():
            proposal = Resolution.objects.create(
                order=order,
                verdict=verdict,
                remote_id=remote_id if verdict == PLACED else "",
                reason=reason,
                against=against,
                requester=order.requested_by,
                proposed_by=by,
            )
            record(
                "order.outcome_proposed", by=by, subject=order, reason=reason, verdict=proposal.words, against=against
            )
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
    end_proposal(proposal, "declined", by)
    record("order.outcome_declined", by=by, subject=order, verdict=proposal.words)


def confirm_outcome(*, by: User, order: Order) -> None:
    """Finance confirms a proposal made by another person; the order, its money and the lane follow, in one transaction.

    Binding to a supplier's order reads that order first and refuses one that does not fit or belongs to another order.
    """
    check_confirms(by, Permission.RECONCILIATION_RUN)
    check_uninvolved(by, order)
    attempt = check_resolvable(order)
    proposal = open_resolution(order)
    if proposal is None:
        raise StaleState("There is no open proposal any more. Nothing was changed.")
    if proposal.proposed_by_id == by.pk:
        raise NotAllowed("You proposed this; it needs another person. Nothing was changed.")
    if proposal.verdict not in verdicts_for(order):
        raise StaleState("The order moved on since this was proposed. Nothing was changed. Decline it and look again.")
    if proposal.verdict == PLACED:
        remote = read_candidate(order, proposal.remote_id)
        with transaction.atomic():
            end_proposal(proposal, "confirmed", by)
            bind(order, attempt, by, proposal.reason, remote)
        return
    with transaction.atomic():
        end_proposal(proposal, "confirmed", by)
        ENDINGS[proposal.verdict](order, attempt, by, proposal.reason)


def read_candidate(order: Order, remote_id: str) -> RemoteOrder:
    """The supplier's own record of the order to bind to; Refused if it can't be this order."""
    if Order.objects.filter(account=order.account, remote_id=remote_id).exists():
        raise Refused(f"{remote_id} belongs to another order already. Nothing was changed.")
    remote = client_for(order.account).read_order(remote_id)
    found = misfits(order, remote)
    if found:
        raise Refused(f"{remote_id} is not this order: {'; '.join(found)}. Nothing was changed.")
    return remote


def go_on(order: Order, attempt: Attempt, by: User, reason: str) -> None:
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


def end_as_paid_without_goods(order: Order, attempt: Attempt, by: User, reason: str) -> None:
    """The money is gone and nobody can name the order: it stands in the books as owed to us until an id or a refund comes.

    The lane is free: what the balance lost is explained from here on.
    """
    missing = evidence_of(order).missing
    paid = missing if missing is not None and 0 < missing <= order.max_total_minor else order.max_total_minor
    postings.paid_without_goods(**named(order), amount_minor=paid, actor=str(by))
    if order.state != "placed_no_id":
        transition(attempt, "placed_no_id", by=by, machine=ATTEMPT, reason=reason)
        transition(order, "placed_no_id", by=by, machine=ORDER, reason=reason, problem=reason[:500])
    free_lane(attempt)


def end_as_paid_back(order: Order, attempt: Attempt, by: User, reason: str) -> None:
    """The supplier paid it back, as two people saw: the books follow, and nothing more is awaited of this order."""
    if order.remote_id:
        amount = order.total_cost_minor or 0
        postings.refund(**named(order), amount_minor=amount)
    else:
        amount = postings.paid_back_without_goods(**named(order), actor=str(by))
    postings.release_order(order_id=str(order.pk), reason=reason, actor=str(by))
    facts = {"amount": postings.amount_text(amount, order.cost_currency)}
    transition(order, "refunded", by=by, machine=ORDER, reason=reason, facts=facts, problem="", refunded_minor=amount)
    free_lane(attempt)


def named(order: Order) -> dict[str, str]:
    """How the books name an order."""
    return {
        "account_code": order.account.code,
        "currency": order.cost_currency,
        "order_id": str(order.pk),
        "label": order.client_order_id,
    }


ENDINGS: dict[str, Callable[[Order, Attempt, User, str], None]] = {
    NOT_PLACED: end_as_not_placed,
    PAID_NO_GOODS: end_as_paid_without_goods,
    REFUNDED: end_as_paid_back,
    ACCEPTED: go_on,
}


def bind(order: Order, attempt: Attempt, by: User | None, reason: str, remote: RemoteOrder) -> None:
    """It is the supplier's order `remote`, by the word of two people or (`by=None`) by the strict rule of the evidence."""
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
    claim_for(order, by)
    free_lane(attempt)
    make_due("order.check", str(order.pk), at=now + FIRST_CHECK)
