"""Products and prices: what can be bought now, at what cost, and whether that is dearer than before."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.queries import timeline_for
from procurement.catalog import services
from procurement.catalog.exporting import exporter
from procurement.catalog.lists import major, product_spec
from procurement.catalog.models import Product
from procurement.catalog.queries import products as queries
from procurement.errors import Missing
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.exports import FORMATS
from procurement.web.http import Request, see_other
from procurement.web.lists import build_listing, in_words, list_page

# Views that hold more than one region.
MIXED = ("all", "gone")


@requires(Permission.CATALOG_VIEW)
@require_GET
def product_list(request: Request) -> HttpResponseBase:
    """Every product on offer by region; costs only for those who may see them (R7)."""
    with_cost = may(request.user, Permission.COST_VIEW)
    spec, rows = product_spec(with_cost), queries.products_for_list()
    if request.GET.get("format") in FORMATS:
        return list_page(request, spec, rows, "catalog/product_list.html", on_export=exporter(request, "products"))
    listing = build_listing(request, spec, rows)
    context = {
        "listing": listing,
        "rows": queries.product_rows(listing.rows),
        "grouped": listing.sort == "region" and listing.view in MIXED,
        "with_region": listing.sort != "region" and listing.view in MIXED,
        "with_cost": with_cost,
        "may_order": may(request.user, Permission.ORDER_CREATE),
        "may_refresh": may(request.user, Permission.CATALOG_REFRESH),
        "freshness": (lines := queries.freshness()),
        "waiting": any(line.waiting for line in lines),
    }
    return render(request, "catalog/product_list.html", context)


def get_product(pk: int) -> Product:
    """A product of this environment; Missing else."""
    product = queries.products_for_list().filter(pk=pk).first()
    if product is None:
        raise Missing("There is no such product here. Nothing was changed. Look for it among the products.")
    return product


@requires(Permission.CATALOG_VIEW)
@require_GET
def product_detail(request: Request, pk: int) -> HttpResponse:
    """One product: its cost over time, the same card at the other suppliers, and what it serves."""
    product = get_product(pk)
    with_cost = may(request.user, Permission.COST_VIEW)
    history = queries.price_history(product) if with_cost else []
    alternatives = queries.same_face(product)
    context = {
        "item": product,
        "row": next(row for row in alternatives if row.product.pk == product.pk),
        "alternatives": alternatives,
        "history": history,
        "points": _points(product, history),
        "with_cost": with_cost,
        "may_order": may(request.user, Permission.ORDER_CREATE),
        "entries": timeline_for(product, limit=20),
    }
    return render(request, "catalog/product_detail.html", context)


def _points(product: Product, history: list[queries.PricePoint]) -> list[tuple[str, float]]:
    """The costs of the drawing, oldest first, up to the last reading; none when the cost never moved."""
    seen = [
        point.observation for point in reversed(history) if point.observation.cost_currency == product.cost_currency
    ]
    if len(seen) < 2 or product.read_at is None:
        return []
    points = [(_day(one.observed_at), major(one.cost_minor, one.cost_currency)) for one in seen]
    return [*points, (_day(product.read_at), major(product.cost_minor or 0, product.cost_currency))]


def _day(at: datetime) -> str:
    return f"{at.astimezone(UTC).day} {at.astimezone(UTC):%b}"


@requires(Permission.CATALOG_REFRESH)
@require_POST
def refresh(request: Request) -> HttpResponse:
    """Ask every supplier for its products; a worker does it, this request does not wait."""
    accounts = services.ask_refresh(by=request.user)
    names = in_words(str(account) for account in accounts)
    messages.info(
        request, f"{names} will be asked for products and prices in a moment. The last good prices stay until then."
    )
    return see_other(request, "catalog:product_list")
