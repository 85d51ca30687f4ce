"""What the product list and the SKU list offer: views, filters, sorting, columns of their exports."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from ledger.money import EXPONENTS, decimal_amount, exponent
from procurement.catalog import pricing
from procurement.catalog.models import Mapping, Product, Sku
from procurement.catalog.queries.offers import accounts_here, products_here
from procurement.catalog.queries.skus import NEEDS_WORK
from procurement.catalog.regions import REGION_RANKS, REGIONS, name_of
from procurement.staff.permissions import Permission
from procurement.web.lists import Column, Filter, ListSpec, Tab

RANGE = re.compile(r"(?P<low>[0-9]{1,9})(?:\s*[-–]\s*(?P<high>[0-9]{1,9}))?")
STOCK = {
    "some": Q(stock__gt=0),
    "low": Q(stock__gt=0, stock__lt=pricing.LOW_STOCK),
    "none": Q(stock__lte=0),
    "unknown": Q(stock__isnull=True),
}
STOCK_CHOICES = [("some", "In stock"), ("low", "Low"), ("none", "None"), ("unknown", "Not known")]
CHANGED = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}
CHANGED_CHOICES = [("1", "Last 24 hours"), ("7", "Last 7 days"), ("30", "Last 30 days")]


def account_choices() -> list[tuple[str, str]]:
    return list(accounts_here().values_list("code", "name"))


def by_face(field: str, text: str) -> Q:
    """`50` or `20-100` in major units, whatever the currency; text that is no number matches everything."""
    found = RANGE.fullmatch(text.replace(",", "").strip())
    if not found:
        return Q()
    low, high = int(found["low"]), int(found["high"] or found["low"])
    special = {code: places for code, places in EXPONENTS.items() if places != 2}
    match = ~Q(currency__in=special) & _between(field, low, high, 2)
    for places in set(special.values()):
        codes = [code for code, its in special.items() if its == places]
        match |= Q(currency__in=codes) & _between(field, low, high, places)
    return match


def _between(field: str, low: int, high: int, places: int) -> Q:
    return Q(**{f"{field}__gte": low * 10**places, f"{field}__lte": high * 10**places})


def changed_within(rows: QuerySet[Any], days: str) -> QuerySet[Any]:
    """Products whose cost moved; a product that was only seen for the first time has not."""
    return rows.filter(cost_before__isnull=False, changed_at__gte=timezone.now() - CHANGED[days])


def product_search(rows: QuerySet[Product], text: str) -> QuerySet[Product]:
    serving = Mapping.objects.filter(state="active", sku__code__icontains=text)
    return rows.filter(Q(name__icontains=text) | Q(external_id__icontains=text) | Q(pk__in=serving.values("product")))


PRODUCT_FILTERS: list[Filter[Product]] = [
    Filter("q", "Search", product_search, kind="text", placeholder="Product or SKU"),
    Filter("supplier", "Supplier", lambda rows, code: rows.filter(account__code=code), choices=account_choices),
    Filter(
        "face",
        "Face value",
        lambda rows, text: rows.filter(by_face("denomination_minor", text)),
        kind="text",
        placeholder="50 or 20-100",
    ),
    Filter("stock", "Stock", lambda rows, word: rows.filter(STOCK[word]), choices=STOCK_CHOICES),
]
CHANGED_FILTER: Filter[Product] = Filter(
    "changed", "Cost changed", changed_within, choices=CHANGED_CHOICES, any_label="Any time"
)


def _sku_codes(product: Product) -> str:
    return " ".join(mapping.sku.code for mapping in product.mappings.all())


PRODUCT_COLUMNS: list[Column[Product]] = [
    Column("product", lambda product: product.external_id),
    Column("name", lambda product: product.name),
    Column("supplier", lambda product: product.account.name),
    Column("region", lambda product: product.region),
    Column("currency", lambda product: product.currency),
    Column("face value", lambda product: decimal_amount(product.denomination_minor, product.currency)),
    Column("stock", lambda product: product.stock),
    Column("read at", lambda product: product.read_at),
    Column("SKUs", _sku_codes),
]


def _cost(product: Product) -> Decimal | None:
    return None if product.cost_minor is None else decimal_amount(product.cost_minor, product.cost_currency)


COST_COLUMNS: list[Column[Product]] = [
    Column("cost", _cost),
    Column("cost currency", lambda product: product.cost_currency),
    Column("share of face", pricing.share_of_face),
]


def region_tabs() -> list[Tab]:
    """All, then each region on offer in the storefront's order, then what is not offered any more."""
    offered = set(products_here().filter(active=True).values_list("region", flat=True))
    labels = sorted(offered, key=lambda label: (REGION_RANKS.get(label, len(REGION_RANKS)), label))
    tabs = [Tab("all", "All", Q(active=True), counted=True)]
    tabs += [Tab(label.lower(), label, Q(active=True, region=label), counted=True) for label in labels]
    return [*tabs, Tab("gone", "Not offered", Q(active=False), counted=True)]


