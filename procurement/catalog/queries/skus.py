"""SKUs and their mappings as pages show them, with a number of queries that does not grow with the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Exists, F, OuterRef, Prefetch, Q, QuerySet, Value, When
from django.db.models.functions import Upper

from ledger.money import format_amount
from procurement.catalog import policies
from procurement.catalog.models import Mapping, Product, Sku
from procurement.catalog.queries.offers import region_rank
from procurement.catalog.regions import ALIASES, canonical
from procurement.errors import DomainError
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import Status
from procurement.web.nav import nav_count

UNMAPPED = Status("Unmapped SKU", "attention", "buyer or manager")
DRAFT = Status("Draft", "attention", "a manager or admin other than its author")
ACTIVE = Status("Active", "good", "nobody")
CONFLICT = Status("Conflict", "bad", "buyer or manager")
NOT_SOLD = Status("Not sold", "neutral", "nobody")


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
        region_rank=region_rank(),
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


def _refusal(check: Callable[[User, Mapping], None], user: User, mapping: Mapping) -> str:
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
