"""What people and browsers really send: late, twice, stale, too much, or the wrong thing. Each gets a sentence."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import postings
from procurement.bookkeeping.models import Deposit
from procurement.catalog.models import Product, Sku, SkuImport
from procurement.claims.models import Case
from procurement.claims.services.cases import open_case
from procurement.orders.models import Attempt, Order
from procurement.orders.services import drafting
from procurement.orders.services.placing import place_order
from procurement.staff.models import User
from tests.at_desk import Desk, Page
from tests.journeys.conftest import Floor
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)
PASSWORD = "a long enough password"


def check_page(desk: Desk, quantity: object = 2, name: str = "ORDER-5", status: int = 200, **query: object) -> Page:
    asked = {"sku": "PSN-US-50", "supplier": "alpha", "quantity": quantity, "client_order_id": name, **query}
    return desk.open("orders:order_new", check=1, status=status, **asked)


# A session that ended


def deposit_form(desk: Desk) -> Any:
    form = desk.open("bookkeeping:deposit_new").form(reverse("bookkeeping:deposit_new"))
    form.fields |= {"account": "alpha", "currency": "USD", "amount": "250.00", "way": "USDT/TRC-20"}
    form.fields |= {"reference": "WIRE-77", "note": "Top-up"}
    return form


def test_a_form_sent_after_the_session_ended_waits_for_the_person(shop: Shop, finance: User) -> None:
    finance.set_password(PASSWORD)
    finance.save()
    desk = Desk(finance)
    form = deposit_form(desk)
    desk.client.logout()

    away = Page(desk.client.post(form.action, form.fields))
    assert away.location.startswith(reverse("login"))
    assert Deposit.objects.count() == 2
    sign_in = desk.open(away.location).form()
    kept = desk.send(sign_in, status=302, username=finance.username, password=PASSWORD)
    for typed in ("250.00", "WIRE-77", "Top-up"):
        assert typed in kept.html
    assert Deposit.objects.count() == 2

    done = desk.send(kept.form(form.action))

    assert "WIRE-77" in done.text
    assert Deposit.objects.filter(reference="WIRE-77", amount_minor=250_00, announced_by=finance).count() == 1


@pytest.mark.requirement("R62", "R100")
def test_what_must_never_be_kept_does_not_wait(shop: Shop, admin: User) -> None:
    desk = Desk(admin)
    form = desk.open("suppliers:account_key", shop.accounts["alpha"].pk).form()
    desk.client.logout()

    away = Page(desk.client.post(form.action, {**form.fields, "kind": "api_key", "value": "sk_live_CANARY_0001"}))

    assert away.location.startswith(reverse("login"))
    assert "CANARY" not in str(dict(desk.client.session.items()))


def test_another_person_at_the_same_browser_does_not_send_what_they_may_not(
    shop: Shop, finance: User, support: User
) -> None:
    support.set_password(PASSWORD)
    support.save()
    desk = Desk(finance)
    form = deposit_form(desk)
    desk.client.logout()
    away = Page(desk.client.post(form.action, form.fields))
    kept = desk.send(desk.open(away.location).form(), status=302, username=support.username, password=PASSWORD)

    refused = desk.send(kept.form(form.action), status=403)

    assert "This is for: Finance" in refused.text
    assert not Deposit.objects.filter(reference="WIRE-77").exists()


# Twice, back, stale


@pytest.mark.requirement("R22")
def test_back_and_send_again_shows_the_first_result(shop: Shop, buyer: User) -> None:
    desk = Desk(buyer)
    form = check_page(desk).form(reverse("orders:order_place"))
    first = desk.send(form)
    again = desk.send(form)

    assert first.response.wsgi_request.path == again.response.wsgi_request.path
    assert (Order.objects.count(), Attempt.objects.count()) == (1, 1)
    fresh = check_page(desk, status=422)
    assert "ORDER-5 has an order already. No second order was made." in fresh.text
    assert (Order.objects.count(), Attempt.objects.count()) == (1, 1)


def test_a_double_click_on_a_decision_decides_once(shop: Shop, buyer: User, manager: User) -> None:
    desk = Desk(manager)
    drafting.submit_order(by=buyer, order=shop.order(buyer, quantity=20))
    request = ApprovalRequest.objects.get()
    form = desk.open("approvals:request_detail", request.pk).form("/decide/")

    pages = [desk.send(form, decision="approve") for _ in range(2)]

    assert [page.status for page in pages] == [200, 200]
    assert Attempt.objects.count() == 1
    assert postings.free_balance("alpha", "USD") == 5000_00 - Order.objects.get().max_total_minor


def test_a_form_without_its_mark_changes_nothing(shop: Shop, buyer: User) -> None:
    desk = Desk(buyer)
    form = check_page(desk).form(reverse("orders:order_place"))
    del form.fields["once"]

    page = desk.send(form, status=422)

    assert "Nothing was changed. Reload the page" in page.text
    assert not Order.objects.exists()


def test_a_form_from_before_the_sign_in_is_refused_with_a_sentence(shop: Shop, buyer: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(buyer)

    page = Page(client.post(reverse("orders:order_place"), {"quantity": "2"}))

    assert page.status == 403
    assert "Nothing was changed. Reload the page and send it again." in page.text
    assert not Order.objects.exists()


def test_a_stale_case_page_changes_nothing(shop: Shop, buyer: User, support: User, manager: User) -> None:
    order = shop.order(buyer)
    case = open_case(by=support, order=order, customer_order="10421")
    mine, theirs = Desk(support), Desk(manager)
    old = mine.open("claims:case_close", case.pk).form()
    theirs.send(theirs.open("claims:case_solve", case.pk).form(), reason="Answered by phone today")

    page = mine.send(old, status=422, reason="The customer never wrote again")

    assert "Nothing was" in page.text
    assert "The customer never wrote again" in page.html
    assert Case.objects.get().state == "solved"


def test_an_import_made_stale_by_another_is_shown_again(shop: Shop, buyer: User, manager: User) -> None:
    first, second = Desk(buyer), Desk(manager)
    list_a = b"sku,title,region,currency,denomination,active\nPSN-US-10,Ten,US,USD,10,yes\n"
    shown = [upload(desk, list_a) for desk in (first, second)]
    first.send(shown[0].form("/apply/"))

    page = second.send(shown[1].form("/apply/"))

    assert "Nothing was imported. The dry run was made again" in page.text
    assert Sku.objects.filter(code="PSN-US-10").count() == 1
    assert SkuImport.objects.filter(applied_at__isnull=False).count() == 1


# Too much, or the wrong thing


@pytest.mark.requirement("R38")
@pytest.mark.parametrize("quantity", [0, -5, 1001, 10**9, 10**40, "🎁", "٣", "1e9", "NaN", "", "2; DROP TABLE"])
def test_a_quantity_that_is_none_is_shown_again_with_a_sentence(shop: Shop, buyer: User, quantity: object) -> None:
    page = check_page(Desk(buyer), quantity, status=422)

    assert "There is a problem" in page.text
    assert page.html.count('aria-invalid="true"') >= 1
    assert not Order.objects.exists()


@pytest.mark.parametrize("name", ["ORDER 5", "ÖRDER", "🎁🎁", "<script>alert(1)</script>", "x" * 300])
def test_an_order_id_that_is_none_is_shown_again_as_typed(shop: Shop, buyer: User, name: str) -> None:
    page = check_page(Desk(buyer), name=name, status=422)

    assert "<script>alert" not in page.html
    assert "There is a problem" in page.text
    assert not Order.objects.exists()


@pytest.mark.requirement("R90")
def test_more_than_the_balance_is_refused_before_the_check_page(shop: Shop, buyer: User) -> None:
    page = check_page(Desk(buyer), 900, status=422)

    assert "Nothing was ordered. Record a deposit, or order less." in page.text
    assert not Order.objects.exists()


@pytest.mark.parametrize("tampered", ["mapping", "quantity", "unit_cost"])
@pytest.mark.parametrize("value", ["", "-1", "abc", "9" * 40, "0", "🎁"])
def test_a_forged_check_page_orders_nothing(shop: Shop, buyer: User, tampered: str, value: str) -> None:
    desk = Desk(buyer)
    form = check_page(desk).form(reverse("orders:order_place"))

    page = Page(desk.client.post(form.action, {**form.fields, tampered: value}))

    assert page.status in {404, 422}
    assert not Order.objects.exists()
    assert postings.free_balance("alpha", "USD") == 5000_00


def upload(desk: Desk, content: bytes, name: str = "list.csv", status: int = 303) -> Page:
    file = SimpleUploadedFile(name, content, "text/csv")
    return desk.send(desk.open("catalog:import_new").form(), status=status, file=file)


HEAD = b"sku,title,region,currency,denomination,active\n"
FILES = {
    "nothing.csv": b"",
    "blank.csv": b"\n\n\n",
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "table.xlsx": b"PK\x03\x04" + b"\x00" * 400,
    "latin.csv": HEAD + "PSN-DE-10,Für Österreich,DE,EUR,10,yes\n".encode("latin-1"),
    "wide.csv": ("\ufeff" + HEAD.decode()).encode("utf-16"),
    "page.html": b"<html><body>Sign in</body></html>",
    "other.csv": b"name,price\nA,1\n",
    "zeros.csv": HEAD + b"PSN-US-10,\x00,US,USD,10,yes\n",
    "large.csv": HEAD + b"PSN-US-10,Ten,US,USD,10,yes\n" * 80_000,
    "long.csv": HEAD + b'"' + b"x" * 500_000,
    "list.json": b'[{"sku": "PSN-US-10"}]',
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_wrong_file_is_refused_with_a_sentence_or_line_by_line(shop: Shop, buyer: User, name: str) -> None:
    desk = Desk(buyer)
    file = SimpleUploadedFile(name, FILES[name], "text/csv")
    form = desk.open("catalog:import_new").form()
    before = Sku.objects.count()

    page = Page(desk.client.post(form.action, {**form.fields, "file": file}))

    assert page.status in {303, 422}
    if page.status == 422:
        assert "There is a problem" in page.text
        assert SkuImport.objects.count() == 0
    else:
        assert "Refuse" in desk.open(page.location).text
    assert Sku.objects.count() == before


RUBBISH = ["\x00", "🎁" * 50, "x" * 5000, "%", "'; --", "-1", "2026-02-31", "../../etc", "٣"]
LISTS = [
    "approvals:request_list",
    "audit:event_list",
    "bookkeeping:ledger",
    "bookkeeping:deposit_list",
    "bookkeeping:deposit_new",
    "catalog:product_list",
    "catalog:sku_list",
    "claims:case_list",
    "claims:case_new",
    "orders:order_list",
    "orders:order_new",
    "reconciliation:day_list",
    "search",
    "suppliers:webhook_list",
]
PARAMETERS = [
    "q",
    "view",
    "sort",
    "page",
    "size",
    "format",
    "supplier",
    "state",
    "region",
    "from",
    "to",
    "account",
    "currency",
]
PARAMETERS += [
    "type",
    "kind",
    "amount",
    "day",
    "person",
    "check",
    "sku",
    "mapping",
    "code",
    "order",
    "book",
    "group",
    "movement",
]


@pytest.mark.parametrize("name", LISTS)
def test_no_address_breaks_a_list(shop: Shop, all_roles: User, name: str) -> None:
    desk = Desk(all_roles)
    shop.order(desk.user)
    asked = [dict.fromkeys(PARAMETERS, value) for value in RUBBISH]
    asked += [{parameter: "\x00"} for parameter in PARAMETERS]
    desk.client.raise_request_exception = False
    answers = [(query, desk.client.get(reverse(name), query).status_code) for query in asked]
    assert [(query, status) for query, status in answers if status >= 500] == []


def test_a_nul_is_refused_with_a_sentence_wherever_it_stands(shop: Shop, buyer: User) -> None:
    desk = Desk(buyer)
    form = check_page(desk).form(reverse("orders:order_place"))
    answers = [
        desk.client.get(reverse("orders:order_list"), {"q": "a\x00b"}),
        desk.client.post(form.action, {**form.fields, "purpose": "a\x00b"}),
        desk.client.get("/hooks/a%00b/"),
        Client().post(reverse("login"), {"username": "a\x00b", "password": "x"}),
    ]

    for answer in answers:
        assert answer.status_code == 400
        assert "Nothing was changed. Go back and try again." in answer.content.decode()
    assert not Order.objects.exists()


def test_rubbish_in_the_search_box_is_only_not_found(shop: Shop, support: User) -> None:
    desk = Desk(support)
    form = desk.open("overview").form(reverse("search"))

    for text in RUBBISH:
        assert desk.client.post(form.action, {**form.fields, "q": text}).status_code in {200, 303, 400}


@pytest.mark.parametrize("name", ["orders:order_detail", "approvals:request_detail", "claims:claim_detail"])
def test_what_is_not_there_says_so(shop: Shop, manager: User, name: str) -> None:
    assert "Nothing was changed" in Desk(manager).open(name, uuid.uuid4(), status=404).text


# A supplier that is down


@pytest.fixture
def down(floor: Floor) -> Iterator[Floor]:
    """Both suppliers unreachable: nobody listens at their address."""
    floor.shop.sandbox.stop(signal.SIGQUIT)
    yield floor
    if floor.shop.sandbox.process is None:
        floor.shop.sandbox.start()


def come_back(floor: Floor) -> None:
    floor.shop.sandbox.start()
    floor.clock.agree()


@pytest.mark.requirement("R22", "R24")
@pytest.mark.parametrize("supplier", ["alpha", "psnb2b"])
def test_an_order_waits_while_its_supplier_is_down_and_goes_out_once(down: Floor, buyer: User, supplier: str) -> None:
    desk = Desk(buyer)
    page = desk.send(check_page(desk, supplier=supplier).form(reverse("orders:order_place")))
    order = Order.objects.get()
    assert place_order(str(order.pk)) is not None
    order.refresh_from_db()
    shown = desk.open(page.response.wsgi_request.path)
    assert order.state == "approved"
    assert "Nothing was" in shown.text or "waits" in shown.text
    assert postings.free_balance(supplier, "USD") == 5000_00 - order.max_total_minor

    come_back(down)
    down.work(240)

    order.refresh_from_db()
    assert (order.state, order.codes.count()) == ("codes_stored", 2)
    assert len(down.shop.sandbox.orders(supplier=supplier)) == 1


def test_pages_say_that_a_supplier_is_down_and_keep_what_is_known(down: Floor, buyer: User, admin: User) -> None:
    account = down.shop.accounts["alpha"]
    prices = list(Product.objects.order_by("pk").values_list("cost_minor", flat=True))
    desk = Desk(admin)
    detail = desk.open("suppliers:account_detail", account.pk)

    page = desk.send(detail.form("/balance/"), status=503)
    key = desk.open("suppliers:account_key", account.pk).form()
    refused = desk.send(key, status=422, kind="api_key", value="sandbox-alpha-key-000000002")

    assert "did not answer" in page.text or "could not be reached" in page.text
    assert "There is a problem" in refused.text
    account.refresh_from_db()
    assert account.api_key_last4 == "0001"
    assert list(Product.objects.order_by("pk").values_list("cost_minor", flat=True)) == prices
    assert check_page(Desk(buyer)).status == 200


def test_settings_are_those_of_a_sandbox() -> None:
    """Nothing in this file may ever run against a real supplier."""
    assert settings.ENVIRONMENT == "sandbox"
