"""A mapping joins two equal cards, by two people, one active version at a time."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.audit.models import AuditEvent
from procurement.catalog.models import Mapping, Product, Sku
from procurement.catalog.queries.offers import propose
from procurement.catalog.queries.skus import NEEDS_WORK, sku_row, skus_for_list
from procurement.catalog.services import (
    activate_all_exact,
    activate_mapping,
    draft_mapping,
    propose_all,
    retire_mapping,
)
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.catalog.conftest import make_account, make_mapping, make_product, make_sku


@pytest.fixture
def sku(db: None) -> Sku:
    return make_sku()


@pytest.fixture
def product(account: SupplierAccount) -> Product:
    return make_product(account)


@pytest.mark.requirement("R2")
def test_a_draft_is_activated_by_another_person(buyer: User, manager: User, sku: Sku, product: Product) -> None:
    mapping = draft_mapping(by=buyer, sku=sku, product=product)
    activate_mapping(by=manager, mapping=mapping)
    mapping.refresh_from_db()
    assert (mapping.state, mapping.drafted_by, mapping.activated_by) == ("active", buyer, manager)
    actions = AuditEvent.objects.order_by("pk").values_list("action", flat=True)
    assert list(actions) == ["mapping.drafted", "mapping.activated"]


def test_nobody_activates_their_own_draft(manager: User, second_manager: User, sku: Sku, product: Product) -> None:
    mapping = draft_mapping(by=manager, sku=sku, product=product)
    with pytest.raises(Refused, match=r"You drafted PSN-US-50 v1.*Ask: Max Manager"):
        activate_mapping(by=manager, mapping=mapping)
    mapping.refresh_from_db()
    assert mapping.state == "draft"


@pytest.mark.parametrize("who", ["buyer", "support", "finance", "auditor", "outsider"])
def test_who_cannot_activate(
    who: str, manager: User, sku: Sku, product: Product, request: pytest.FixtureRequest
) -> None:
    mapping = draft_mapping(by=manager, sku=sku, product=product)
    with pytest.raises(NotAllowed):
        activate_mapping(by=request.getfixturevalue(who), mapping=mapping)
    mapping.refresh_from_db()
    assert mapping.state == "draft"


@pytest.mark.requirement("R2", "R3")
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"region": "CA"}, "the SKU is sold for US, the product is for CA"),
        ({"currency": "CAD"}, "the SKU is in USD, the product in CAD"),
        ({"denomination_minor": 6000}, "the SKU is worth 50.00 USD, the product 60.00 USD"),
    ],
)
def test_different_cards_are_neither_drafted_nor_activated(
    buyer: User, manager: User, sku: Sku, product: Product, change: dict[str, Any], sentence: str
) -> None:
    mapping = draft_mapping(by=buyer, sku=sku, product=product)
    Product.objects.update(**change)
    mapping = Mapping.objects.get(pk=mapping.pk)
    with pytest.raises(Refused, match=sentence):
        activate_mapping(by=manager, mapping=mapping)
    Mapping.objects.all().delete()
    with pytest.raises(Refused, match=sentence):
        draft_mapping(by=buyer, sku=sku, product=Product.objects.get())
    assert not Mapping.objects.exists()


def test_a_label_that_says_uk_is_the_region_gb(buyer: User, account: SupplierAccount) -> None:
    sku, product = make_sku("GB", 2000, "GBP"), make_product(account, "UK", 2000, "GBP")
    assert propose(sku) == [product]
    assert draft_mapping(by=buyer, sku=sku, product=product).product.region == "UK"


def test_activating_retires_the_mapping_it_replaces(
    buyer: User, manager: User, sku: Sku, product: Product, account: SupplierAccount
) -> None:
    old = make_mapping(sku, product)
    new = draft_mapping(by=buyer, sku=sku, product=make_product(account, key="other-us-50"))
    activate_mapping(by=manager, mapping=new)
    old.refresh_from_db()
    assert (old.state, old.retired_at is not None) == ("retired", True)
    assert Mapping.objects.get(state="active") == new
    assert AuditEvent.objects.get(action="mapping.retired").reason == "Replaced by PSN-US-50 v2"


def test_accounts_have_an_active_mapping_each(
    buyer: User, manager: User, sku: Sku, product: Product, other_account: SupplierAccount
) -> None:
    for one in (product, make_product(other_account, key="us/50")):
        activate_mapping(by=manager, mapping=draft_mapping(by=buyer, sku=sku, product=one))
    assert Mapping.objects.filter(state="active").count() == 2


def test_a_mapping_changed_by_another_meanwhile_is_stale(
    buyer: User, manager: User, sku: Sku, product: Product
) -> None:
    mapping = draft_mapping(by=buyer, sku=sku, product=product)
    stale = Mapping.objects.get(pk=mapping.pk)
    retire_mapping(by=buyer, mapping=mapping)
    with pytest.raises(StaleState):
        activate_mapping(by=manager, mapping=stale)
    assert Mapping.objects.get().state == "retired"


def test_of_two_drafts_activated_at_once_one_wins(buyer: User, manager: User, sku: Sku, product: Product) -> None:
    first = draft_mapping(by=buyer, sku=sku, product=product)
    twin = make_product(product.account, key="the same card under another key")
    second = make_mapping(sku, twin, "draft", buyer)
    activate_mapping(by=manager, mapping=first)
    first.refresh_from_db()
    Mapping.objects.filter(pk=first.pk).update(version=99)
    activate_mapping(by=manager, mapping=second)
    assert list(Mapping.objects.order_by("number").values_list("state", flat=True)) == ["retired", "active"]


def test_a_product_that_is_gone_is_not_mapped(buyer: User, manager: User, sku: Sku, product: Product) -> None:
    mapping = draft_mapping(by=buyer, sku=sku, product=product)
    Product.objects.update(active=False)
    with pytest.raises(Refused, match="not offered any more"):
        activate_mapping(by=manager, mapping=Mapping.objects.get(pk=mapping.pk))
    with pytest.raises(Refused, match="not offered any more"):
        draft_mapping(by=buyer, sku=sku, product=Product.objects.get())
    assert Mapping.objects.get().state == "draft"


def test_drafting_the_same_again_gives_the_draft_there_is(
    buyer: User, manager: User, sku: Sku, product: Product
) -> None:
    first = draft_mapping(by=buyer, sku=sku, product=product)
    assert draft_mapping(by=manager, sku=sku, product=product) == first
    assert Mapping.objects.count() == 1


def test_support_drafts_nothing(support: User, sku: Sku, product: Product) -> None:
    with pytest.raises(NotAllowed):
        draft_mapping(by=support, sku=sku, product=product)
    with pytest.raises(NotAllowed):
        propose_all(by=support)
    assert not Mapping.objects.exists()


def test_proposing_drafts_what_is_exact_and_unique_and_nothing_twice(
    buyer: User, sku: Sku, product: Product, account: SupplierAccount, other_account: SupplierAccount
) -> None:
    make_product(other_account, key="us/50")
    make_product(make_account("real", environment="live"), key="live-us-50")
    make_sku("US", 2000, code="ambiguous")
    make_product(account, "US", 2000, key="one")
    make_product(account, "US", 2000, key="two")
    make_sku("US", 7000, code="nobody-has-it")
    make_sku("US", 5000, code="not-sold", active=False)
    drafted = propose_all(by=buyer)
    assert {(mapping.sku.code, mapping.account.code) for mapping in drafted} == {
        ("PSN-US-50", "alpha"),
        ("PSN-US-50", "psnb2b"),
    }
    assert propose_all(by=buyer) == []
    assert Mapping.objects.filter(state="draft", drafted_by=buyer).count() == 2


def test_all_exact_drafts_of_others_are_activated_with_a_result_for_each(
    buyer: User, manager: User, sku: Sku, product: Product, account: SupplierAccount
) -> None:
    own_sku, wrong_sku = make_sku("US", 2000), make_sku("US", 7000)
    draft_mapping(by=buyer, sku=sku, product=product)
    draft_mapping(by=manager, sku=own_sku, product=make_product(account, "US", 2000))
    make_mapping(wrong_sku, make_product(account, "CA", 7000, "CAD"), "draft", buyer)
    results = {str(result.mapping.sku): result for result in activate_all_exact(by=manager)}
    assert {name: result.done for name, result in results.items()} == {
        "PSN-US-50": True,
        "PSN-US-20": False,
        "PSN-US-70": False,
    }
    assert "You drafted" in results["PSN-US-20"].sentence
    assert "the product is for CA" in results["PSN-US-70"].sentence
    assert Mapping.objects.filter(state="active").count() == 1


def test_a_buyer_activates_nothing_in_bulk(buyer: User, manager: User, sku: Sku, product: Product) -> None:
    draft_mapping(by=manager, sku=sku, product=product)
    with pytest.raises(NotAllowed):
        activate_all_exact(by=buyer)
    assert Mapping.objects.get().state == "draft"


def test_a_buyer_drops_a_draft_but_not_an_active_mapping(
    buyer: User, manager: User, sku: Sku, product: Product
) -> None:
    mapping = draft_mapping(by=buyer, sku=sku, product=product)
    activate_mapping(by=manager, mapping=mapping)
    with pytest.raises(NotAllowed):
        retire_mapping(by=buyer, mapping=mapping)
    mapping.refresh_from_db()
    assert mapping.state == "active"
    retire_mapping(by=manager, mapping=mapping, reason="Sold out for good")
    assert AuditEvent.objects.get(action="mapping.retired").reason == "Sold out for good"


def test_an_active_mapping_whose_product_changed_is_a_conflict(sku: Sku, product: Product) -> None:
    make_mapping(sku, product)
    assert sku_row(skus_for_list().get()).status.label == "Active"
    Product.objects.update(region="CA")
    row = sku_row(skus_for_list().get())
    assert (row.status.label, row.words) == ("Conflict", ["the SKU is sold for US, the product is for CA"])
    assert skus_for_list().filter(NEEDS_WORK).count() == 1
