"""Products and prices as pages show them, with a number of queries that does not grow with the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import OuterRef, Prefetch, Q, QuerySet, Subquery
from django.utils import timezone

from procurement.catalog import pricing
from procurement.catalog.models import CatalogReading, Mapping, PriceObservation, Product
from procurement.catalog.policies import differences
from procurement.catalog.pricing import Change, Oddity
from procurement.catalog.queries.offers import accounts_here, products_here, region_rank
from procurement.catalog.regions import canonical, spellings
from procurement.suppliers.models import SupplierAccount

STALE_AFTER = timedelta(minutes=15)
QUOTE_ENDS_AFTER = timedelta(hours=24)
# A wish that nobody answered for so long means that no worker runs.
UNANSWERED_AFTER = timedelta(minutes=2)


@dataclass(frozen=True)
class Freshness:
    """How old one account's prices are: `state` is fresh, stale (over 15 minutes), old (over 24 hours) or never.

    `asked_at` is a wish for a refresh not answered yet; `waiting`: its answer is still to be expected.
    """

    account: SupplierAccount
    read_at: datetime | None
    count: int
    problem: str
    asked_at: datetime | None
    waiting: bool
    state: Literal["fresh", "stale", "old", "never"]

    @property
    def tone(self) -> str:
        return {"fresh": "good", "stale": "attention", "old": "bad", "never": "attention"}[self.state]


def freshness() -> list[Freshness]:
    """The last reading of every account, in two queries (R7, R10)."""
    readings = {reading.account_id: reading for reading in CatalogReading.objects.all()}
    return [_freshness(account, readings.get(account.pk)) for account in accounts_here()]


def _freshness(account: SupplierAccount, reading: CatalogReading | None) -> Freshness:
    if reading is None:
        return Freshness(account, None, 0, "", None, False, "never")
    answered = reading.asked_at is None or (reading.tried_at is not None and reading.tried_at >= reading.asked_at)
    asked_at = None if answered else reading.asked_at
    waiting = asked_at is not None and timezone.now() - asked_at < UNANSWERED_AFTER
    return Freshness(account, reading.read_at, reading.count, reading.problem, asked_at, waiting, _age(reading.read_at))


def _age(read_at: datetime | None) -> Literal["fresh", "stale", "old", "never"]:
    if read_at is None:
        return "never"
    age = timezone.now() - read_at
    return "fresh" if age <= STALE_AFTER else "stale" if age <= QUOTE_ENDS_AFTER else "old"


@dataclass(frozen=True)
class ProductRow:
    """One product as the list shows it; `mapping` is the active mapping of the same card an order would begin from."""

    product: Product
    stock: str
    share: str
    change: Change | None
    oddities: list[Oddity]
    mappings: list[Mapping]

    @property
    def mapping(self) -> Mapping | None:
        fitting = (one for one in self.mappings if one.sku.active and not differences(one.sku, self.product))
        return next(fitting, None)


def products_for_list() -> QuerySet[Product]:
    """Products with their active mappings, and the last two costs observed (`changed_at`, `cost_before`)."""
    observed = PriceObservation.objects.filter(product=OuterRef("pk")).order_by("-observed_at", "-pk")
    active = Mapping.objects.filter(state="active").select_related("sku").order_by("sku__code")
    return (
        products_here()
        .annotate(
            changed_at=Subquery(observed.values("observed_at")[:1]),
            cost_before=Subquery(observed.values("cost_minor")[1:2]),
            region_rank=region_rank(),
            currency_before=Subquery(observed.values("cost_currency")[1:2]),
        )
        .prefetch_related(Prefetch("mappings", queryset=active))
    )


def product_rows(products: Sequence[Product]) -> list[ProductRow]:
    """Rows of one page, in one more query for the neighbours that show whether a cost is out of line."""
    peers = _peers(products)
    return [
        ProductRow(
            product=product,
            stock=pricing.stock_words(product.stock),
            share=pricing.share_of_face(product),
            change=_last_change(product),
            oddities=pricing.oddities(product, peers[_price_group(product)]),
            mappings=list(product.mappings.all()),
        )
        for product in products
    ]


def _price_group(product: Product) -> tuple[Any, ...]:
    return product.account_id, product.region, product.currency, product.cost_currency


def _peers(products: Sequence[Product]) -> dict[tuple[Any, ...], list[Product]]:
    groups: dict[tuple[Any, ...], list[Product]] = defaultdict(list)
    found = Product.objects.filter(
        active=True,
        account__in={product.account_id for product in products},
        region__in={product.region for product in products},
    )
    for product in found:
        groups[_price_group(product)].append(product)
    return groups


def _last_change(product: Product) -> Change | None:
    before, since = getattr(product, "cost_before", None), getattr(product, "changed_at", None)
    comparable = getattr(product, "currency_before", "") == product.cost_currency
    if before is None or since is None or product.cost_minor is None or not comparable:
        return None
    return Change(before, product.cost_minor, product.cost_currency, since)


@dataclass(frozen=True)
class PricePoint:
    """One observed cost with how it moved from the one before."""

    observation: PriceObservation
    change: Change | None


def price_history(product: Product, most: int = 60) -> list[PricePoint]:
    """Every change of a product's cost, newest first."""
    seen = list(PriceObservation.objects.filter(product=product).order_by("-observed_at", "-pk")[: most + 1])
    points = []
    for now, before in zip(seen, [*seen[1:], None], strict=True):
        points.append(PricePoint(now, _moved(before, now)))
    return points[:most]


def _moved(before: PriceObservation | None, now: PriceObservation) -> Change | None:
    if before is None or before.cost_currency != now.cost_currency or before.cost_minor == now.cost_minor:
        return None
    return Change(before.cost_minor, now.cost_minor, now.cost_currency, now.observed_at)


def same_face(product: Product) -> list[ProductRow]:
    """The same card at every supplier that offers it, this product among them, cheapest first."""
    same = products_for_list().filter(
        Q(active=True) | Q(pk=product.pk),
        currency=product.currency,
        denomination_minor=product.denomination_minor,
        region__in=spellings(canonical(product.region)),
    )
    return product_rows(list(same.order_by("cost_currency", "cost_minor", "pk")))
