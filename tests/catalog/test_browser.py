"""The catalogue in a real browser: no violation, no sideways scroll, with and without scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from procurement.catalog import services
from procurement.catalog.models import CatalogReading, PriceObservation, Sku, SkuImport
from procurement.catalog.services import refresh_products
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.browser import axe, expect, sign_in
from tests.catalog.conftest import FakeSupplier, make_account, make_mapping, make_product, make_sku, offer
from tests.conftest import make_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SAMPLE = Path(services.__file__).parent.parent / "sample"
PHONE = {"width": 360, "height": 800}


@pytest.fixture
def manager(transactional_db: None) -> User:
    return make_person("mia", "manager")


@pytest.fixture
def alpha(transactional_db: None) -> SupplierAccount:
    return make_account()


@pytest.fixture
def addresses(manager: User, alpha: SupplierAccount) -> list[str]:
    """Every page of the catalogue, with something on it."""
    buyer = make_person("ben", "buyer")
    product, other = make_product(alpha), make_product(alpha, "TR", 25000, "TRY")
    PriceObservation.objects.create(
        product=product, cost_minor=4400, cost_currency="USD", observed_at=timezone.now() - timedelta(days=9)
    )
    CatalogReading.objects.create(account=alpha, read_at=timezone.now(), count=2, problem="Alpha timed out.")
    make_mapping(make_sku(), product, drafted_by=buyer)
    draft = make_mapping(make_sku("TR", 25000, "TRY"), other, "draft", buyer)
    content = (SAMPLE / "storefront_skus_messy.csv").read_bytes()
    messy = services.dry_run(by=buyer, file_name="storefront_skus_messy.csv", content=content)
    return [
        reverse("catalog:product_list"),
        reverse("catalog:product_detail", args=[product.pk]),
        reverse("catalog:sku_list"),
        reverse("catalog:sku_detail", args=[draft.sku_id]),
        reverse("catalog:import_new"),
        reverse("catalog:import_detail", args=[messy.pk]),
    ]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible_and_fits_a_phone(
    new_page: Callable[..., Any], live_server: Any, manager: User, addresses: list[str], theme: str
) -> None:
    page = new_page(color_scheme=theme)
    sign_in(page, live_server, manager)
    for address in addresses:
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(live_server.url + address)
        axe(page)
        page.set_viewport_size(PHONE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address


@pytest.mark.parametrize("scripts", [True, False])
def test_a_list_is_uploaded_looked_at_and_imported(
    new_page: Callable[..., Any], live_server: Any, manager: User, scripts: bool
) -> None:
    page = new_page(java_script_enabled=scripts)
    sign_in(page, live_server, manager)
    page.goto(live_server.url + reverse("catalog:import_new"))
    page.set_input_files("input[type=file]", str(SAMPLE / "storefront_skus_messy.csv"))
    page.get_by_role("button", name="Check list").click()
    expect(page.locator("#line-4")).to_contain_text("EU is no region")
    assert not Sku.objects.exists()
    page.get_by_role("button", name="Import 4 lines").click()
    expect(page.locator(".lead")).to_contain_text("4 added")
    assert Sku.objects.count() == 4
    assert SkuImport.objects.get().applied_by == manager


def test_the_page_shows_new_prices_when_the_worker_has_read_them(
    page: Any, live_server: Any, manager: User, alpha: SupplierAccount, supplier: FakeSupplier
) -> None:
    make_product(alpha)
    supplier.offers = [offer(cost=4768)]
    sign_in(page, live_server, manager)
    page.goto(live_server.url + reverse("catalog:product_list"))
    page.get_by_role("button", name="Refresh now").click()
    expect(page.locator("#freshness")).to_contain_text("waiting for the answer")
    refresh_products(alpha)
    expect(page.locator("#list")).to_contain_text("47.68", timeout=10_000)
    expect(page.locator("#freshness")).not_to_contain_text("waiting")


def test_a_second_person_activates_from_the_sku_page(
    page: Any, live_server: Any, manager: User, alpha: SupplierAccount
) -> None:
    mapping = make_mapping(make_sku(), make_product(alpha), "draft", make_person("ben", "buyer"))
    sign_in(page, live_server, manager)
    page.goto(live_server.url + reverse("catalog:sku_detail", args=[mapping.sku_id]))
    page.get_by_role("button", name="Activate version 1").click()
    expect(page.locator(".page-title .badge")).to_have_text("Active")
    mapping.refresh_from_db()
    assert mapping.activated_by == manager
