"""Accounts, products and SKUs that catalogue tests share, and a supplier that answers without a network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from procurement.catalog.models import Mapping, PriceObservation, Product, Sku
from procurement.staff.models import User
from procurement.suppliers.clients.types import ProductOffer
from procurement.suppliers.models import SupplierAccount


def make_account(code: str = "alpha", **fields: Any) -> SupplierAccount:
    facts = {"name": code.title(), "dialect": "alpha", "base_url": "http://127.0.0.1:9", "settlement_currency": "USD"}
    return SupplierAccount.objects.create(code=code, **(facts | fields))


def make_product(
    account: SupplierAccount,
    region: str = "US",
    face: int = 5000,
    currency: str = "USD",
    cost: int = 4620,
    *,
    key: str = "",
    stock: int | None = 100,
    at: datetime | None = None,
) -> Product:
    at = at or timezone.now()
    product = Product.objects.create(
        account=account,
        external_id=key or f"psn-{region.lower()}-{face // 100}",
        name=f"PSN {region} {face // 100}",
        region=region,
        currency=currency,
        denomination_minor=face,
        cost_minor=cost,
        cost_currency="USD",
        stock=stock,
        read_at=at,
    )
    PriceObservation.objects.create(product=product, cost_minor=cost, cost_currency="USD", stock=stock, observed_at=at)
    return product


def make_sku(
    region: str = "US", face: int = 5000, currency: str = "USD", *, code: str = "", active: bool = True
) -> Sku:
    code = code or f"PSN-{region}-{face // 100}"
    return Sku.objects.create(
        code=code, title=f"Card {face // 100}", region=region, currency=currency, face_minor=face, active=active
    )


def make_mapping(sku: Sku, product: Product, state: str = "active", drafted_by: User | None = None) -> Mapping:
    number = Mapping.objects.filter(sku=sku).count() + 1
    return Mapping.objects.create(
        sku=sku, product=product, account=product.account, number=number, state=state, drafted_by=drafted_by
    )


def offer(
    key: str = "psn-us-50", region: str = "US", face: int = 5000, cost: int = 4620, **fields: object
) -> ProductOffer:
    facts: dict[str, Any] = {"currency": "USD", "cost_currency": "USD", "stock": 100}
    return ProductOffer(
        external_id=key, name=f"PSN {key}", region=region, denomination=face, unit_cost=cost, **(facts | fields)
    )


class FakeSupplier:
    """Answers `list_products` with `offers`, or raises `problem`."""

    def __init__(self) -> None:
        self.offers: list[ProductOffer] = []
        self.problem: Exception | None = None
        self.meanwhile: Callable[[], object] | None = None

    def list_products(self) -> tuple[ProductOffer, ...]:
        if self.meanwhile:
            self.meanwhile()
        if self.problem:
            raise self.problem
        return tuple(self.offers)


@pytest.fixture
def supplier(monkeypatch: pytest.MonkeyPatch) -> FakeSupplier:
    fake = FakeSupplier()
    monkeypatch.setattr("procurement.catalog.services.refreshing.client_for", lambda account: fake)
    return fake


@pytest.fixture
def account(db: None) -> SupplierAccount:
    return make_account()


@pytest.fixture
def other_account(db: None) -> SupplierAccount:
    return make_account("psnb2b", name="PSN:B2B", dialect="psnb2b")
