"""Correcting entries: proposing one, and one with its lines for a second person."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ledger import queries as books
from procurement.audit.queries import timeline_for
from procurement.bookkeeping import corrections
from procurement.bookkeeping.forms import CorrectionForm
from procurement.bookkeeping.models import Correction
from procurement.errors import Missing, Refused
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.once import once


@requires(Permission.RECONCILIATION_RUN)
@once
def correction_new(request: Request) -> HttpResponse:
    """Propose lines that nothing else books."""
    initial = {"day": timezone.now().date()} | request.GET.dict()
    form = CorrectionForm(request.POST) if request.method == "POST" else CorrectionForm(initial=initial)
    if form.is_valid():
        data = form.cleaned_data
        try:
            made = corrections.propose_correction(
                by=request.user,
                account=data["account"],
                currency=data["currency"],
                amount_minor=data["amount_minor"],
                against=data["against"],
                day=data["day"],
                reason=data["reason"],
            )
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, "Proposed. Another person confirms it; nothing is booked yet.")
            return see_other(request, "bookkeeping:correction_detail", pk=made.pk)
    return render(request, "bookkeeping/correction_new.html", {"form": form}, status=422 if form.errors else 200)


def get_correction(pk: int) -> Correction:
    found = Correction.objects.select_related("account", "proposed_by", "decided_by").filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such correction. Nothing was changed. Look at the ledger.")
    return found


@requires(Permission.LEDGER_VIEW)
@require_GET
def correction_detail(request: Request, pk: int) -> HttpResponse:
    """What is proposed, line by line, why, and who may confirm it."""
    row = get_correction(pk)
    mine, signs = row.proposed_by == request.user, may(request.user, Permission.RECONCILIATION_SIGN)
    is_open = row.state == "proposed"
    funds, other = ("debit", "credit") if row.amount_minor > 0 else ("credit", "debit")
    context = {
        "row": row,
        "lines": [("funds", funds), (row.against, other)],
        "size": abs(row.amount_minor),
        "entry": books.entries_for("correction", str(row.pk)).first(),
        "may_book": is_open and signs and not mine,
        "may_decline": is_open and (signs or mine),
        "others": people_with(Permission.RECONCILIATION_SIGN, but=row.proposed_by) if is_open else [],
        "entries": timeline_for(row),
    }
    return render(request, "bookkeeping/correction_detail.html", context)


@requires(Permission.RECONCILIATION_SIGN)
@require_POST
@once
def correction_book(request: Request, pk: int) -> HttpResponse:
    """Confirm another person's proposal; it is booked."""
    corrections.book_correction(by=request.user, correction=get_correction(pk))
    messages.success(request, "Booked. The day it belongs to is compared again by itself, or from its page.")
    return see_other(request, "bookkeeping:correction_detail", pk=pk)


@requires(Permission.RECONCILIATION_RUN, Permission.RECONCILIATION_SIGN)
@require_POST
@once
def correction_decline(request: Request, pk: int) -> HttpResponse:
    """Disagree, or take one's own proposal back."""
    corrections.decline_correction(by=request.user, correction=get_correction(pk))
    return see_other(request, "bookkeeping:correction_detail", pk=pk)
