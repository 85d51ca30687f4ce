"""Importing a SKU list: upload, look at every line, then import."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.catalog import services
from procurement.catalog.exporting import exporter
from procurement.catalog.forms import SkuListForm
from procurement.catalog.models import Sku, SkuImport
from procurement.catalog.skulist.judging import ADD, CHANGE, REFUSE, SAME, Line, counts_of, reasons_of
from procurement.catalog.skulist.reading import COLUMNS
from procurement.errors import DomainError, Missing, StaleState
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.exports import table_response
from procurement.web.http import Request, see_other
from procurement.web.lists import Column
from procurement.web.once import once

PAGE_SIZE = 50
WORDS = {ADD: "Add", CHANGE: "Change", SAME: "Same", REFUSE: "Refuse"}
TONES = {ADD: "good", CHANGE: "attention", SAME: "neutral", REFUSE: "bad"}
EXAMPLES = {"example": "storefront_skus.csv", "messy": "storefront_skus_messy.csv"}


def _raw_column(name: str) -> Column[Any]:
    return Column(name, lambda line: line["raw"][name])


REFUSED_COLUMNS: list[Column[Any]] = [
    Column("line", lambda line: line["line"]),
    *(_raw_column(name) for name in COLUMNS),
    Column("reasons", lambda line: " ".join(reasons_of(line))),
]


def get_import(pk: uuid.UUID) -> SkuImport:
    found = SkuImport.objects.select_related("uploaded_by", "applied_by").filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such import. Nothing was changed. Upload the list again.")
    return found


@requires(Permission.SKU_IMPORT)
@once
def import_new(request: Request) -> HttpResponse:
    """Take a file and show what importing it would do; nothing is imported here."""
    form = SkuListForm(request.POST, request.FILES) if request.method == "POST" else SkuListForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            made = services.dry_run(by=request.user, file_name=file.name, content=file.read())
        except DomainError as refusal:
            form.add_error("file", refusal.sentence)
        else:
            return see_other(request, "catalog:import_detail", pk=made.pk)
    latest = SkuImport.objects.select_related("uploaded_by").defer("lines").order_by("-uploaded_at")[:8]
    context = {"form": form, "columns": COLUMNS, "latest": latest, "examples": settings.ENVIRONMENT == "sandbox"}
    return render(request, "catalog/import_new.html", context, status=422 if form.errors else 200)


@requires(Permission.SKU_IMPORT, Permission.AUDIT_VIEW)
@require_GET
def import_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The dry run line by line, or what was imported; `?outcome=` shows one kind of line only."""
    sku_import = get_import(pk)
    lines = cast("list[Line]", sku_import.lines)
    counts = counts_of(lines)
    outcome = request.GET.get("outcome", "")
    shown = [line for line in lines if outcome not in counts or line["outcome"] == outcome]
    page = Paginator(shown, PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "sku_import": sku_import,
        "page": page,
        "rows": [(line, (WORDS[line["outcome"]], TONES[line["outcome"]]), reasons_of(line)) for line in page],
        "outcome": outcome if outcome in counts else "",
        "tabs": [("", "All", len(lines)), *((name, WORDS[name], counts[name]) for name in counts)],
        "counts": counts,
        "writes": counts[ADD] + counts[CHANGE],
        "untouched": Sku.objects.exclude(code__in=[line["code"] for line in lines]).count(),
        "may_import": may(request.user, Permission.SKU_IMPORT),
    }
    return render(request, "catalog/import_detail.html", context)


@requires(Permission.SKU_IMPORT)
@require_POST
def import_apply(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Do what the dry run showed; a second press shows the first result."""
    try:
        services.apply_import(by=request.user, sku_import=get_import(pk))
    except StaleState as stale:
        messages.warning(request, stale.sentence)
    return see_other(request, "catalog:import_detail", pk=pk)


@requires(Permission.SKU_IMPORT, Permission.AUDIT_VIEW)
@require_GET
def import_refused_csv(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """The refused lines as they came, each with its reasons, to be corrected and uploaded again."""
    sku_import = get_import(pk)
    refused = [line for line in cast("list[Line]", sku_import.lines) if line["outcome"] == REFUSE]
    filters = f"refused lines of {sku_import.file_name}"
    exporter(request, "SKU list lines")(filters, len(refused))
    return table_response(request, "refused lines", REFUSED_COLUMNS, refused, filters)


@requires(Permission.SKU_IMPORT)
@require_GET
def import_example(request: Request, name: str) -> HttpResponseBase:
    """A list to try the import with; only where nothing is real."""
    if name not in EXAMPLES or settings.ENVIRONMENT != "sandbox":
        raise Missing("There is no such example here. Nothing was changed.")
    path = settings.ROOT / "procurement" / "catalog" / "sample" / EXAMPLES[name]
    return FileResponse(path.open("rb"), as_attachment=True, filename=EXAMPLES[name], content_type="text/csv")
