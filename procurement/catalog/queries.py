"""What pages show of products, SKUs and mappings, with a number of queries that does not grow with the rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.conf import settings
from django.db.models import Case, Exists, F, OuterRef, Prefetch, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Upper
from django.utils import timezone

from ledger.money import format_amount
from procurement.catalog import policies, pricing
from procurement.catalog.models import CatalogReading, Mapping, PriceObservation, Product, Sku
from procurement.catalog.pricing import Change
from procurement.catalog.regions import ALIASES, canonical, spellings
from procurement.errors import DomainError
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import Status
from procurement.suppliers.models import SupplierAccount
from procurement.web.nav import nav_count

Face = tuple[str, str, int]
STALE_AFTER = timedelta(minutes=15)
QUOTE_ENDS_AFTER = timedelta(hours=24)

UNMAPPED = Status("Unmapped SKU", "attention", "buyer or manager")
DRAFT = Status("Draft", "attention", "a manager or admin other than its author")
ACTIVE = Status("Active", "good", "nobody")
CONFLICT = Status("Conflict", "bad", "buyer or manager")
NOT_SOLD = Status("Not sold", "neutral", "nobody")


def face_of_product(product: Product) -> Face:
    return canonical(product.region), product.currency, product.denomination_minor


def face_of_sku(sku: Sku) -> Face:
    return canonical(sku.region), sku.currency, sku.face_minor


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


# Freshness


@dataclass(frozen=True)
class Freshness:
    """How old one account's prices are: `state` is fresh, stale (over 15 minutes), old (over 24 hours) or never."""

    account: SupplierAccount
    read_at: datetime | None
    count: int
    problem: str
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
        return Freshness(account, None, 0, "", False, "never")
    waiting = bool(reading.asked_at and (reading.tried_at is None or reading.tried_at < reading.asked_at))
    return Freshness(account, reading.read_at, reading.count, reading.problem, waiting, _age(reading.read_at))


def _age(read_at: datetime | None) -> Literal["fresh", "stale", "old", "never"]:
    if read_at is None:
        return "never"
    age = timezone.now() - read_at
    return "fresh" if age <= STALE_AFTER else "stale" if age <= QUOTE_ENDS_AFTER else "old"


# Products


@dataclass(frozen=True)
class ProductRow:
    """One product as the list shows it; `mapping` is the active mapping an order would begin from."""

    product: Product
    stock: str
    share: str
    change: Change | None
    oddities: list[str]
    mappings: list[Mapping]

    @property
    def mapping(self) -> Mapping | None:
        return next((mapping for mapping in self.mappings if mapping.sku.active), None)


