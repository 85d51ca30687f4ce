"""Reading products, balances, orders and codes: strict about what is used, silent about the rest."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest

from procurement.suppliers.clients import check_code_environment, client_for, normal_status, problems
from procurement.suppliers.clients.types import Balance
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.states import KEY_REFUSED
from procurement.vault import SealBroken, Secret
from tests.suppliers.conftest import Script, make_account

pytestmark = pytest.mark.django_db

PRODUCT = {
    "product_id": "psn-us-50",
    "name": "PSN 50 USD",
    "region": "US",
    "currency": "USD",
    "denomination": "50.00",
    "unit_cost": "46.10",
    "cost_currency": "USD",
    "stock": 120,
    "colour": "blue",
}
ITEM = {"region": "TR", "currency": "TRY", "denomination": 250, "price": "5.12", "price_currency": "USD", "stock": 3}
ORDER = {"order_id": "ord_1", "status": "processing", "client_order_id": "ORDER-1042", "quantity": 2}


def changed(message: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {name: value for name, value in {**message, **fields}.items() if value is not ...}


@pytest.mark.requirement("R1", "R4", "R6")
def test_alpha_products(alpha: SupplierAccount) -> None:
    until = "2026-12-01T10:00:00+02:00"
    script = Script((200, {"products": [PRODUCT, changed(PRODUCT, product_id="x", stock=None, quoted_until=until)]}))
    first, second = client_for(alpha, script).list_products()
    assert (first.external_id, first.region, first.currency, first.denomination) == ("psn-us-50", "US", "USD", 5000)
    assert (first.unit_cost, first.cost_currency, first.stock) == (4610, "USD", 120)
    assert (second.stock, second.quoted_until) == (None, datetime(2026, 12, 1, 8, tzinfo=UTC))


@pytest.mark.requirement("R7", "R9")
def test_psnb2b_inventory(psnb2b: SupplierAccount) -> None:
    yen = changed(ITEM, region="JP", currency="JPY", denomination=1000, price="6.60")
    first, second = client_for(psnb2b, Script((200, {"inventory": [ITEM, yen]}))).list_products()
    assert (first.external_id, first.region, first.denomination, first.unit_cost) == ("TR-250", "TR", 25000, 512)
    assert (second.external_id, second.denomination, second.currency) == ("JP-1000", 1000, "JPY")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("product_id", ...),
        ("product_id", ""),
        ("region", None),
        ("region", 7),
        ("currency", "usd"),
        ("currency", "US"),
        ("denomination", "fifty"),
        ("denomination", "-5"),
        ("denomination", True),
        ("denomination", "1e3"),
        ("unit_cost", "46,10"),
        ("unit_cost", None),
        ("stock", "many"),
        ("stock", -1),
        ("stock", ...),
        ("quoted_until", "tomorrow"),
        ("quoted_until", "2026-12-01T10:00:00"),
    ],
)
def test_misfit_names_its_field_and_not_its_value(field: str, value: Any, alpha: SupplierAccount) -> None:
    script = Script((200, {"products": [PRODUCT, changed(PRODUCT, **{field: value})]}))
    with pytest.raises(problems.Misfit, match=rf"products\.1\.{field}"):
        client_for(alpha, script).list_products()


def test_more_decimals_than_the_currency_has_are_refused(alpha: SupplierAccount) -> None:
    for fields in ({"unit_cost": "46.105"}, {"currency": "JPY", "denomination": "50.5"}):
        script = Script((200, {"products": [changed(PRODUCT, **fields)]}))
        with pytest.raises(problems.Misfit, match="decimals"):
            client_for(alpha, script).list_products()


@pytest.mark.requirement("R85", "R86")
def test_balances(alpha: SupplierAccount, psnb2b: SupplierAccount) -> None:
    answer = {
        "balances": [{"currency": "USD", "available": "10.50", "reserved": "1"}, {"currency": "EUR", "available": 7}]
    }
    reading = client_for(alpha, Script((200, answer))).read_balance()
    assert reading.balances == (Balance("USD", 1050, 100), Balance("EUR", 700, 0))
    tiered = {"balance": "1250.00", "currency": "USD", "tier": {"name": "Silver", "discount_percent": "2.50"}}
    reading = client_for(psnb2b, Script((200, tiered))).read_balance()
    assert (reading.balances, reading.tier_name, reading.tier_discount_bp) == ((Balance("USD", 125000),), "Silver", 250)


@pytest.mark.requirement("R32", "R34", "R36")
@pytest.mark.parametrize(
    ("dialect", "raw", "ours"),
    [
        ("alpha", "processing", "processing"),
        ("alpha", "completed", "delivered"),
        ("alpha", "partially_completed", "partly_delivered"),
        ("alpha", "failed", "failed"),
        ("alpha", "refunded", "refunded"),
        ("psnb2b", "pending", "processing"),
        ("psnb2b", "paid", "paid"),
        ("psnb2b", "delivered", "delivered"),
        ("psnb2b", "failed", "failed"),
        ("psnb2b", "completed", "unrecognised"),
        ("alpha", "on_the_moon", "unrecognised"),
    ],
)
def test_status_words(dialect: str, raw: str, ours: str, request: pytest.FixtureRequest) -> None:
    account = request.getfixturevalue(dialect)
    answer = {"order_id": "o-1", "id": "o-1", "status": raw}
    order = client_for(account, Script((200, answer))).read_order("o-1")
    assert (order.status, order.raw_status) == (ours, raw)
    assert normal_status(dialect, raw) == ours


def test_order_with_all_its_fields(alpha: SupplierAccount) -> None:
    answer = changed(
        ORDER,
        status="refunded",
        delivered_quantity=1,
        total_cost="92.20",
        refunded="46.10",
        created_at="2026-11-21T09:00:00Z",
    )
    order = client_for(alpha, Script((200, answer))).read_order("ord_1")
    assert (order.total, order.refunded, order.currency, order.delivered_quantity) == (9220, 4610, "USD", 1)
    assert order.created_at == datetime(2026, 11, 21, 9, tzinfo=UTC)


@pytest.mark.parametrize("dialect", ["alpha", "psnb2b"])
def test_answer_about_another_order_is_refused(dialect: str, request: pytest.FixtureRequest) -> None:
    other = {"order_id": "o-2", "id": "o-2", "status": "failed", "codes": []}
    client = client_for(request.getfixturevalue(dialect), Script((200, other)))
    with pytest.raises(problems.Misfit, match="o-2"):
        client.read_order("o-1")
    with pytest.raises(problems.Misfit, match="o-2"):
        client.read_codes("o-1")


def test_order_id_cannot_leave_its_path(psnb2b: SupplierAccount) -> None:
    script = Script((404, {"error": {"code": "not_found"}}))
    with pytest.raises(problems.NotFound):
        client_for(psnb2b, script).read_order("../balance?x=1")
    assert script.requests[0].url.raw_path == b"/v1/orders/..%2Fbalance%3Fx%3D1"


@pytest.mark.requirement("R59", "R62")
def test_codes_are_secrets_and_masked_in_the_log(psnb2b: SupplierAccount, alpha: SupplierAccount) -> None:
    one = {"code": "TST0-CANA-RY99", "region": "US", "denomination": 50}
    answer = {
        "order_id": "o-1",
        "codes": [one, {**one, "code": "TST0CANARY98", "pin": "CANA1", "other": "CANARY-IN-A-FIELD"}],
    }
    first, second = client_for(psnb2b, Script((200, answer))).read_codes("o-1")
    assert (first.code, first.region, first.denomination) == (Secret("TST0-CANA-RY99"), "US", Decimal(50))
    assert second.code == Secret("TST0CANARY98")
    with pytest.raises(problems.Misfit):
        client_for(alpha, Script((200, {"order_id": "o-1", "codes": [{"region": "US"}]}))).read_codes("o-1")
    for row in Exchange.objects.all():
        assert "CANA" not in row.response_body
    assert "CANA" not in repr(first) + repr(answer.__class__)


def test_codes_in_an_unreadable_body_are_not_kept_at_all(psnb2b: SupplierAccount) -> None:
    broken = httpx.Response(
        200, content=b'{"codes":[{"code":"CANA RY", "x', headers={"Content-Type": "application/json"}
    )
    with pytest.raises(problems.NoAnswer):
        client_for(psnb2b, Script(broken)).read_codes("o-1")
    assert "CANA" not in Exchange.objects.get().response_body


def test_codes_before_delivery_are_not_ready(psnb2b: SupplierAccount) -> None:
    with pytest.raises(problems.NotReady):
        client_for(psnb2b, Script((409, {"error": {"code": "not_delivered"}}))).read_codes("o-1")


@pytest.mark.requirement("R19")
class TestLookingUp:
    def test_alpha_finds_by_reference(self, alpha: SupplierAccount) -> None:
        other = changed(ORDER, order_id="ord_2", client_order_id="ORDER-10421")
        found = client_for(alpha, Script((200, {"orders": [other, ORDER]}))).find_order("ORDER-1042")
        assert found is not None
        assert found.remote_id == "ord_1"
        assert client_for(alpha, Script((200, {"orders": [other]}))).find_order("ORDER-1042") is None

    def test_two_orders_with_our_reference_need_a_person(self, alpha: SupplierAccount) -> None:
        twice = {"orders": [ORDER, changed(ORDER, order_id="ord_2")]}
        with pytest.raises(problems.Misfit, match="2 orders"):
            client_for(alpha, Script((200, twice))).find_order("ORDER-1042")

    def test_all_pages_are_read(self, alpha: SupplierAccount) -> None:
        pages = [
            (
                200,
                {
                    "orders": [changed(ORDER, order_id=f"ord_{number}")],
                    "next_cursor": f"c{number}" if number < 3 else None,
                },
            )
            for number in (1, 2, 3)
        ]
        script = Script(*pages)
        day = datetime(2026, 11, 21, tzinfo=UTC)
        found = client_for(alpha, script).list_orders(day, day)
        assert found is not None
        assert [one.remote_id for one in found] == ["ord_1", "ord_2", "ord_3"]
        assert [request.url.params.get("cursor") for request in script.requests] == [None, "c1", "c2"]

    def test_psnb2b_has_no_list_and_says_so(self, psnb2b: SupplierAccount) -> None:
        client = client_for(psnb2b, Script((200, {})))
        day = datetime(2026, 11, 21, tzinfo=UTC)
        assert client.list_orders(day, day) is None
        with pytest.raises(problems.NotOffered):
            client.find_order("ORDER-1042")
        assert not Exchange.objects.exists()

    def test_alpha_takes_no_claims(self, alpha: SupplierAccount) -> None:
        client = client_for(alpha, Script((200, {})))
        assert not client.takes_claims
        with pytest.raises(problems.NotOffered):
            client.file_claim("ord_1", Secret("TST0-CANA-RY99"), "invalid")
        assert not Exchange.objects.exists()


def test_assumed_paths_and_names_are_settings_of_the_account() -> None:
    settings = {"paths": {"inventory": "/v2/stock"}, "fields": {"inventory": "items", "price": "cost"}}
    account = make_account("psnb2b", settings=settings)
    item = changed(ITEM, price=..., cost="5.12")
    script = Script((200, {"items": [item]}))
    assert client_for(account, script).list_products()[0].unit_cost == 512
    assert script.requests[0].url.path == "/v1/v2/stock"


@pytest.mark.requirement("R27", "R99")
def test_every_call_is_recorded_with_both_ids(psnb2b: SupplierAccount) -> None:
    answer = httpx.Response(
        200,
        json={"id": "o-1", "status": "paid", "note": "key sk_psnb2b_CANARY_KEY_0002"},
        headers={"X-Request-Id": "sup-9", "X-RateLimit-Remaining": "41", "Retry-After": "0"},
    )
    script = Script(answer)
    client_for(psnb2b, script).read_order("o-1", ("orders.order", "ORD-7"))
    row = Exchange.objects.get()
    assert (row.purpose, row.method, row.path, row.status, row.outcome) == (
        "orders.read",
        "GET",
        "/orders/o-1",
        200,
        "read",
    )
    assert (row.response_id, row.remaining_calls, row.retry_after) == ("sup-9", 41, "0")
    assert (row.subject_kind, row.subject_id, row.sent) == ("orders.order", "ORD-7", True)
    assert script.requests[0].headers["X-Request-Id"] == str(row.request_id)
    assert script.requests[0].headers["Authorization"] == "Bearer sk_psnb2b_CANARY_KEY_0002"
    assert "CANARY" not in row.response_body


@pytest.mark.requirement("R104")
@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, text="[]", headers={"Content-Type": "text/plain"}),
        httpx.Response(
            200, content=b'{"id":"o-1","id":"o-2","status":"paid"}', headers={"Content-Type": "application/json"}
        ),
        httpx.Response(
            200, content=b'{"id":"o-1","status":"paid","x":NaN}', headers={"Content-Type": "application/json"}
        ),
        httpx.Response(200, content=b"[" * 100_000, headers={"Content-Type": "application/json"}),
        httpx.Response(200, content=b"\xff\xfe", headers={"Content-Type": "application/json"}),
        httpx.Response(200),
        httpx.Response(302, headers={"Location": "https://evil.example/"}),
        httpx.Response(500, json={}),
    ],
)
def test_anything_but_json_is_an_error_never_a_success(answer: httpx.Response, psnb2b: SupplierAccount) -> None:
    with pytest.raises(problems.NoAnswer):
        client_for(psnb2b, Script(answer)).read_order("o-1")


@pytest.mark.requirement("R103")
def test_a_key_opens_for_its_own_account_and_host_only(alpha: SupplierAccount, psnb2b: SupplierAccount) -> None:
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(api_key_sealed=bytes(alpha.api_key_sealed))
    SupplierAccount.objects.filter(pk=alpha.pk).update(base_url="https://evil.example/v1")
    for account in SupplierAccount.objects.all():
        script = Script((200, {}))
        with pytest.raises(SealBroken):
            client_for(account, script).read_balance()
        assert script.requests == []


@pytest.mark.requirement("R25")
@pytest.mark.parametrize("status", [401, 403])
def test_refused_key_takes_the_account_out_of_use(status: int, psnb2b: SupplierAccount) -> None:
    with pytest.raises(problems.KeyRefused):
        client_for(psnb2b, Script((status, {"error": {"code": "unauthorized"}}))).read_balance()
    psnb2b.refresh_from_db()
    assert psnb2b.state == KEY_REFUSED


@pytest.mark.requirement("R108")
def test_sandbox_and_live_codes_do_not_mix(alpha: SupplierAccount) -> None:
    check_code_environment(alpha, Secret("tst0-aaaa-bbbb"))
    with pytest.raises(problems.WrongEnvironment):
        check_code_environment(alpha, Secret("ABCD-EFGH-2345"))
    alpha.environment = "live"
    check_code_environment(alpha, Secret("ABCD-EFGH-2345"))
    with pytest.raises(problems.WrongEnvironment) as caught:
        check_code_environment(alpha, Secret("TST0-CANA-RY99"))
    assert "CANA" not in caught.value.sentence


@pytest.mark.requirement("R108")
def test_a_sandbox_installation_never_calls_a_live_account() -> None:
    account = make_account("psnb2b", environment="live")
    script = Script((201, {"id": "psb_1", "status": "pending"}))
    for call in (client_for(account, script).read_balance, lambda: client_for(account, script).place_order(b"{}")):
        with pytest.raises(problems.WrongEnvironment):
            call()
    assert script.requests == []
