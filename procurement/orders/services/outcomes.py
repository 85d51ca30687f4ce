"""What each outcome of a paid POST means for order, attempt, lane and money: one transaction each."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.errors import StaleState
from procurement.faultpoints import faultpoint
from procurement.orders.fitting import misfits, overcharge
from procurement.orders.models import Attempt, Lane, Order, Resolution, UnclaimedOrder
from procurement.orders.states import ATTEMPT, ORDER, UNCLAIMED
from procurement.staff.models import User
from procurement.states import transition
from procurement.suppliers.clients.types import Placed
from procurement.work.services import make_due

FIRST_CHECK = timedelta(seconds=5)
# Finding out about an unconfirmed order begins after this long.
INVESTIGATE = "order.investigate"
FIRST_LOOK = timedelta(seconds=60)


def free_lane(attempt: Attempt) -> None:
    Lane.objects.filter(holder=attempt).update(holder=None, taken_at=None)
    faultpoint("lane.freed")


def contradiction(order: Order, outcome: Placed) -> str:
    """How the supplier's answer differs from what was asked; empty if it fits. A replay of another order shows here."""
    found = [*misfits(order, outcome, "confirmed"), overcharge(order, outcome, order.max_total_minor, "charged")]
    return next(filter(None, found), "")


def settle_cost(order: Order, total_minor: int | None, currency: str = "") -> int | None:
    """Book the true cost against the hold, once; a total in another currency is left to the person who reviews it."""
    if total_minor is None or (currency and currency != order.cost_currency):
        return order.total_cost_minor
    postings.purchase(
        account_code=order.account.code,
        currency=order.cost_currency,
        order_id=str(order.pk),
        label=order.client_order_id,
        amount_minor=total_minor,
    )
    return total_minor


def mark_placed(order: Order, attempt: Attempt, outcome: Placed) -> None:
    """The supplier took it and named its id: book the cost, free the lane, look for the codes soon (R30)."""
    misfit = contradiction(order, outcome)
    other = Order.objects.filter(account=order.account, remote_id=outcome.remote_id).exclude(pk=order.pk).first()
    if other is not None:
        stop_at_conflict(order, attempt, f"the supplier answered with {outcome.remote_id}, which is {other}")
        return
    with transaction.atomic():
        free_lane(attempt)
        transition(
            attempt,
            "placed",
            by=None,
            machine=ATTEMPT,
            source="supplier",
            answered_at=timezone.now(),
            verdict=f"Placed as {outcome.remote_id}",
            facts={"remote_id": outcome.remote_id},
        )
        transition(
            order,
            "placed",
            by=None,
            machine=ORDER,
            source="supplier",
            facts={"remote_id": outcome.remote_id},
            remote_id=outcome.remote_id,
            remote_status=outcome.raw_status,
            placed_at=timezone.now(),
            problem="",
            total_cost_minor=settle_cost(order, outcome.total, outcome.currency),
        )
        claim_for(order)
        overtake_proposal(order)
        if misfit:
            transition(order, "manual_review", by=None, machine=ORDER, facts={"why": misfit}, problem=misfit)
        make_due("order.check", str(order.pk), at=timezone.now() + FIRST_CHECK)


def mark_not_placed(order: Order, attempt: Attempt, sentence: str) -> None:
    """Nothing was bought: the failed attempt stays on record, the money is free again (R29)."""
    with transaction.atomic():
        free_lane(attempt)
        ended = "void" if attempt.state == "ready" else "not_placed"
        now = timezone.now()
        transition(attempt, ended, by=None, machine=ATTEMPT, verdict=sentence, answered_at=now, facts={"why": sentence})
        transition(order, "place_failed", by=None, machine=ORDER, problem=sentence, facts={"why": sentence})
        postings.release_order(order_id=str(order.pk), reason=sentence)


def back_to_draft(order: Order, attempt: Attempt, sentence: str, *, before: str, after: str) -> None:
    """The price rose above what was approved: the attempt is void, the money free, and the buyer asks again (R15)."""
    with transaction.atomic():
        free_lane(attempt)
        transition(attempt, "void", by=None, machine=ATTEMPT, verdict=sentence, facts={"why": sentence})
        facts = {"before": before, "after": after}
        transition(
            order, "draft", by=None, machine=ORDER, problem=sentence, approval=None, approved_at=None, facts=facts
        )
        postings.release_order(order_id=str(order.pk), reason=sentence)


def mark_unknown(order: Order, attempt: Attempt, sentence: str, *, taken: bool = False) -> None:
    """Nobody knows what the supplier did, or (`taken`) it said yes without an id: the money stays held, the lane stays
    taken, and nothing is sent again by itself (R26, R30)."""
    state = "placed_no_id" if taken else "unknown"
    with transaction.atomic():
        transition(attempt, state, by=None, machine=ATTEMPT, verdict=sentence, facts={"why": sentence})
        transition(order, state, by=None, machine=ORDER, problem=sentence, facts={"why": sentence})
        make_due(INVESTIGATE, str(order.pk), at=timezone.now() + FIRST_LOOK)


def stop_at_conflict(order: Order, attempt: Attempt, why: str) -> None:
    """The answer belongs to another order of ours: nobody knows what became of this one, and nothing is sent again (R21)."""
    with transaction.atomic():
        mark_unknown(order, attempt, f"A contradiction: {why}.")
        transition(order, "manual_review", by=None, machine=ORDER, facts={"why": why}, problem=why[:500])


def claim_for(order: Order, by: User | None = None) -> None:
    """Close what was noted of this supplier's order while nobody claimed it: it is this one."""
    rows = UnclaimedOrder.objects.filter(account=order.account, remote_id=order.remote_id)
    for row in rows.filter(state__in=["open", "dismissed"]):
        with suppress(StaleState):
            transition(row, "bound", by=by, machine=UNCLAIMED, facts={"order": str(order)}, order=order)


def overtake_proposal(order: Order) -> None:
    """The supplier's answer came after all: what a person proposed meanwhile is void."""
    proposal = order.resolutions.filter(state="open").first()
    if proposal is not None:
        end_proposal(proposal, "overtaken", None)


def end_proposal(proposal: Resolution, state: str, by: User | None) -> None:
    """End a proposal once; of two people one wins."""
    changed = Resolution.objects.filter(pk=proposal.pk, state="open").update(
        state=state, decided_by=by, decided_at=timezone.now()
    )
    if changed != 1:
        raise StaleState("Somebody decided this at the same moment. Nothing was changed. Reload the page.")
