"""Reading a supplier's products: what is kept, what stays when it fails, and that no request waits for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.catalog import tasks
from procurement.catalog.models import CatalogReading, PriceObservation, Product
from procurement.catalog.queries.products import freshness
from procurement.catalog.services import ask_refresh, refresh_products
from procurement.errors import NotAllowed, Refused
from procurement.staff.models import User
from procurement.suppliers.clients.problems import NoAnswer, Throttled
from procurement.suppliers.models import SupplierAccount
from procurement.work.models import DueWork
from tests.catalog.conftest import FakeSupplier, make_account, make_product, offer


@pytest.mark.requirement("R1", "R4", "R6")
def test_products_are_kept_as_the_supplier_words_them(account: SupplierAccount, supplier: FakeSupplier) -> None:
    supplier.offers = [offer("psn-uk-20", "UK", 2000, 2400, currency="GBP", stock=None)]
    assert refresh_products(account).added == 1
    product = Product.objects.get()
    assert (product.external_id, product.region, product.currency) == ("psn-uk-20", "UK", "GBP")
    assert (product.denomination_minor, product.cost_minor, product.cost_currency) == (2000, 2400, "USD")
    assert product.stock is None


@pytest.mark.requirement("R7")
def test_a_price_is_observed_when_first_seen_and_when_the_cost_changes_only(
    account: SupplierAccount, supplier: FakeSupplier
) -> None:
    supplier.offers = [offer(), offer("psn-us-20", face=2000, cost=1900)]
    with time_machine.travel(datetime(2026, 11, 21, 9, tzinfo=UTC), tick=False) as clock:
        refresh_products(account)
        clock.shift(300)
        supplier.offers[0] = offer(stock=7)
        assert not refresh_products(account).moved
        clock.shift(300)
        supplier.offers[0] = offer(cost=4768)
        assert refresh_products(account).repriced == 1
    costs = PriceObservation.objects.filter(product__external_id="psn-us-50").order_by("observed_at")
    assert [observation.cost_minor for observation in costs] == [4620, 4768]
    assert PriceObservation.objects.count() == 3
    assert set(Product.objects.values_list("read_at", flat=True)) == {datetime(2026, 11, 21, 9, 10, tzinfo=UTC)}


def test_a_product_not_listed_any_more_becomes_inactive_and_comes_back(
    account: SupplierAccount, other_account: SupplierAccount, supplier: FakeSupplier
) -> None:
    make_product(other_account, "TR", 25000, "TRY")
    supplier.offers = [offer(), offer("psn-us-20", face=2000)]
    refresh_products(account)
    supplier.offers = [offer()]
    assert refresh_products(account).gone == 1
    assert set(Product.objects.filter(active=False).values_list("external_id", flat=True)) == {"psn-us-20"}
    supplier.offers = [offer(), offer("psn-us-20", face=2000)]
    refresh_products(account)
    assert not Product.objects.filter(active=False).exists()


def test_a_failed_reading_leaves_the_last_good_prices_and_says_why(
    account: SupplierAccount, supplier: FakeSupplier
) -> None:
    supplier.offers = [offer()]
    refresh_products(account)
    supplier.problem = NoAnswer("Alpha did not answer in time. Nothing was changed.")
    with pytest.raises(NoAnswer):
        refresh_products(account)
    product, [line] = Product.objects.get(), freshness()
    assert product.active
    assert product.cost_minor == 4620
    assert line.problem == "Alpha did not answer in time. Nothing was changed."
    assert line.read_at == product.read_at


@pytest.mark.parametrize(
    ("offers", "sentence"),
    [
        ([], "listed no products at all"),
        ([offer(), offer(cost=1)], "listed psn-us-50 twice"),
        ([offer(face=0)], "a card without a value"),
    ],
)
def test_a_list_that_cannot_be_true_changes_nothing(
    account: SupplierAccount, supplier: FakeSupplier, offers: list[Any], sentence: str
) -> None:
    make_product(account)
    supplier.offers = offers
    with pytest.raises(Refused, match=sentence):
        refresh_products(account)
    assert Product.objects.get().active
    assert PriceObservation.objects.count() == 1


def test_a_reading_that_began_earlier_does_not_overwrite_a_later_one(
    account: SupplierAccount, supplier: FakeSupplier
) -> None:
    make_product(account)
    later = timezone.now() + timedelta(seconds=5)
    supplier.offers = [offer(cost=1)]
    supplier.meanwhile = lambda: CatalogReading.objects.create(account=account, read_at=later, count=1)
    refresh_products(account)
    assert Product.objects.get().cost_minor == 4620


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_while_the_supplier_is_asked(supplier: FakeSupplier) -> None:
    seen: list[bool] = []
    supplier.offers = [offer()]
    supplier.meanwhile = lambda: seen.append(connection.in_atomic_block)
    refresh_products(make_account())
    assert seen == [False]


def test_a_product_whose_face_changed_leaves_an_event(account: SupplierAccount, supplier: FakeSupplier) -> None:
    make_product(account)
    supplier.offers = [offer(region="GB", currency="GBP")]
    refresh_products(account)
    event = AuditEvent.objects.get(action="product.changed")
    assert event.facts["what"] == "US 50.00 USD → GB 50.00 GBP"


def test_asking_makes_every_account_due_and_calls_nobody(
    buyer: User, account: SupplierAccount, supplier: FakeSupplier
) -> None:
    make_account("paused", state="paused")
    make_account("real", environment="live")
    supplier.problem = AssertionError("called within the request")
    assert ask_refresh(by=buyer) == [account]
    assert list(DueWork.objects.values_list("kind", "ref")) == [("catalog.refresh", str(account.pk))]
    assert freshness()[0].waiting


def test_the_answer_to_a_wish_names_who_asked_once(
    buyer: User, account: SupplierAccount, supplier: FakeSupplier
) -> None:
    supplier.offers = [offer()]
    ask_refresh(by=buyer)
    refresh_products(account)
    refresh_products(account)
    event = AuditEvent.objects.get(action="catalog.refreshed")
    assert (event.actor, event.facts["count"]) == (buyer, 1)
    assert not any(line.waiting for line in freshness() if line.account == account)


def test_support_cannot_ask_for_a_refresh(support: User, account: SupplierAccount) -> None:
    with pytest.raises(NotAllowed):
        ask_refresh(by=support)
    assert not DueWork.objects.exists()


def test_every_account_in_use_is_read_regularly(account: SupplierAccount) -> None:
    down = make_account("down", state="down")
    make_account("paused", state="paused")
    make_account("real", environment="live")
    tasks.refresh_all_task()
    assert set(DueWork.objects.values_list("ref", flat=True)) == {str(account.pk), str(down.pk)}


def test_a_throttled_reading_is_tried_again_when_the_supplier_said(
    account: SupplierAccount, supplier: FakeSupplier
) -> None:
    at = timezone.now() + timedelta(seconds=30)
    supplier.problem = Throttled("No call is free. Nothing was sent.", retry_at=at)
    assert tasks.refresh_task(str(account.pk)) == at


def test_a_paused_account_is_not_called(account: SupplierAccount, supplier: FakeSupplier) -> None:
    SupplierAccount.objects.filter(pk=account.pk).update(state="paused")
    supplier.problem = AssertionError("called")
    assert tasks.refresh_task(str(account.pk)) is None
    assert "Paused" in freshness()[0].problem


@pytest.mark.requirement("R10")
def test_prices_turn_stale_after_a_quarter_of_an_hour_and_old_after_a_day(account: SupplierAccount) -> None:
    assert freshness()[0].state == "never"
    CatalogReading.objects.create(account=account, read_at=timezone.now() - timedelta(minutes=14))
    assert freshness()[0].state == "fresh"
    CatalogReading.objects.update(read_at=timezone.now() - timedelta(minutes=16))
    assert freshness()[0].state == "stale"
    CatalogReading.objects.update(read_at=timezone.now() - timedelta(hours=25))
    assert freshness()[0].state == "old"
