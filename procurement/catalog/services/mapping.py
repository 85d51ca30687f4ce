"""Which product serves which SKU: drafted by one person, activated by another, retired but never deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from procurement.audit.services import record
from procurement.catalog import policies
from procurement.catalog.models import Mapping, Product, Sku
from procurement.catalog.queries.offers import Face, face_of_product, face_of_sku, offered_products
from procurement.catalog.states import MAPPING
from procurement.errors import DomainError, NotAllowed, StaleState
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition


@dataclass(frozen=True)
class MappingResult:
    """What became of one draft in an action on many: `sentence` is the reason when it was not `done`."""

    mapping: Mapping
    done: bool
    sentence: str = ""


def draft_mapping(*, by: User, sku: Sku, product: Product) -> Mapping:
    """Draft "this SKU is served by this product" for a second person to activate; an equal open one is returned.

    Raises NotAllowed, or Refused when they are not the same card or the pair is active already (R2, R3).
    """
    policies.check_can_draft(by, sku, product)
    present = Mapping.objects.filter(sku=sku, product=product, state__in=["draft", "active"]).order_by("state").first()
    if present:
        return present
    try:
        with transaction.atomic():
            return _add_drafts(by, [(sku, product)])[0]
    except IntegrityError:
        raise StaleState(f"Someone else drafted a mapping of {sku}. Nothing was drafted. Look at it first.") from None


def propose_all(*, by: User) -> list[Mapping]:
    """Draft a mapping for every active SKU and account that has none and exactly one product that is the same card.

    Doing it again drafts nothing new. SKUs with no product or several are left to a person.
    """
    check_can(by, Permission.MAPPING_DRAFT)
    try:
        with transaction.atomic():
            return _add_drafts(by, _missing_pairs())
    except IntegrityError:
        raise StaleState("Someone else drafted mappings. Nothing was drafted. Look at the list again.") from None


def _missing_pairs() -> list[tuple[Sku, Product]]:
    """Each active SKU with the one exact product of an account for which it has no draft and no active mapping."""
    offered: dict[Face, dict[UUID, list[Product]]] = defaultdict(lambda: defaultdict(list))
    for product in offered_products():
        offered[face_of_product(product)][product.account_id].append(product)
    taken = set(Mapping.objects.filter(state__in=["draft", "active"]).values_list("sku_id", "account_id"))
    pairs = []
    for sku in Sku.objects.filter(active=True).order_by("code"):
        for account_id, products in offered.get(face_of_sku(sku), {}).items():
            if len(products) == 1 and (sku.pk, account_id) not in taken:
                pairs.append((sku, products[0]))
    return pairs


def _add_drafts(by: User, pairs: Iterable[tuple[Sku, Product]]) -> list[Mapping]:
    """New numbered drafts with their audit rows, in the caller's transaction."""
    pairs = list(pairs)
    used = Mapping.objects.filter(sku__in={sku.pk for sku, _ in pairs})
    numbers = dict(used.values_list("sku").annotate(last=Max("number")))
    drafts = []
    for sku, product in pairs:
        numbers[sku.pk] = numbers.get(sku.pk, 0) + 1
        drafts.append(
            Mapping(sku=sku, product=product, account_id=product.account_id, number=numbers[sku.pk], drafted_by=by)
        )
    drafts = Mapping.objects.bulk_create(drafts)
    for draft in drafts:
        record("mapping.drafted", by=by, subject=draft, product=draft.product.external_id, sku=draft.sku.code)
    return drafts


def activate_mapping(*, by: User, mapping: Mapping) -> None:
    """Put a draft into use; the mapping it replaces at that account is retired in the same transaction.

    Raises NotAllowed, Refused (own draft, not the same card, product not offered) or StaleState; nothing changes then.
    """
    policies.check_can_activate(by, mapping)
    try:
        with transaction.atomic():
            _retire_previous(by, mapping)
            _move(mapping, "active", by, activated_by=by, activated_at=timezone.now())
    except IntegrityError:
        raise StaleState(
            f"Another mapping of {mapping.sku} was activated meanwhile. Nothing was changed. Look at it first."
        ) from None


def _retire_previous(by: User, mapping: Mapping) -> None:
    active = Mapping.objects.filter(sku=mapping.sku, account_id=mapping.account_id, state="active")
    for old in active.exclude(pk=mapping.pk).select_related("sku", "product"):
        _move(old, "retired", by, reason=f"Replaced by {mapping}", retired_at=timezone.now())


def _move(mapping: Mapping, to: str, by: User, reason: str = "", **changes: Any) -> None:
    facts = {"product": mapping.product.external_id, "sku": mapping.sku.code}
    transition(mapping, to, by=by, machine=MAPPING, reason=reason, facts=facts, **changes)


def activate_all_exact(*, by: User) -> list[MappingResult]:
    """Activate every draft by another person whose SKU and product are the same card; one result for each draft."""
    check_confirms(by, Permission.MAPPING_ACTIVATE)
    drafts = Mapping.objects.filter(state="draft").select_related("sku", "product", "account", "drafted_by")
    return [_try_activating(by, mapping) for mapping in drafts.order_by("sku__code", "number")]


def _try_activating(by: User, mapping: Mapping) -> MappingResult:
    """A draft that cannot be activated does not keep the others from it."""
    try:
        activate_mapping(by=by, mapping=mapping)
    except NotAllowed:
        raise
    except DomainError as refusal:
        return MappingResult(mapping, False, refusal.sentence)
    return MappingResult(mapping, True)


def retire_mapping(*, by: User, mapping: Mapping, reason: str = "") -> None:
    """End a draft or an active mapping; orders keep the version they were placed under."""
    policies.check_can_retire(by, mapping)
    _move(mapping, "retired", by, reason=reason, retired_at=timezone.now())
