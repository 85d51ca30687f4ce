"""Pages of an account's contract, of one probe, and of the checklist."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.catalog.models import ValidatedProduct
from procurement.catalog.services.validating import Fields, take_in_validated, validated_file
from procurement.errors import Refused
from procurement.onboarding import checklist, queries
from procurement.onboarding.forms import ValidatedForm
from procurement.onboarding.models import ProbeRun
from procurement.onboarding.services import running_probe, start_probe, stop_probe
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.web.exports import FORMATS, table_response
from procurement.web.http import Request, see_other
from procurement.web.lists import Column
from procurement.web.once import once


def table(request: Request, name: str, columns: Sequence[Column[Any]], rows: Sequence[Any]) -> HttpResponseBase:
    """The rows as CSV or Excel, on the record."""
    record("export.made", by=request.user, subject=request.user, what=name, rows=len(rows))
    return table_response(request, name, columns, rows, "none")


@requires(Permission.ACCOUNT_VIEW)
def contract_detail(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """What each clause of the account's contract is worth today, the runs, and the one under way."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    standings = queries.contract_of(account)
    if request.GET.get("format") in FORMATS:
        return table(request, f"contract of {account.code}", queries.STANDING_COLUMNS, standings)
    context = {
        "account": account,
        "standings": standings,
        "words": queries.contract_in_words(standings),
        "runs": queries.runs_of(account)[: queries.RUNS_SHOWN],
        "running": running_probe(account),
        "may_manage": may(request.user, Permission.ACCOUNT_MANAGE),
        "validated": ValidatedProduct.objects.filter(account=account).count(),
        "form": ValidatedForm(),
    }
    return render(request, "onboarding/contract_detail.html", context)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def probe_start(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Start a run at an account; a worker takes its steps."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    run = start_probe(by=request.user, account=account, read_only=request.POST.get("part") == "reading")
    return see_other(request, "onboarding:probe_detail", pk=run.pk)


@requires(Permission.ACCOUNT_VIEW)
def probe_detail(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """One run: its steps as they come out, and then what it says of each clause."""
    run = get_object_or_404(ProbeRun.objects.select_related("account", "started_by"), pk=pk)
    results = list(run.results.all())
    if request.GET.get("format") in FORMATS and results:
        return table(request, f"probe of {run.account.code}", queries.RESULT_COLUMNS, results)
    context = {
        "run": run,
        "results": results,
        "entries": timeline_for(run),
        "may_manage": may(request.user, Permission.ACCOUNT_MANAGE),
    }
    return render(request, "onboarding/probe_detail.html", context)


@requires(Permission.ACCOUNT_VIEW)
def probe_products(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The products a passed probe validated, as the file that a live installation takes in (R5)."""
    run = get_object_or_404(ProbeRun.objects.select_related("account"), pk=pk)
    if not run.validates or run.read_at is None:
        raise Refused("Only a whole probe of a sandbox that passed validates products. Nothing was exported.")
    found = [Fields.model_validate(product) for product in run.products]
    content = validated_file(run.account, str(run.pk), run.read_at, found)
    record("export.made", by=request.user, subject=run, what="validated products", rows=len(found))
    response = HttpResponse(content, content_type="application/json")
    name = f"validated-{run.account.code}-{run.started_at:%Y%m%d}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def validated_take_in(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Take in the file of a sandbox's probe at a live account (R5)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = ValidatedForm(request.POST, request.FILES)
    if not form.is_valid():
        raise Refused("Choose a file of at most 2 MB first. Nothing was taken in.")
    count = take_in_validated(by=request.user, account=account, content=form.cleaned_data["file"].read())
    messages.success(request, f"{count} products may be ordered as the sandbox showed them.")
    return see_other(request, "onboarding:contract_detail", pk=account.pk)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
def probe_stop(request: Request, pk: uuid.UUID) -> HttpResponse:
    """End a run without a result."""
    run = get_object_or_404(ProbeRun.objects.select_related("account"), pk=pk)
    stop_probe(by=request.user, run=run)
    messages.success(request, "The probe was stopped. What it had done stays; it filed no result.")
    return see_other(request, "onboarding:probe_detail", pk=run.pk)


@requires(Permission.ACCOUNT_VIEW)
def checklist_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """What must be done before an account is used, with the state of each line (R14, R114)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    groups = checklist.groups_of(account)
    context = {
        "account": account,
        "groups": groups,
        "done": sum(group.done for group in groups),
        "lines": sum(len(group.lines) for group in groups),
        "entries": timeline_for(account, limit=50),
        "may_manage": may(request.user, Permission.ACCOUNT_MANAGE),
    }
    return render(request, "onboarding/checklist.html", context)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def checklist_tick(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Tick a line that only a person can know, or take the tick back."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    line = request.POST.get("line", "")
    if request.POST.get("act") == "untick":
        checklist.untick(by=request.user, account=account, line=line)
    else:
        checklist.tick(by=request.user, account=account, line=line, note=request.POST.get("note", ""))
    return see_other(request, "onboarding:checklist_detail", pk=account.pk)
