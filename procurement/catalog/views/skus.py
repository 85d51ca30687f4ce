"""SKUs and mappings: is every SKU served by the product of the same card, and who said so."""

from __future__ import annotations

from collections import Counter

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.queries import timeline_for
from procurement.catalog import services
from procurement.catalog.exporting import exporter
from procurement.catalog.forms import RetireForm
from procurement.catalog.lists import SKUS
from procurement.catalog.models import Mapping, Sku
from procurement.catalog.queries import skus as queries
from procurement.catalog.queries.offers import nearest, products_here, propose
from procurement.errors import Missing, Refused
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.exports import FORMATS
from procurement.web.http import Request, see_other
from procurement.web.lists import build_listing, list_page
from procurement.web.once import once
from procurement.web.templatetags.ui import count_of

REASONS_SHOWN = 5


@requires(Permission.MAPPING_VIEW)
@require_GET
def sku_list(request: Request) -> HttpResponseBase:
    """SKUs that need work first, then those that are mapped."""
    rows = queries.skus_for_list()
    if request.GET.get("format") in FORMATS:
        return list_page(request, SKUS, rows, "catalog/sku_list.html", on_export=exporter(request, "SKUs"))
    listing = build_listing(request, SKUS, rows)
    context = {
        "listing": listing,
        "rows": queries.sku_rows(listing.rows),
        "counts": queries.mapping_counts(request.user),
        "may_draft": may(request.user, Permission.MAPPING_DRAFT),
        "may_activate": may(request.user, Permission.MAPPING_ACTIVATE),
        "may_import": may(request.user, Permission.SKU_IMPORT),
    }
    return render(request, "catalog/sku_list.html", context)


def get_sku(pk: int) -> Sku:
    sku = queries.skus_for_list().filter(pk=pk).first()
    if sku is None:
        raise Missing("There is no such SKU. Nothing was changed. Look for it in the list of SKUs.")
    return sku


@requires(Permission.MAPPING_VIEW)
@require_GET
def sku_detail(request: Request, pk: int) -> HttpResponse:
    """One SKU: what its label says beside what the product is, and every version of its mapping."""
    sku = get_sku(pk)
    versions = queries.mappings_of(sku)
    taken = {mapping.product_id for mapping in versions if mapping.state != "retired"}
    candidates = [product for product in propose(sku) if product.pk not in taken]
    context = {
        "sku": sku,
        "row": queries.sku_row(sku),
        "views": [queries.mapping_view(request.user, mapping) for mapping in versions if mapping.state != "retired"],
        "versions": versions,
        "candidates": candidates,
        "nearest": nearest(sku) if not candidates and not taken else [],
        "entries": timeline_for(sku, *versions, limit=50),
        "with_cost": may(request.user, Permission.COST_VIEW),
        "may_draft": may(request.user, Permission.MAPPING_DRAFT),
        "may_order": may(request.user, Permission.ORDER_CREATE),
    }
    return render(request, "catalog/sku_detail.html", context)


@requires(Permission.MAPPING_DRAFT)
@require_POST
def sku_draft(request: Request, pk: int) -> HttpResponse:
    """Draft a mapping to the product that was chosen."""
    sku, chosen = get_sku(pk), request.POST.get("product", "")
    product = products_here().filter(pk=int(chosen)).first() if chosen.isdigit() else None
    if product is None:
        raise Refused("No product was chosen. Nothing was drafted. Choose one of the products on the SKU's page.")
    services.draft_mapping(by=request.user, sku=sku, product=product)
    return see_other(request, "catalog:sku_detail", pk=pk)


def get_mapping(pk: int) -> Mapping:
    mapping = Mapping.objects.select_related("sku", "product", "account").filter(pk=pk).first()
    if mapping is None:
        raise Missing("There is no such mapping. Nothing was changed. Look for its SKU in the list.")
    return mapping


@requires(Permission.MAPPING_ACTIVATE)
@require_POST
def mapping_activate(request: Request, pk: int) -> HttpResponse:
    """A second person puts a draft into use."""
    mapping = get_mapping(pk)
    services.activate_mapping(by=request.user, mapping=mapping)
    return see_other(request, "catalog:sku_detail", pk=mapping.sku_id)


@requires(Permission.MAPPING_DRAFT, Permission.MAPPING_ACTIVATE)
@require_POST
def mapping_retire(request: Request, pk: int) -> HttpResponse:
    """End a draft or an active mapping, with a reason if there is one."""
    mapping, form = get_mapping(pk), RetireForm(request.POST)
    reason = form.cleaned_data["reason"] if form.is_valid() else ""
    services.retire_mapping(by=request.user, mapping=mapping, reason=reason)
    return see_other(request, "catalog:sku_detail", pk=mapping.sku_id)


@requires(Permission.MAPPING_DRAFT)
@require_POST
@once
def propose_all(request: Request) -> HttpResponse:
    """Draft every mapping that is beyond doubt."""
    drafts = services.propose_all(by=request.user)
    if drafts:
        messages.success(request, f"{count_of(len(drafts), 'mapping')} drafted. Another person activates them.")
    else:
        messages.info(
            request, "Nothing to draft: every sold SKU is mapped, or has no product or several of the same card."
        )
    return see_other(request, "catalog:sku_list")


@requires(Permission.MAPPING_ACTIVATE)
@require_POST
@once
def activate_all(request: Request) -> HttpResponse:
    """Activate every draft by others whose two sides are the same card, and say what became of the rest."""
    results = services.activate_all_exact(by=request.user)
    done = sum(result.done for result in results)
    if not results:
        messages.info(request, "There is no draft to activate.")
    else:
        messages.success(request, f"{count_of(done, 'mapping')} activated, {len(results) - done} not.")
    for sentence in refusals_in_words(results):
        messages.warning(request, sentence)
    return see_other(request, "catalog:sku_list")


def refusals_in_words(results: list[services.MappingResult]) -> list[str]:
    """Why each draft was left: own drafts counted together, the others one by one up to a handful."""
    left = Counter(result.sentence for result in results if not result.done)
    own = [sentence for sentence in left if sentence.startswith("You drafted")]
    words = [f"{count_of(len(own), 'draft')} by yourself: another person activates them."] if own else []
    others = [sentence for sentence in left if sentence not in own]
    words += others[:REASONS_SHOWN]
    return [*words, f"And {len(others) - REASONS_SHOWN} more."] if len(others) > REASONS_SHOWN else words
