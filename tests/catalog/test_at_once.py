"""Two people at the same moment: an import happens once, and one mapping of a SKU is active."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from procurement.audit.models import AuditEvent
from procurement.catalog.models import Mapping, Product, Sku, SkuImport
from procurement.catalog.services import activate_mapping, apply_import, dry_run, propose_all
from procurement.errors import DomainError
from procurement.staff.models import User
from tests.catalog.conftest import make_account, make_mapping, make_product, make_sku
from tests.conftest import make_person

pytestmark = pytest.mark.django_db(transaction=True)
LIST = b"sku,title,region,currency,denomination,active\nPSN-US-50,Card $50,US,USD,50,yes\n"


def at_once(*actions: Callable[[], Any]) -> list[Any]:
    """What each action gave or raised, all begun together on connections of their own."""
    barrier = Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        barrier.wait(10)
        try:
            return action()
        except DomainError as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def test_an_import_pressed_twice_at_once_happens_once() -> None:
    ben = make_person("ben", "buyer")
    made = dry_run(by=ben, file_name="list.csv", content=LIST)
    copies = [SkuImport.objects.get(pk=made.pk) for _ in range(4)]
    results = at_once(*(lambda copy=copy: apply_import(by=ben, sku_import=copy) for copy in copies))
    assert results == [{"add": 1, "change": 0, "same": 0, "refuse": 0}] * 4
    assert Sku.objects.count() == 1
    assert AuditEvent.objects.filter(action="sku.imported").count() == 1


def test_two_imports_of_the_same_list_at_once_add_its_skus_once() -> None:
    ben = make_person("ben", "buyer")
    made = [dry_run(by=ben, file_name="list.csv", content=LIST) for _ in range(2)]
    results = at_once(*(lambda one=one: apply_import(by=ben, sku_import=one) for one in made))
    assert sum(isinstance(result, DomainError) for result in results) == 1
    assert Sku.objects.count() == 1
    assert SkuImport.objects.filter(applied_at__isnull=False).count() == 1


def two_drafts(ben: User) -> list[Mapping]:
    account, sku = make_account(), make_sku()
    products: list[Product] = [make_product(account, key=key) for key in ("one", "two")]
    drafts = [make_mapping(sku, product, "draft", ben) for product in products]
    return [Mapping.objects.select_related("sku", "product").get(pk=draft.pk) for draft in drafts]


def test_of_two_drafts_activated_at_once_exactly_one_stays_active() -> None:
    drafts, mia = two_drafts(make_person("ben", "buyer")), make_person("mia", "manager")
    results = at_once(*(lambda draft=draft: activate_mapping(by=mia, mapping=draft) for draft in drafts))
    assert None in results
    assert Mapping.objects.filter(state="active").count() == 1


def test_proposing_at_once_drafts_each_mapping_once() -> None:
    ben = make_person("ben", "buyer")
    make_product(make_account())
    make_sku()
    at_once(lambda: propose_all(by=ben), lambda: propose_all(by=ben))
    assert Mapping.objects.count() == 1
