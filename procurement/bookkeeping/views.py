"""The ledger, one movement, and recording a deposit."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.services import record
from procurement.bookkeeping import postings, queries, statement
from procurement.bookkeeping.forms import DepositForm
from procurement.bookkeeping.rules import GROUPS
from procurement.bookkeeping.statement import Query, Row
from procurement.errors import Missing, Refused
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.exports import csv_response
from procurement.web.http import Request, see_other
from procurement.web.lists import Column
from procurement.web.once import once

COLUMNS: list[Column[Row]] = [  # type: ignore[type-var]
    Column("time", lambda row: row.at),
    Column("what", lambda row: row.what),
    Column("reference", lambda row: row.label),
    Column("amount", lambda row: row.plain[0]),
    Column("held", lambda row: row.plain[1]),
    Column("balance after", lambda row: row.plain[2]),
    Column("currency", lambda row: row.currency),
    Column("memo", lambda row: row.memo),
    Column("by", lambda row: row.actor),
    Column("movement", lambda row: str(row.entry_id)),
]


@requires(Permission.LEDGER_VIEW)
@require_GET
def ledger(request: Request) -> HttpResponseBase:
    """What the balance of one book is, and every movement that made it so (R83)."""
    kept = queries.books_kept()
    may_deposit = may(request.user, Permission.DEPOSIT_RECORD)
    if not kept:
        return render(request, "bookkeeping/ledger.html", {"kept": kept, "may_deposit": False})
    query = statement.read_query(request.GET.dict(), kept)
    if request.GET.get("format") == "csv":
        return export(request, query)
    context = {
        "kept": kept,
        "query": query,
        "groups": [(name, label) for name, (label, _) in GROUPS.items()],
        "standing": queries.standing_of(query.book),
        "sums": statement.sums_of(query),
        "page": statement.page_of(query),
        "today": timezone.now().date(),
        "may_deposit": may_deposit,
    }
    return render(request, "bookkeeping/ledger.html", context)


def export(request: Request, query: Query) -> HttpResponseBase:
    """All movements of the query as CSV; on the record before the first row leaves."""
    count = statement.count_of(query)
    record("export.made", by=request.user, subject=request.user, what=f"the ledger ({query.in_words()})", rows=count)
    name = f"ledger {query.book.account.code} {query.book.currency}"
    return csv_response(request, name, COLUMNS, statement.all_rows(query), query.in_words())


@requires(Permission.LEDGER_VIEW)
@require_GET
def entry_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """One movement with both its sides, who made it and what belongs to it."""
    view = queries.entry_view(pk)
    if view is None:
        raise Missing("There is no such movement. Nothing was changed. Look for it on the ledger page.")
    return render(request, "bookkeeping/entry_detail.html", {"view": view, "entry": view.entry})


@requires(Permission.DEPOSIT_RECORD)
@require_GET
def deposit_new(request: Request) -> HttpResponse:
    """The form of a deposit; with `check` in the address it is read and the check page shown."""
    if "check" not in request.GET:
        initial = {"credited_on": timezone.now().date()} | request.GET.dict()
        return render(request, "bookkeeping/deposit_new.html", {"form": DepositForm(initial=initial)})
    form = DepositForm(request.GET)
    if form.is_valid() and (
        first := queries.deposit_named(form.cleaned_data["account"], form.cleaned_data["reference"])
    ):
        amount = postings.amount_text(first.amount_minor, first.currency)
        form.add_error(
            "reference",
            f"{first.account} has this deposit already: {amount}, recorded by {first.recorded_by or 'the system'}. "
            "Nothing was recorded. Check the reference.",
        )
    if not form.is_valid():
        return render(request, "bookkeeping/deposit_new.html", {"form": form}, status=422)
    return show_check(request, form)


def show_check(request: Request, form: DepositForm, refusal: str = "", status: int = 200) -> HttpResponse:
    """The page before the ledger changes: balance now and after, and deposits that look the same."""
    data = form.cleaned_data
    free = postings.free_balance(data["account"].code, data["currency"])
    typed = {name: form.data.get(name, "") for name in form.fields}
    context = {
        "data": data,
        "typed": typed.items(),
        "amount": postings.amount_text(data["amount_minor"], data["currency"]),
        "free": free,
        "free_after": free + data["amount_minor"],
        "similar": queries.similar_deposits(data["account"], data["amount_minor"], data["currency"])[:3],
        "refusal": refusal,
        "back_url": f"{reverse('bookkeeping:deposit_new')}?{urlencode(typed)}",
    }
    return render(request, "bookkeeping/deposit_check.html", context, status=status)


@requires(Permission.DEPOSIT_RECORD)
@require_POST
@once
def deposit_record(request: Request) -> HttpResponse:
    """Record the deposit as checked, and show its movement."""
    form = DepositForm(request.POST)
    if not form.is_valid():
        return render(request, "bookkeeping/deposit_new.html", {"form": form}, status=422)
    data = form.cleaned_data
    try:
        made = postings.deposit(
            by=request.user,
            account=data["account"],
            amount_minor=data["amount_minor"],
            currency=data["currency"],
            credited_on=data["credited_on"],
            reference=data["reference"],
            note=data["note"],
        )
    except Refused as refusal:
        return show_check(request, form, refusal.sentence, status=422)
    free = postings.amount_text(postings.free_balance(made.account.code, made.currency), made.currency)
    messages.success(request, f"The deposit is recorded. {made.account} has {free} free now.")
    return see_other(request, "bookkeeping:entry_detail", pk=queries.entry_of_deposit(made).pk)
