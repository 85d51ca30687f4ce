"""Importing a supplier's statement: upload, look at every line, then let its days be compared with it."""

from __future__ import annotations

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.errors import Missing, Refused
from procurement.reconciliation import statements
from procurement.reconciliation.forms import StatementForm
from procurement.reconciliation.models import AccountStatement
from procurement.reconciliation.statement_file import COLUMNS, TYPES
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.once import once

PAGE_SIZE = 50


@requires(Permission.RECONCILIATION_RUN)
@once
def statement_new(request: Request) -> HttpResponse:
    """Take a file and show what was read of it; nothing is imported here."""
    form = StatementForm(request.POST, request.FILES) if request.method == "POST" else StatementForm()
    if form.is_valid():
        data = form.cleaned_data
        try:
            made = statements.dry_run_statement(
                by=request.user,
                account=data["account"],
                currency=data["currency"],
                first=data["first"],
                last=data["last"],
                name=data["file"].name,
                content=data["file"].read(),
            )
        except Refused as refusal:
            form.add_error("file", refusal.sentence)
        else:
            return see_other(request, "reconciliation:statement_detail", pk=made.pk)
    latest = (
        AccountStatement.objects.select_related("account", "uploaded_by").defer("lines").order_by("-uploaded_at")[:8]
    )
    context = {"form": form, "latest": latest, "columns": COLUMNS, "types": TYPES}
    return render(request, "reconciliation/statement_new.html", context, status=422 if form.errors else 200)


def get_statement(pk: int) -> AccountStatement:
    rows = AccountStatement.objects.select_related("account", "uploaded_by", "applied_by")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such statement. Nothing was changed. Upload it again.")
    return found


@requires(Permission.RECONCILIATION_VIEW)
@require_GET
def statement_detail(request: Request, pk: int) -> HttpResponse:
    """What was read of it, line by line, those that can't be read first."""
    row = get_statement(pk)
    lines = sorted(row.lines, key=lambda line: not line["problem"])
    context = {
        "row": row,
        "wrong": len(row.problems),
        "page": Paginator(lines, PAGE_SIZE).get_page(request.GET.get("page")),
        "may_import": may(request.user, Permission.RECONCILIATION_RUN),
    }
    return render(request, "reconciliation/statement_detail.html", context)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
@once
def statement_apply(request: Request, pk: int) -> HttpResponse:
    """Let its days be compared with it."""
    statements.apply_statement(by=request.user, statement=get_statement(pk))
    messages.success(
        request, "Imported. Its days are compared with it now; one that was signed opens again if it differs."
    )
    return see_other(request, "reconciliation:statement_detail", pk=pk)
