"""Explaining what differs, and signing a day off by two people."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.services import record
from procurement.errors import Missing
from procurement.reconciliation import matching, printing, queries, signing
from procurement.reconciliation.models import Day, Difference, SignOff
from procurement.reconciliation.printing import ReportRow
from procurement.reconciliation.views.days import window_from
from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.web.exports import FORMATS, file_response, table_response
from procurement.web.http import Request, see_other
from procurement.web.lists import Column
from procurement.web.once import once

REPORT_FORMATS = {"pdf", "json", *FORMATS}
COLUMNS: list[Column[ReportRow]] = [  # type: ignore[type-var]
    Column("part", lambda row: row.part),
    Column("name", lambda row: row.name),
    Column("words", lambda row: row.words),
    Column("amount", lambda row: row.amount),
    Column("currency", lambda row: row.currency),
    Column("explained by", lambda row: row.explained_by),
    Column("accepted by", lambda row: row.accepted_by),
]


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
def day_report(request: Request, code: str, currency: str, day: str) -> HttpResponseBase:
    """What was signed, on a page or as a file: the frozen figures, the differences with their explanations, both names."""
    row = get_day(code, currency, day)
    signed = list(row.sign_offs.filter(reviewed_by__isnull=False).select_related("prepared_by", "reviewed_by"))
    newest = max(signed, key=lambda one: one.reviewed_at or one.prepared_at, default=None)
    earlier = [one for one in signed if one != newest]
    wanted = request.GET.get("format", "")
    if newest is not None and wanted in REPORT_FORMATS:
        record(
            "export.made", by=request.user, subject=request.user, what=f"the signed report of {row} as {wanted}", rows=1
        )
        return report_file(request, newest, earlier, wanted)
    context: dict[str, Any] = {
        "row": row,
        "sign_off": newest,
        "content": newest.content if newest else {},
        "difference": printing.difference_of(newest.content) if newest else 0,
        "intact": newest is not None and signing.is_intact(newest),
        "earlier": earlier,
    }
    return render(request, "reconciliation/day_report.html", context)


def report_file(request: Request, sign_off: SignOff, earlier: list[SignOff], wanted: str) -> HttpResponseBase:
    """What was signed as a PDF, as a table, or as the bytes that were hashed."""
    name = f"signed report {sign_off.content['account']} {sign_off.content['currency']} {sign_off.content['day']}"
    if wanted in FORMATS:
        about = f"signed by {sign_off.reviewed_by}; SHA-256 {sign_off.content_hash}; ledger {sign_off.checkpoint}"
        return table_response(request, name, COLUMNS, printing.report_rows(sign_off), about)
    if wanted == "json":
        content, media_type = signing.signed_bytes(sign_off.content), "application/json"
    else:
        content = printing.report_pdf(sign_off, earlier, intact=signing.is_intact(sign_off))
        media_type = "application/pdf"
    return file_response(content, name=f"{name.replace(' ', '-')}.{wanted}", media_type=media_type)
