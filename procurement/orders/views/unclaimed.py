"""One supplier's order that nobody claims: what is known of it, what it fits, and how two people end it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.queries import timeline_for
from procurement.errors import Missing, Refused, StaleState
from procurement.orders import unclaimed
from procurement.orders.evidence import told_of
from procurement.orders.models import UnclaimedOrder
from procurement.orders.queries import without_amounts
from procurement.orders.services import unclaimed as ending
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.once import once

RELATED = ("account", "second_of__account", "order", "proposed_by", "decided_by")
DONE = {"adopted": "Adopted as {order}; its codes are fetched.", "dismissed": "Dismissed. Nothing was booked or sent."}


def get_row(pk: int) -> UnclaimedOrder:
    row = UnclaimedOrder.objects.select_related(*RELATED).filter(pk=pk).first()
    if row is None:
        raise Missing("There is no such supplier's order. Nothing was changed. Look at the list.")
    return row


@requires(Permission.ORDER_VIEW)
@require_GET
def unclaimed_order(request: Request, pk: int) -> HttpResponse:
    """What is known of it, what it fits, and the verdict of two people."""
    return show(request, get_row(pk))


def show(request: Request, row: UnclaimedOrder, refusal: str = "", status: int = 200) -> HttpResponse:
    """The page; after a refused proposal with what was typed."""
    with_cost = may(request.user, Permission.COST_VIEW)
    entries = timeline_for(row)
    context = {
        "row": row,
        "told": told_of(row),
        "what": unclaimed.what(row),
        "fits": unclaimed.fits_of(row, unclaimed.unconfirmed_of({row.account_id})) if row.is_open else [],
        "again": ending.ordered_again(row) if row.is_open else [],
        "with_cost": with_cost,
        "decision": unclaimed.decision_of(row, request.user),
        "refusal": refusal if with_cost else without_amounts(refusal),
        "typed": request.POST,
        "entries": entries if with_cost else [unclaimed.bare(entry) for entry in entries],
    }
    return render(request, "orders/unclaimed_order.html", context, status=status)


@requires(Permission.CASE_WORK)
@require_POST
@once
def unclaimed_propose(request: Request, pk: int) -> HttpResponse:
    """Propose that it becomes ours, or that it is none of ours."""
    row, sent = get_row(pk), request.POST
    try:
        ending.propose_end(
            by=request.user, row=row, proposal=sent.get("proposal", ""), reason=sent.get("reason", "")[:500]
        )
    except Refused as refused:
        return show(request, row, refused.sentence, status=422)
    messages.success(request, "Proposed. Finance decides; nothing was changed yet.")
    return see_other(request, "orders:unclaimed_order", pk=pk)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def unclaimed_confirm(request: Request, pk: int) -> HttpResponse:
    """Confirm another person's proposal, the very one that was shown."""
    row = get_row(pk)
    check_shown(row, request.POST.get("shown", ""))
    order = ending.confirm_end(by=request.user, row=row)
    messages.success(request, DONE["adopted"].format(order=order) if order else DONE["dismissed"])
    return see_other(request, "orders:unclaimed_order", pk=pk)


@requires(Permission.CASE_WORK, Permission.RECONCILIATION_RUN)
@require_POST
@once
def unclaimed_decline(request: Request, pk: int) -> HttpResponse:
    """Withdraw one's own proposal, or disagree as finance."""
    row = get_row(pk)
    check_shown(row, request.POST.get("shown", ""))
    ending.decline_end(by=request.user, row=row)
    return see_other(request, "orders:unclaimed_order", pk=pk)


def check_shown(row: UnclaimedOrder, shown: str) -> None:
    """StaleState when the open proposal is another than the one this person read."""
    if not row.proposal or unclaimed.mark_of(row) != shown:
        raise StaleState(
            "The proposal changed since you opened this page. Nothing was changed. Read the new one first."
        )