def product_spec(with_cost: bool) -> ListSpec[Product]:
    """Without the permission, cost is neither shown nor filtered, sorted or exported."""
    sorts = {
        "region": ["region_rank", "region", "currency", "denomination_minor", "account__name"],
        "face": ["denomination_minor"],
        "supplier": ["account__name", "region_rank", "region", "denomination_minor"],
        "stock": ["stock"],
    }
    costs = {"cost": ["cost_minor"], "changed": ["changed_at"]}
    return ListSpec(
        noun="product",
        nouns="products",
        sorts=sorts | costs if with_cost else sorts,
        default_sort="region",
        tabs=region_tabs(),
        filters=[*PRODUCT_FILTERS, CHANGED_FILTER] if with_cost else PRODUCT_FILTERS,
        columns=PRODUCT_COLUMNS + (COST_COLUMNS if with_cost else []),
        export_permission=Permission.CATALOG_VIEW,
    )


def sku_search(rows: QuerySet[Sku], text: str) -> QuerySet[Sku]:
    return rows.filter(Q(code__icontains=text) | Q(title__icontains=text))


def mapped_at(rows: QuerySet[Sku], code: str) -> QuerySet[Sku]:
    """SKUs with a draft or an active mapping at that supplier account."""
    open_ones = Mapping.objects.exclude(state="retired").filter(account__code=code)
    return rows.filter(pk__in=open_ones.values("sku"))


# Sold, with an active mapping and none that no longer fits.
FULLY_MAPPED = Q(active=True, has_active=True, has_conflict=False)


def sku_region_choices() -> list[tuple[str, str]]:
    codes = set(Sku.objects.values_list("region", flat=True).distinct())
    return [(code, f"{code} {name_of(code)}") for code in [*REGIONS, *sorted(codes - REGIONS.keys())] if code in codes]


def _open_mappings(sku: Sku, state: str) -> str:
    return " ".join(mapping.product.external_id for mapping in sku.mappings.all() if mapping.state == state)


SKUS: ListSpec[Sku] = ListSpec(
    noun="SKU",
    nouns="SKUs",
    sorts={"sku": ["code"], "face": ["region_rank", "region", "currency", "face_minor"], "updated": ["updated_at"]},
    default_sort="face",
    tabs=[
        Tab("needs", "Needs work", NEEDS_WORK, counted=True),
        Tab("active", "Active", FULLY_MAPPED, counted=True),
        Tab("off", "Not sold", Q(active=False), counted=True),
        Tab("all", "All", counted=True),
    ],
    filters=[
        Filter("q", "Search", sku_search, kind="text", placeholder="SKU or title"),
        Filter("region", "Region", lambda rows, code: rows.filter(region=code), choices=sku_region_choices),
        Filter(
            "face",
            "Face value",
            lambda rows, text: rows.filter(by_face("face_minor", text)),
            kind="text",
            placeholder="50 or 20-100",
        ),
        Filter("supplier", "Supplier", mapped_at, choices=account_choices),
    ],
    columns=[
        Column("SKU", lambda sku: sku.code),
        Column("title", lambda sku: sku.title),
        Column("region", lambda sku: sku.region),
        Column("currency", lambda sku: sku.currency),
        Column("face value", lambda sku: decimal_amount(sku.face_minor, sku.currency)),
        Column("sold", lambda sku: sku.active),
        Column("active mapping", lambda sku: _open_mappings(sku, "active")),
        Column("draft", lambda sku: _open_mappings(sku, "draft")),
    ],
    export_permission=Permission.MAPPING_VIEW,
)


def major(minor: int, currency: str) -> float:
    """Major units for the height of a drawn point; never for reckoning."""
    return minor / 10 ** exponent(currency)
