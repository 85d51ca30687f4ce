"""What is on offer here, and which offers are the same card as a SKU."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Case, QuerySet, Value, When

from procurement.catalog.models import Product, Sku
from procurement.catalog.regions import REGION_RANKS, canonical, spellings
from procurement.suppliers.models import SupplierAccount

Face = tuple[str, str, int]


def face_of_product(product: Product) -> Face:
    return canonical(product.region), product.currency, product.denomination_minor


def face_of_sku(sku: Sku) -> Face:
    return canonical(sku.region), sku.currency, sku.face_minor


def region_rank() -> Case:
    """Regions in the storefront's order, labels nobody knows last."""
    known = [When(region=label, then=Value(rank)) for label, rank in REGION_RANKS.items()]
    return Case(*known, default=Value(len(REGION_RANKS)))


def accounts_here() -> QuerySet[SupplierAccount]:
    """Accounts of this installation's environment: sandbox and production are never shown together (R108)."""
    return SupplierAccount.objects.filter(environment=settings.ENVIRONMENT)


def products_here() -> QuerySet[Product]:
    """Products of this environment's accounts, with their account."""
    return Product.objects.filter(account__environment=settings.ENVIRONMENT).select_related("account")


def offered_products() -> QuerySet[Product]:
    """Products that a supplier lists now."""
    return products_here().filter(active=True)


def propose(sku: Sku) -> list[Product]:
    """The offered products that are exactly this card: same region, currency and denomination (R3)."""
    same = offered_products().filter(currency=sku.currency, denomination_minor=sku.face_minor)
    return list(same.filter(region__in=spellings(canonical(sku.region))).order_by("account__name", "external_id"))


def nearest(sku: Sku, most: int = 4) -> list[Product]:
    """Offered products of the same region and currency with the closest denominations, for a SKU nobody serves."""
    same = offered_products().filter(currency=sku.currency, region__in=spellings(canonical(sku.region)))
    return sorted(same, key=lambda product: abs(product.denomination_minor - sku.face_minor))[:most]
