"""The catalogue's pages over HTTP: what each role sees, what is refused, and how many queries a page costs."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.catalog import services
from procurement.catalog.models import CatalogReading, Mapping, PriceObservation, Product, Sku, SkuImport
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.work.models import DueWork
from tests.catalog.conftest import make_account, make_mapping, make_product, make_sku

HEADER = b"sku,title,region,currency,denomination,active\n"
SignIn = Callable[[User], Client]
LINE = b"PSN-US-50,Card $50,US,USD,50,yes\n"


@pytest.fixture
def as_(client: Client) -> SignIn:
    def sign_in(user: User) -> Client:
        client.force_login(user)
        return client

    return sign_in


def text(response: Any) -> str:
    return b"".join(response).decode() if response.streaming else response.content.decode()


def send(client: Client, name: str, *args: Any) -> str:
    """The page a person sees after pressing the button of that URL."""
    sent = client.post(reverse(f"catalog:{name}", args=args), {"once": uuid.uuid4().hex})
    return text(client.get(sent["Location"]))


def upload(client: Client, content: bytes, name: str = "list.csv") -> Any:
    data = {"file": SimpleUploadedFile(name, content), "once": uuid.uuid4().hex}
    return client.post(reverse("catalog:import_new"), data)


# Products


@pytest.mark.requirement("R7")
def test_products_show_price_stock_and_when_they_were_read(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    CatalogReading.objects.create(account=account, read_at=timezone.now(), count=1)
    make_product(account, stock=7)
    page = text(as_(buyer).get(reverse("catalog:product_list")))
    assert "psn-us-50" in page
    assert "46.20" in page
    assert "92.4 %" in page
    assert "Low: 7" in page
    assert "1 product, prices read" in page


def test_support_sees_no_cost_anywhere(as_: SignIn, support: User, account: SupplierAccount) -> None:
    product = make_product(account)
    PriceObservation.objects.create(
        product=product, cost_minor=4500, cost_currency="USD", observed_at=timezone.now() - timedelta(days=2)
    )
    client, listing = as_(support), reverse("catalog:product_list")
    sku = make_sku()
    for url in (
        listing,
        f"{listing}?sort=cost",
        f"{listing}?changed=7",
        f"{listing}?format=csv",
        reverse("catalog:product_detail", args=[product.pk]),
        reverse("catalog:sku_detail", args=[sku.pk]),
    ):
        page = text(client.get(url))
        assert "psn-us-50" in page
        assert not re.search(r"46\.20|45\.00|92\.4|>\s*cost|^cost|,cost", page, re.IGNORECASE), url


def test_cost_over_face_is_not_shown_across_currencies(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    make_product(account, "GB", 2000, "GBP", 2400)
    page = text(as_(buyer).get(reverse("catalog:product_list")))
    assert "24.00" in page
    assert "120.0 %" not in page


def test_a_cost_out_of_line_with_its_neighbours_is_named(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    for face, cost in ((500, 510), (1000, 1030), (1500, 10320), (2000, 2050), (2500, 2560)):
        make_product(account, "SA", face, cost=cost)
    page = text(as_(buyer).get(reverse("catalog:product_list")))
    assert page.count("Cost out of line") == 1
    assert page.count("Cost above face") == 5


def test_the_last_change_of_a_cost_is_shown_in_words(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    product = make_product(account)
    PriceObservation.objects.create(
        product=product, cost_minor=4400, cost_currency="USD", observed_at=timezone.now() - timedelta(days=9)
    )
    make_product(account, "US", 2000, cost=1900)
    client, url = as_(buyer), reverse("catalog:product_list")
    assert "up 5.0 %" in text(client.get(url))
    changed = text(client.get(f"{url}?changed=7"))
    assert "psn-us-50" in changed
    assert "psn-us-20" not in changed
    detail = text(client.get(reverse("catalog:product_detail", args=[product.pk])))
    assert "44.00 → 46.20" in detail
    assert "<svg" in detail


def test_filters_and_region_tabs_narrow_the_list(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    make_product(account)
    make_product(account, "JP", 110000, "JPY", key="jp-110000")
    make_product(account, "JP", 1100, "JPY", key="jp-1100", stock=0)
    Product.objects.filter(pk=make_product(account, "DE", 2500, "EUR").pk).update(active=False)
    client, url = as_(buyer), reverse("catalog:product_list")

    def keys(query: str) -> set[str]:
        return set(re.findall(r'class="id" href="[^"]+">([^<]+)<', text(client.get(f"{url}?{query}"))))

    assert keys("") == {"psn-us-50", "jp-110000", "jp-1100"}
    assert keys("view=jp") == {"jp-110000", "jp-1100"}
    assert keys("view=gone") == {"psn-de-25"}
    assert keys("face=50") == {"psn-us-50"}
    assert keys("face=1000-2000") == {"jp-1100"}
    assert keys("stock=none") == {"jp-1100"}
    assert keys("supplier=alpha&q=us-5") == {"psn-us-50"}
    assert keys("face=rubbish&stock=rubbish&view=rubbish") == {"psn-us-50", "jp-110000", "jp-1100"}


@pytest.mark.requirement("R108")
def test_products_of_the_other_environment_are_not_shown(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    real = make_product(make_account("real", environment="live"))
    client = as_(buyer)
    assert "psn-us-50" not in text(client.get(reverse("catalog:product_list")))
    assert client.get(reverse("catalog:product_detail", args=[real.pk])).status_code == 404


def test_an_order_begins_from_an_active_mapping_only(
    as_: SignIn, buyer: User, support: User, account: SupplierAccount
) -> None:
    product, sku = make_product(account), make_sku()
    url = reverse("catalog:product_list")
    assert "mapping=" not in text(as_(buyer).get(url))
    mapping = make_mapping(sku, product)
    assert f"?mapping={mapping.pk}" in text(as_(buyer).get(url))
    assert "mapping=" not in text(as_(support).get(url))
    Product.objects.update(denomination_minor=6000)
    assert "mapping=" not in text(as_(buyer).get(url))


def test_the_export_is_what_the_filter_shows_and_is_recorded(
    as_: SignIn, buyer: User, account: SupplierAccount
) -> None:
    make_product(account)
    make_product(account, "US", 2000)
    lines = text(as_(buyer).get(reverse("catalog:product_list") + "?format=csv&face=50")).splitlines()
    assert lines[2].startswith("psn-us-50,PSN US 50,Alpha,US,USD,50.00,100,")
    assert lines[2].endswith(",46.20,USD,92.4 %")
    assert len(lines) == 3
    assert AuditEvent.objects.get(action="export.made").facts["rows"] == 1


@pytest.mark.parametrize("count", [10, 200])
def test_pages_cost_the_same_queries_whatever_the_rows(
    as_: SignIn,
    manager: User,
    buyer: User,
    account: SupplierAccount,
    count: int,
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(count):
        product = make_product(account, "US", 100 * (number + 1), key=f"us-{number}")
        sku = make_sku("US", 100 * (number + 1), code=f"SKU-{number}")
        make_mapping(sku, product, "active" if number % 2 else "draft", buyer)
    client = as_(manager)
    client.get(reverse("catalog:product_list"))
    with django_assert_max_num_queries(19):
        assert "us-0" in text(client.get(reverse("catalog:product_list") + "?size=100"))
    with django_assert_max_num_queries(23):
        assert "SKU-0" in text(client.get(reverse("catalog:sku_list") + "?view=all&size=100"))
    with django_assert_max_num_queries(16):
        client.get(reverse("catalog:product_detail", args=[product.pk]))
    with django_assert_max_num_queries(14):
        client.get(reverse("catalog:sku_detail", args=[sku.pk]))


def test_refresh_now_asks_and_says_so(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    page = send(as_(buyer), "refresh")
    assert "Alpha will be asked" in page
    assert "waiting for the answer" in page
    assert DueWork.objects.get().kind == "catalog.refresh"


def test_a_failed_reading_is_said_on_the_page(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    make_product(account)
    CatalogReading.objects.create(account=account, tried_at=timezone.now(), problem="Alpha timed out.")
    page = text(as_(buyer).get(reverse("catalog:product_list")))
    assert "Alpha timed out." in page
    assert "psn-us-50" in page


# SKUs and mappings


def test_the_sku_page_shows_both_sides_and_lets_a_second_person_activate(
    as_: SignIn, buyer: User, manager: User, account: SupplierAccount
) -> None:
    sku, product = make_sku(), make_product(account)
    url = reverse("catalog:sku_detail", args=[sku.pk])
    client = as_(buyer)
    assert "Draft mapping" in text(client.get(url))
    client.post(reverse("catalog:sku_draft", args=[sku.pk]), {"product": product.pk})
    mapping = Mapping.objects.get()
    activate = reverse("catalog:mapping_activate", args=[mapping.pk])
    assert activate not in text(client.get(url))
    assert client.post(activate).status_code == 403
    client = as_(manager)
    assert "equal" in text(client.get(url))
    assert activate in text(client.get(url))
    client.post(activate)
    mapping.refresh_from_db()
    assert mapping.state == "active"


def test_ones_own_draft_shows_whom_to_ask_instead_of_a_button(
    as_: SignIn, manager: User, second_manager: User, account: SupplierAccount
) -> None:
    mapping = make_mapping(make_sku(), make_product(account), "draft", manager)
    client = as_(manager)
    page = text(client.get(reverse("catalog:sku_detail", args=[mapping.sku_id])))
    assert "another person activates it. Nothing was changed. Ask: Max Manager." in page
    activate = reverse("catalog:mapping_activate", args=[mapping.pk])
    assert activate not in page
    assert client.post(activate).status_code == 422
    mapping.refresh_from_db()
    assert mapping.state == "draft"


@pytest.mark.requirement("R3")
def test_a_mapping_that_no_longer_fits_is_a_conflict_in_words(
    as_: SignIn, manager: User, account: SupplierAccount
) -> None:
    mapping = make_mapping(make_sku(), make_product(account))
    Product.objects.update(denomination_minor=6000)
    page = text(as_(manager).get(reverse("catalog:sku_list")))
    assert "Conflict" in page
    assert "the SKU is worth 50.00 USD, the product 60.00 USD" in page
    detail = text(as_(manager).get(reverse("catalog:sku_detail", args=[mapping.sku_id])))
    assert "It cannot be ordered from" in detail


def test_a_sku_nobody_offers_names_what_comes_nearest(as_: SignIn, buyer: User, account: SupplierAccount) -> None:
    sku = make_sku("US", 7000)
    make_product(account, "US", 6000)
    page = text(as_(buyer).get(reverse("catalog:sku_detail", args=[sku.pk])))
    assert "No supplier offers this card" in page
    assert "60.00" in page


def test_proposing_and_activating_all_say_what_became_of_each(
    as_: SignIn, buyer: User, manager: User, account: SupplierAccount
) -> None:
    for face in (2000, 5000):
        make_sku("US", face)
        make_product(account, "US", face)
    page = send(as_(buyer), "propose_all")
    assert "2 mappings drafted" in page
    Product.objects.filter(denomination_minor=2000).update(currency="CAD")
    page = send(as_(manager), "activate_all")
    assert "1 mapping activated, 1 not." in page
    assert "PSN-US-20 and psn-us-20 are not the same card" in page


def test_support_sees_mappings_and_changes_none(as_: SignIn, support: User, account: SupplierAccount) -> None:
    mapping = make_mapping(make_sku(), make_product(account))
    client = as_(support)
    page = text(client.get(reverse("catalog:sku_detail", args=[mapping.sku_id])))
    assert 'method="post"' not in page.split("<main", 1)[1]
    for name, args in (
        ("sku_draft", [mapping.sku_id]),
        ("mapping_activate", [mapping.pk]),
        ("mapping_retire", [mapping.pk]),
        ("propose_all", []),
        ("activate_all", []),
        ("refresh", []),
        ("import_new", []),
    ):
        assert client.post(reverse(f"catalog:{name}", args=args)).status_code == 403
    mapping.refresh_from_db()
    assert mapping.state == "active"
    assert not DueWork.objects.exists()


@pytest.mark.parametrize("name", ["product_list", "sku_list", "import_new"])
def test_an_outsider_sees_nothing(as_: SignIn, outsider: User, name: str) -> None:
    assert as_(outsider).get(reverse(f"catalog:{name}")).status_code == 403


# Imports


def test_an_upload_is_shown_before_it_is_imported(as_: SignIn, buyer: User) -> None:
    make_sku("TR", 25000, "TRY")
    client = as_(buyer)
    response = upload(client, HEADER + LINE + b"PSN-EU-50,Card,EU,EUR,50,yes\n")
    page = text(client.get(response["Location"]))
    assert "EU is no region" in page
    assert "Import 1 line<" in page
    assert "1 SKU not in the list stays as it is" in page
    assert Sku.objects.count() == 1
    made = SkuImport.objects.get()
    apply = reverse("catalog:import_apply", args=[made.pk])
    client.post(apply)
    client.post(apply)
    assert Sku.objects.count() == 2
    page = text(client.get(response["Location"]))
    assert "1 added" in page
    assert apply not in page


def test_lines_can_be_shown_by_outcome(as_: SignIn, buyer: User) -> None:
    made = services.dry_run(by=buyer, file_name="x.csv", content=HEADER + LINE + b"A,B,EU,EUR,5,yes\n" * 2)
    client, url = as_(buyer), reverse("catalog:import_detail", args=[made.pk])
    shown = text(client.get(f"{url}?outcome=add"))
    assert "PSN-US-50" in shown
    assert "EU is no region" not in shown
    assert "3 lines" in text(client.get(f"{url}?outcome=rubbish"))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "The file is empty."),
        (b"%PDF-1.7", "The file is a PDF, not a CSV list."),
        (HEADER, "The file has a header and no lines."),
        (HEADER + LINE * 100_000, "The file is larger than 2 MB."),
    ],
)
def test_a_wrong_file_gets_one_sentence_beside_the_field(
    as_: SignIn, buyer: User, content: bytes, sentence: str
) -> None:
    response = upload(as_(buyer), content)
    assert response.status_code == 422
    assert sentence in text(response)
    assert not SkuImport.objects.exists()


def test_no_file_at_all_is_said(as_: SignIn, buyer: User) -> None:
    response = as_(buyer).post(reverse("catalog:import_new"), {"once": uuid.uuid4().hex})
    assert response.status_code == 422
    assert "Choose a file first." in text(response)


def test_a_stale_dry_run_comes_back_to_be_looked_at(as_: SignIn, buyer: User) -> None:
    made = services.dry_run(by=buyer, file_name="x.csv", content=HEADER + LINE)
    make_sku()
    page = send(as_(buyer), "import_apply", made.pk)
    assert "SKUs changed since this dry run was shown. Nothing was imported." in page
    assert "Title: Card 50 → Card $50" in page
    assert Sku.objects.get().title == "Card 50"


def test_refused_lines_are_downloaded_with_reasons_and_without_formulas(as_: SignIn, buyer: User) -> None:
    made = services.dry_run(by=buyer, file_name="x.csv", content=HEADER + LINE + b'A-1,"=1+1",US,USD,50,yes\n')
    lines = text(as_(buyer).get(reverse("catalog:import_refused_csv", args=[made.pk]))).splitlines()
    assert lines[1] == "line,sku,title,region,currency,denomination,active,reasons"
    assert lines[2].startswith("3,A-1,'=1+1,US,USD,50,yes,The title begins with")
    assert len(lines) == 3


def test_a_hostile_title_is_shown_as_text(as_: SignIn, buyer: User) -> None:
    content = HEADER + b"A-1,<script>alert(1)</script> $50,US,USD,50,yes\n"
    made = services.dry_run(by=buyer, file_name="<b>x</b>.csv", content=content)
    page = text(as_(buyer).get(reverse("catalog:import_detail", args=[made.pk])))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "<b>x</b>" not in page


@pytest.mark.parametrize("name", ["example", "messy"])
def test_example_lists_are_offered_in_the_sandbox_only(as_: SignIn, buyer: User, settings: Any, name: str) -> None:
    client, url = as_(buyer), reverse("catalog:import_example", args=[name])
    assert "sku" in text(client.get(url))
    settings.ENVIRONMENT = "live"
    assert client.get(url).status_code == 404
