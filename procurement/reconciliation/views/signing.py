"""Explaining what differs, and signing a day off by two people."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from procurement.errors import Missing
from procurement.reconciliation import matching, queries, signing
from procurement.reconciliation.models import Day, Difference, SignOff
from procurement.reconciliation.views.days import window_from
from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.once import once


def to_day(request: Request, row: Day) -> HttpResponse:
    return see_other(
        request, "reconciliation:day_detail", code=row.account.code, currency=row.currency, day=row.day.isoformat()
    )


def get_difference(pk: int) -> Difference:
    return get_object_or_404(Difference.objects.select_related("day__account"), pk=pk)


def get_day(code: str, currency: str, day: str) -> Day:
    row = queries.day_of(window_from(code, currency, day))
    if row is None:
        raise Missing("This day was not compared yet. Nothing was changed. Compare it first.")
    return row


def get_sign_off(row: Day) -> SignOff:
    found = signing.in_force(row)
    if found is None:
        raise Missing("Nobody prepared this day, or the preparation was taken back. Nothing was changed.")
    return found


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def difference_explain(request: Request, pk: int) -> HttpResponse:
    """Note why both sides differ."""
    difference = get_difference(pk)
    cause, note = request.POST.get("cause", ""), request.POST.get("note", "")
    signing.explain_difference(by=request.user, difference=difference, cause=cause, note=note)
    return to_day(request, difference.day)


@requires(Permission.RECONCILIATION_SIGN)
@require_POST
@once
def difference_accept(request: Request, pk: int) -> HttpResponse:
    """Agree, as a second person, with the explanation of a large difference."""
    difference = get_difference(pk)
    signing.accept_difference(by=request.user, difference=difference)
    return to_day(request, difference.day)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def day_match(request: Request, code: str, currency: str, day: str) -> HttpResponse:
    """Accept that some differences answer each other: `differences` is their numbers with commas between."""
    row = get_day(code, currency, day)
    numbers = [int(one) for one in request.POST.get("differences", "").split(",") if one.isascii() and one.isdigit()]
    matching.match_differences(by=request.user, row=row, chosen=numbers[: matching.MOST_TRIED])
    return to_day(request, row)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def day_prepare(request: Request, code: str, currency: str, day: str) -> HttpResponse:
    """Freeze the day for another person to sign."""
    row = get_day(code, currency, day)
    signing.prepare_day(by=request.user, row=row)
    messages.success(request, "Prepared. Another person signs it; a comparison that comes out differently undoes this.")
    return to_day(request, row)


@requires(Permission.RECONCILIATION_SIGN)
@require_POST
@once
def day_sign(request: Request, code: str, currency: str, day: str) -> HttpResponse:
    """Sign what another person prepared, as this page showed it."""
    row = get_day(code, currency, day)
    signing.sign_day(by=request.user, sign_off=get_sign_off(row), shown_hash=request.POST.get("hash", ""))
    return to_day(request, row)


@requires(Permission.RECONCILIATION_SIGN)
@require_POST
@once
def day_withdraw(request: Request, code: str, currency: str, day: str) -> HttpResponse:
    """Take a preparation back, or disagree with it."""
    row = get_day(code, currency, day)
    signing.withdraw_sign_off(by=request.user, sign_off=get_sign_off(row), reason=request.POST.get("reason", ""))
    return to_day(request, row)


@requires(Permission.RECONCILIATION_VIEW)
@require_GET
def day_report(request: Request, code: str, currency: str, day: str) -> HttpResponse:
    """What was signed, for print: the frozen figures, the differences with their explanations, both names, the hash."""
    row = get_day(code, currency, day)
    signed = list(row.sign_offs.filter(reviewed_by__isnull=False).select_related("prepared_by", "reviewed_by"))
    newest = max(signed, key=lambda one: one.reviewed_at or one.prepared_at, default=None)
    context: dict[str, Any] = {
        "row": row,
        "sign_off": newest,
        "content": newest.content if newest else {},
        "difference": newest.content["theirs"] - newest.content["ours"] if newest else 0,
        "intact": newest is not None and signing.digest(newest.content) == newest.content_hash,
        "earlier": [one for one in signed if one != newest],
    }
    return render(request, "reconciliation/day_report.html", context)
