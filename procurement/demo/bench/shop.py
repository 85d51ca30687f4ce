"""The shop of the scratch database: people, two supplier accounts, and a catalogue in which most SKUs are mapped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.utils import timezone

from procurement.approvals.models import ApprovalRule
from procurement.catalog.models import CatalogReading, Mapping, PriceObservation, Product, Sku
from procurement.catalog.regions import REGIONS
from procurement.staff.demo import SINCE
from procurement.staff.models import RoleGrant, User
from procurement.suppliers.models import ALPHA, PSNB2B, SupplierAccount

ROLES = ("buyer", "manager", "support", "finance", "second_manager")
FACES = (5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 75, 80, 100, 110, 120, 125, 150, 200, 250, 300)
# Region, currency, face value in minor units.
Card = tuple[str, str, int]
FEWEST_CARDS, MOST_CARDS = 24, 240


@dataclass(frozen=True)
class Shop:
    """What orders are made of."""

    people: dict[str, User]
    accounts: list[SupplierAccount]
    mappings: list[Mapping]
    ends: datetime


def open_shop(orders: int) -> Shop:
    """People, accounts, and as many cards as there are orders, within reason, each offered by both accounts."""
    people = {name: User.objects.create(username=f"bench_{name}", display_name=name.title()) for name in ROLES}
    roles = {name: name.removeprefix("second_") for name in ROLES}
    RoleGrant.objects.bulk_create(
        [RoleGrant(user=user, role=roles[name], granted_at=SINCE, settled_at=SINCE) for name, user in people.items()]
    )
    ApprovalRule.objects.create(currency="USD", order_limit_minor=500_00, daily_limit_minor=6_000_00)
    accounts = [
        SupplierAccount.objects.create(
            code=dialect,
            name=name,
            dialect=dialect,
            environment=settings.ENVIRONMENT,
            base_url="http://supplier.invalid/v1",
            settlement_currency="USD",
        )
        for dialect, name in ((ALPHA, "Alpha PSN"), (PSNB2B, "PSN:B2B"))
    ]
    now = timezone.now()
    CatalogReading.objects.bulk_create(
        [CatalogReading(account=account, read_at=now, tried_at=now) for account in accounts]
    )
    cards = list(islice(cards_sold(), max(FEWEST_CARDS, min(MOST_CARDS, orders))))
    mappings = write_catalogue(people, accounts, cards, now)
    return Shop(people, accounts, mappings, now - timedelta(minutes=5))


def cards_sold() -> Iterator[Card]:
    """(region, currency, face value in minor units), the first two of every region first."""
    sold = [region for region in REGIONS.values() if region.sold]
    for face in FACES:
        for region in sold:
            yield region.code, region.currencies[0], face * 100


def write_catalogue(
    people: dict[str, User], accounts: list[SupplierAccount], cards: list[Card], now: datetime
) -> list[Mapping]:
    """Products, SKUs and mappings; each SKU is mapped at one account, every twelfth is only drafted, every tenth not."""
    Sku.objects.bulk_create([sku_of(card) for card in cards])
    Product.objects.bulk_create([product(account, card, now) for account in accounts for card in cards])
    products = {(row.account_id, row.region, row.denomination_minor): row for row in Product.objects.all()}
    PriceObservation.objects.bulk_create(
        [price(row, now - timedelta(days=back)) for row in products.values() for back in range(3)]
    )
    for number, sku in enumerate(Sku.objects.order_by("pk")):
        account = accounts[number % 2]
        if number % 10 != 9:
            draft = number % 12 == 11
            Mapping.objects.create(
                sku=sku, product=products[account.pk, sku.region, sku.face_minor], account=account, number=1,
                state="draft" if draft else "active", drafted_by=people["buyer"],
                activated_by=None if draft else people["manager"], activated_at=None if draft else now,
            )  # fmt: skip
    return list(Mapping.objects.filter(state="active").select_related("sku", "product", "account").order_by("pk"))


def sku_of(card: Card) -> Sku:
    region, currency, face = card
    return Sku(
        code=f"PSN-{region}-{face}",
        title=f"Gift card {region} {face}",
        region=region,
        currency=currency,
        face_minor=face,
    )


def price(row: Product, at: datetime) -> PriceObservation:
    return PriceObservation(product=row, cost_minor=(row.cost_minor or 0) + at.day, cost_currency="USD", observed_at=at)


def product(account: SupplierAccount, card: Card, now: datetime) -> Product:
    region, currency, face = card
    return Product(
        account=account, external_id=f"{account.code}-{region}-{face}", name=f"PlayStation gift card {region} {face // 100}",
        region=region, currency=currency, denomination_minor=face, cost_minor=face * 9 // 10, cost_currency="USD",
        stock=face // 100, read_at=now,
    )  # fmt: skip
