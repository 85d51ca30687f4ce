"""Reading a supplier's product list and keeping what it says; a failed reading leaves the last good prices in place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from ledger.money import format_amount
from procurement.audit.services import record
from procurement.catalog.models import CatalogReading, PriceObservation, Product
from procurement.errors import Refused
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.clients import SupplierProblem, client_for
from procurement.suppliers.clients.types import ProductOffer
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.states import PAUSED
from procurement.work.services import make_due

KIND = "catalog.refresh"
IDENTITY = ("region", "currency", "denomination_minor")
WRITTEN = (*IDENTITY, "name", "active", "cost_minor", "cost_currency", "stock", "read_at", "quoted_until")


@dataclass(frozen=True)
class RefreshResult:
    """What one reading held, and what it changed. `gone` are products the supplier no longer lists."""

    count: int
    added: int
    repriced: int
    changed: int
    gone: int

    @property
    def moved(self) -> bool:
        """Whether the reading says anything new."""
        return bool(self.added or self.repriced or self.changed or self.gone)


def ask_refresh(*, by: User) -> list[SupplierAccount]:
    """Make a reading of every account due now and return the accounts; a worker calls them, not this request."""
    check_can(by, Permission.CATALOG_REFRESH)
    accounts = list(SupplierAccount.objects.filter(environment=settings.ENVIRONMENT).exclude(state=PAUSED))
    if not accounts:
        raise Refused(
            "No supplier account can be asked. Nothing was changed. An administrator connects or resumes one."
        )
    with transaction.atomic():
        for account in accounts:
            asked = {"asked_at": timezone.now(), "asked_by": by}
            CatalogReading.objects.update_or_create(account=account, defaults=asked)
            make_due(KIND, str(account.pk))
    return accounts


def refresh_products(account: SupplierAccount, by: User | None = None) -> RefreshResult:
    """Read the account's products and prices and keep them (R1, R4, R7); the call is outside any transaction.

    Raises SupplierProblem when the supplier cannot be read and Refused for a list that cannot be true; the last good
    prices then stay, and the failure is noted for the page.
    """
    began = timezone.now()
    try:
        offers = client_for(account).list_products()
        _check_list(account, offers)
    except (SupplierProblem, Refused) as problem:
        note_problem(account, problem.sentence, began)
        raise
    with transaction.atomic():
        if not _claim(account, began, len(offers)):
            return RefreshResult(len(offers), 0, 0, 0, 0)
        result = _store(account, offers, began)
        asked_by = by or _asked_by(account)
        if asked_by or result.moved:
            facts = asdict(result)
            record("catalog.refreshed", by=asked_by, subject=account, **facts)
    return result


def note_problem(account: SupplierAccount, sentence: str, at: datetime) -> None:
    """Keep why the latest attempt failed (R7); products and prices stay as they are."""
    CatalogReading.objects.update_or_create(account=account, defaults={"tried_at": at, "problem": sentence[:300]})


def _check_list(account: SupplierAccount, offers: Sequence[ProductOffer]) -> None:
    """An empty list, or one key for two products, is an error of the supplier's, not a catalogue."""
    if not offers and Product.objects.filter(account=account, active=True).exists():
        raise Refused(f"{account} listed no products at all. The last products and prices stay. Ask the supplier.")
    twice = [key for key, count in Counter(offer.external_id for offer in offers).items() if count > 1]
    if twice:
        raise Refused(f"{account} listed {twice[0]} twice. The last products and prices stay. Ask the supplier.")
    if any(offer.denomination <= 0 or offer.unit_cost < 0 for offer in offers):
        raise Refused(f"{account} listed a card without a value. The last products and prices stay. Ask the supplier.")


def _claim(account: SupplierAccount, began: datetime, count: int) -> bool:
    """Of two readings the one that began later is kept: the other finds a newer `read_at` and writes nothing."""
    CatalogReading.objects.get_or_create(account=account)
    older = Q(read_at__isnull=True) | Q(read_at__lt=began)
    reading = CatalogReading.objects.filter(older, account=account)
    return reading.update(read_at=began, tried_at=began, problem="", count=count) == 1


def _asked_by(account: SupplierAccount) -> User | None:
    """The person whose wish this reading answers, told once."""
    reading = CatalogReading.objects.select_related("asked_by").get(account=account)
    if reading.asked_by_id:
        CatalogReading.objects.filter(account=account).update(asked_by=None)
    return reading.asked_by


def _store(account: SupplierAccount, offers: Sequence[ProductOffer], began: datetime) -> RefreshResult:
    known = {product.external_id: product for product in Product.objects.filter(account=account)}
    read = [_product(account, offer, began) for offer in offers]
    changed = [product for product in read if _identity_moved(known.get(product.external_id), product)]
    repriced = {product.external_id for product in read if _cost_moved(known.get(product.external_id), product)}
    kept = Product.objects.bulk_create(
        read, update_conflicts=True, unique_fields=["account", "external_id"], update_fields=WRITTEN
    )
    PriceObservation.objects.bulk_create(
        [_observation(product, began) for product in kept if product.external_id in repriced]
    )
    listed = {product.external_id for product in read}
    gone = [product.pk for key, product in known.items() if product.active and key not in listed]
    Product.objects.filter(pk__in=gone).update(active=False)
    for product in changed:
        before = known[product.external_id]
        what = f"{_face(before)} → {_face(product)}"
        record("product.changed", by=None, subject=before, source="supplier", what=what)
    added = len(listed - known.keys())
    return RefreshResult(len(read), added, len(repriced) - added, len(changed), len(gone))


def _product(account: SupplierAccount, offer: ProductOffer, began: datetime) -> Product:
    """The supplier's words as they are: its key and its region label are never rewritten (R1, R4)."""
    return Product(
        account=account,
        external_id=offer.external_id,
        name=offer.name,
        region=offer.region,
        currency=offer.currency,
        denomination_minor=offer.denomination,
        active=True,
        cost_minor=offer.unit_cost,
        cost_currency=offer.cost_currency,
        stock=offer.stock,
        read_at=began,
        quoted_until=offer.quoted_until,
        first_seen_at=began,
    )


def _identity_moved(before: Product | None, after: Product) -> bool:
    return before is not None and any(getattr(before, name) != getattr(after, name) for name in IDENTITY)


def _cost_moved(before: Product | None, after: Product) -> bool:
    return before is None or (before.cost_minor, before.cost_currency) != (after.cost_minor, after.cost_currency)


def _face(product: Product) -> str:
    return f"{product.region} {format_amount(product.denomination_minor, product.currency)} {product.currency}"


def _observation(product: Product, at: datetime) -> PriceObservation:
    return PriceObservation(
        product=product,
        cost_minor=product.cost_minor or 0,
        cost_currency=product.cost_currency,
        stock=product.stock,
        observed_at=at,
    )
