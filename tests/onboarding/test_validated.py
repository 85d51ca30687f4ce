"""A live account orders a product only as a probe of the sandbox saw it: the file from one installation to the other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.catalog.models import ValidatedProduct
from procurement.catalog.services.validating import fields_of, take_in_validated
from procurement.errors import NotAllowed, Refused
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.web.once import new_token
from tests.onboarding.conftest import probed
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def go_live(shop: Shop, settings: Any) -> Callable[[], SupplierAccount]:
    """Turn the shop into a live installation; what was read and mapped stays."""

    def change() -> SupplierAccount:
        settings.ENVIRONMENT = "live"
        SupplierAccount.objects.filter(code="alpha").update(environment="live")
        for mapping in shop.mappings.values():
            mapping.refresh_from_db()
        return SupplierAccount.objects.get(code="alpha")

    return change


def file_of(account: SupplierAccount, **changes: Any) -> bytes:
    """A file as a probe writes it, with some of its facts changed."""
    facts = {
        "dialect": account.dialect,
        "account": account.code,
        "probe": "a-probe",
        "validated_at": str(timezone.now()),
    }
    products = [fields.model_dump() for fields in fields_of(list(account.products.all()))]
    return json.dumps({**facts, "products": products, **changes}).encode()


@pytest.mark.requirement("R5")
def test_a_live_order_waits_for_the_file_of_a_probe_that_passed(
    shop: Shop, admin: User, buyer: User, go_live: Callable[[], SupplierAccount]
) -> None:
    run = probed(shop, "alpha")
    client = Client()
    client.force_login(admin)
    taken = client.get(f"/probes/{run.pk}/products.json")
    orders = Order.objects.count()
    account = go_live()

    with pytest.raises(Refused, match="was not validated in the supplier's sandbox"):
        shop.order(buyer, "alpha", 1)
    assert Order.objects.count() == orders

    upload = SimpleUploadedFile("validated.json", taken.content)
    page = f"/accounts/{account.pk}/contract/"
    client.post(f"{page}validated/", {"once": new_token(), "file": upload})

    assert "208 products may be ordered here" in client.get(page).content.decode()
    assert shop.order(buyer, "alpha", 1).state == "draft"
    event = AuditEvent.objects.get(action="account.validated")
    assert (event.actor, event.facts["count"], event.facts["probe"]) == (admin, 208, str(run.pk))


@pytest.mark.requirement("R5")
def test_a_product_whose_field_moved_since_the_sandbox_is_refused_on_submitting_too(
    shop: Shop, admin: User, buyer: User, go_live: Callable[[], SupplierAccount]
) -> None:
    account = go_live()
    take_in_validated(by=admin, account=account, content=file_of(account))
    order = shop.order(buyer, "alpha", 1)
    validated = ValidatedProduct.objects.filter(external_id=order.product.external_id)

    for change, seen in (
        ({"region": "TR"}, "TR 50.00 USD"),
        ({"region": "US", "currency": "EUR"}, "US 50.00 EUR"),
        ({"currency": "USD", "denomination_minor": 4000}, "US 40.00 USD"),
    ):
        validated.update(**change)
        with pytest.raises(Refused, match=f"validated in the sandbox as {seen}; the supplier now says US 50.00 USD"):
            drafting.submit_order(by=buyer, order=order)

    order.refresh_from_db()
    assert order.state == "draft"
    assert not order.attempts.exists()


MISFITS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"dialect": "psnb2b"}, "of another supplier"),
    ({"environment": "live"}, "environment"),
    ({"format": "something else"}, "format"),
    ({"products": []}, "products"),
    ({"validated_at": "2126-01-01T00:00:00Z"}, "in the future"),
    ({"validated_at": "2026-01-01T00:00:00"}, "validated_at"),
    ({"extra": 1}, "extra"),
)


def test_a_file_that_does_not_fit_is_refused_whole(admin: User) -> None:
    account = SupplierAccount.objects.create(code="alpha", dialect="alpha", settlement_currency="USD")
    product = {"external_id": "psn-us-50", "region": "US", "currency": "USD", "denomination_minor": 5000}

    for changes, why in MISFITS:
        content = file_of(account, **{"products": [product], **changes})
        with pytest.raises(Refused, match=f"{why}.*Nothing was taken in"):
            take_in_validated(by=admin, account=account, content=content)

    assert not ValidatedProduct.objects.exists()
    assert not AuditEvent.objects.filter(action="account.validated").exists()
    assert take_in_validated(by=admin, account=account, content=file_of(account, products=[product])) == 1


def test_only_an_administrator_takes_a_file_in(shop: Shop, buyer: User) -> None:
    account = shop.accounts["alpha"]

    with pytest.raises(NotAllowed):
        take_in_validated(by=buyer, account=account, content=file_of(account))

    assert not ValidatedProduct.objects.exists()


def test_a_probe_that_did_not_pass_or_only_read_validates_nothing(shop: Shop, admin: User) -> None:
    shop.sandbox.arm("alpha", "truncated_code")
    failed, reading = probed(shop, "alpha"), probed(shop, "alpha", read_only=True)
    client = Client()
    client.force_login(admin)

    answers = [client.get(f"/probes/{run.pk}/products.json") for run in (failed, reading)]

    assert (failed.state, reading.state) == ("failed", "passed")
    assert [answer.status_code for answer in answers] == [422, 422]