def products_for_list() -> QuerySet[Product]:
    """Products with their active mappings, and the last two costs observed (`changed_at`, `cost_before`)."""
    observed = PriceObservation.objects.filter(product=OuterRef("pk")).order_by("-observed_at", "-pk")
    active = Mapping.objects.filter(state="active").select_related("sku").order_by("sku__code")
    return (
        products_here()
        .annotate(
            changed_at=Subquery(observed.values("observed_at")[:1]),
            cost_before=Subquery(observed.values("cost_minor")[1:2]),
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


# SKUs and mappings


@dataclass(frozen=True)
class SkuRow:
    """One SKU as the list shows it: its drafts and active mappings, and in words what is wrong with them."""

    sku: Sku
    status: Status
    mappings: list[Mapping]
    words: list[str]


def _region_of_product() -> Case:
    """A product's region label as this project writes it, in SQL; the same as `regions.canonical`."""
    known = [When(product__region__iexact=alias, then=Value(code)) for alias, code in ALIASES.items()]
    return Case(*known, default=Upper("product__region"))


def conflicting_mappings() -> QuerySet[Mapping]:
    """Active mappings that can no longer be ordered from: another card than the SKU's, or not offered any more (R3)."""
    differs = ~Q(product_region=F("sku__region")) | ~Q(product__currency=F("sku__currency"))
    differs |= ~Q(product__denomination_minor=F("sku__face_minor")) | Q(product__active=False)
    return Mapping.objects.filter(state="active").annotate(product_region=_region_of_product()).filter(differs)


def skus_for_list() -> QuerySet[Sku]:
    """SKUs with what decides their status (`has_active`, `has_draft`, `has_conflict`) and their open mappings."""
    own = Mapping.objects.filter(sku=OuterRef("pk"))
    related = ("product", "account", "drafted_by", "activated_by")
    open_ones = Mapping.objects.exclude(state="retired").select_related(*related).order_by("account__name", "number")
    return Sku.objects.annotate(
        has_active=Exists(own.filter(state="active")),
        has_draft=Exists(own.filter(state="draft")),
        has_conflict=Exists(conflicting_mappings().filter(sku=OuterRef("pk"))),
    ).prefetch_related(Prefetch("mappings", queryset=open_ones))


NEEDS_WORK = Q(active=True) & (Q(has_conflict=True) | Q(has_draft=True) | Q(has_active=False))


def sku_rows(skus: Iterable[Sku]) -> list[SkuRow]:
    """Rows of one page, from what `skus_for_list` fetched."""
    return [sku_row(sku) for sku in skus]


def sku_row(sku: Sku) -> SkuRow:
    mappings = [mapping for mapping in sku.mappings.all() if mapping.state != "retired"]
    words = {mapping.pk: faults(sku, mapping) for mapping in mappings}
    status = _status(sku, mappings, any(words[mapping.pk] for mapping in mappings if mapping.state == "active"))
    return SkuRow(sku, status, mappings, [sentence for mapping in mappings for sentence in words[mapping.pk]])


def faults(sku: Sku, mapping: Mapping) -> list[str]:
    """Why a mapping cannot be ordered from, in clauses: differences, or a product that is gone."""
    gone = [] if mapping.product.active else [f"{mapping.product.external_id} is not offered any more"]
    return [*policies.differences(sku, mapping.product), *gone]


def _status(sku: Sku, mappings: Sequence[Mapping], conflict: bool) -> Status:
    states = {mapping.state for mapping in mappings}
    if conflict:
        return CONFLICT
    if not sku.active:
        return NOT_SOLD
    if "draft" in states:
        return DRAFT
    return ACTIVE if "active" in states else UNMAPPED


@dataclass(frozen=True)
class Comparison:
    """One field of "the label says / the product is"."""

    field: str
    label: str
    product: str
    same: bool


def compare(sku: Sku, product: Product) -> list[Comparison]:
    """SKU and product side by side, field by field."""
    says = format_amount(sku.face_minor, sku.currency)
    gives = format_amount(product.denomination_minor, product.currency)
    same_currency = sku.currency == product.currency
    return [
        Comparison("Region", sku.region, product.region, canonical(sku.region) == canonical(product.region)),
        Comparison("Currency", sku.currency, product.currency, same_currency),
        Comparison("Face value", says, gives, same_currency and sku.face_minor == product.denomination_minor),
    ]


@dataclass(frozen=True)
class MappingView:
    """A draft or active mapping on its SKU's page, with the sentence that keeps this person from an action, if any."""

    mapping: Mapping
    comparisons: list[Comparison]
    faults: list[str]
    activate_refusal: str
    retire_refusal: str


def mapping_view(user: User, mapping: Mapping) -> MappingView:
    """`mapping` needs its sku and product fetched."""
    return MappingView(
        mapping,
        compare(mapping.sku, mapping.product),
        faults(mapping.sku, mapping),
        _refusal(policies.check_can_activate, user, mapping) if mapping.state == "draft" else "",
        _refusal(policies.check_can_retire, user, mapping),
    )


def _refusal(check: Any, user: User, mapping: Mapping) -> str:
    try:
        check(user, mapping)
    except DomainError as refusal:
        return refusal.sentence
    return ""


def mappings_of(sku: Sku) -> list[Mapping]:
    """Every version, newest first."""
    related = ("sku", "product", "account", "drafted_by", "activated_by")
    return list(Mapping.objects.filter(sku=sku).select_related(*related).order_by("-number"))


@dataclass(frozen=True)
class MappingCounts:
    """Active SKUs by what they need, and how many drafts this person could activate."""

    sold: int
    needs_work: int
    unmapped: int
    conflicts: int
    drafts: int
    drafts_for_me: int


def mapping_counts(user: User) -> MappingCounts:
    """For the first line of the SKU list."""
    skus: QuerySet[Any] = skus_for_list().filter(active=True)
    return MappingCounts(
        sold=Sku.objects.filter(active=True).count(),
        needs_work=skus.filter(NEEDS_WORK).count(),
        unmapped=skus.filter(has_active=False, has_draft=False).count(),
        conflicts=skus.filter(has_conflict=True).count(),
        drafts=Mapping.objects.filter(state="draft").count(),
        drafts_for_me=drafts_for(user),
    )


@nav_count("catalog:sku_list")
def drafts_for(user: User) -> int:
    """Drafts by others that wait for this person, if they may activate at all."""
    if not user.can(Permission.MAPPING_ACTIVATE):
        return 0
    return Mapping.objects.filter(state="draft").exclude(drafted_by=user).count()
