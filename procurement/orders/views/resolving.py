"""What became of an unconfirmed order: a proposal by one person, a confirmation by another."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from procurement.errors import Refused, StaleState
from procurement.orders.models import Order
from procurement.orders.services import resolving
from procurement.orders.views.pages import get_order
from procurement.orders.views.unconfirmed import show_sheet
from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.once import once


@requires(Permission.CASE_WORK)
@require_POST
@once
def outcome_propose(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Propose what became of the order; what is refused comes back with what was typed."""
    order, sent = get_order(pk), request.POST
    try:
        resolving.propose_outcome(
            by=request.user,
            order=order,
            verdict=sent.get("verdict", ""),
            remote_id=sent.get("remote_id", "")[:100],
            reason=sent.get("reason", "")[:500],
            acknowledged=sent.get("acknowledged") == "yes",
        )
    except Refused as refused:
        return show_sheet(request, order, refused.sentence, status=422)
    messages.success(request, "Proposed. Finance decides; nothing was changed yet.")
    return see_other(request, "orders:unconfirmed_order", pk=pk)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def outcome_confirm(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Confirm another person's proposal, the very one that was shown."""
    order = get_order(pk)
    check_shown(order, request.POST.get("proposal", ""))
    resolving.confirm_outcome(by=request.user, order=order)
    return see_other(request, "orders:unconfirmed_order", pk=pk)


@requires(Permission.CASE_WORK, Permission.RECONCILIATION_RUN)
@require_POST
@once
def outcome_decline(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Withdraw one's own proposal, or disagree as finance; the very one that was shown."""
    order = get_order(pk)
    check_shown(order, request.POST.get("proposal", ""))
    resolving.decline_outcome(by=request.user, order=order)
    return see_other(request, "orders:unconfirmed_order", pk=pk)


def check_shown(order: Order, shown: str) -> None:
    """StaleState when the open proposal is another than the one this person read."""
    proposal = resolving.open_resolution(order)
    if proposal is None or str(proposal.pk) != shown:
        raise StaleState(
            "The proposal changed since you opened this page. Nothing was changed. Read the new one first."
        )
