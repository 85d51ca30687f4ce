"""What became of an unconfirmed order: a proposal by one person, a confirmation by another."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.views.decorators.http import require_POST

from procurement.orders.services import resolving
from procurement.orders.views.pages import get_order
from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.once import once


@requires(Permission.CASE_WORK)
@require_POST
@once
def outcome_propose(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Propose that the supplier took the order under an id, or did not take it."""
    resolving.propose_outcome(
        by=request.user,
        order=get_order(pk),
        verdict=request.POST.get("verdict", ""),
        remote_id=request.POST.get("remote_id", "")[:100],
        reason=request.POST.get("reason", "")[:500],
    )
    messages.success(request, "Proposed. Finance decides; nothing was changed yet.")
    return see_other(request, "orders:order_detail", pk=pk)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def outcome_confirm(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Confirm another person's proposal."""
    resolving.confirm_outcome(by=request.user, order=get_order(pk))
    return see_other(request, "orders:order_detail", pk=pk)


@requires(Permission.CASE_WORK, Permission.RECONCILIATION_RUN)
@require_POST
@once
def outcome_decline(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Withdraw one's own proposal, or disagree as finance."""
    resolving.decline_outcome(by=request.user, order=get_order(pk))
    return see_other(request, "orders:order_detail", pk=pk)
