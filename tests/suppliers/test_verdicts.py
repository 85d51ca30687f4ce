"""The table of what a status proves after a paid order or a claim."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.types import (
    ClaimReceipt,
    ClaimRefused,
    ClaimUnknown,
    NotPlaced,
    Placed,
    PlaceRequest,
    Unknown,
)
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.words import SOMETHING, in_words
from procurement.vault import Secret
from tests.suppliers.conftest import Script

pytestmark = pytest.mark.django_db
REQUEST = PlaceRequest("psn-us-50", "US", 5000, "USD", 2, "ORDER-1042", "8d91b0")
CODE = Secret("TST0-CANA-RY99")


def error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"Because {code}.", "request_id": "req_77"}}


def place(account: SupplierAccount, *answers: Any) -> Any:
    client = client_for(account, Script(*answers))
    return client.place_order(client.prepare_order(REQUEST), ("attempt", "a-1"))


PERMANENT = (400, 401, 402, 403, 404, 405, 413, 415, 422)
PROVES_NOTHING = (
    408,
    425,
    499,
    500,
    501,
    502,
    503,
    504,
    520,
    521,
    522,
    523,
    524,
    525,
    526,
    527,
    406,
    410,
    418,
    451,
    301,
    302,
    307,
)


@pytest.mark.requirement("R29")
@pytest.mark.parametrize("status", PERMANENT)
@pytest.mark.parametrize("dialect", ["alpha", "psnb2b"])
def test_refusal_in_json_is_certainly_no_order(status: int, dialect: str, request: pytest.FixtureRequest) -> None:
    verdict = place(request.getfixturevalue(dialect), (status, error("validation_failed")))
    assert isinstance(verdict, NotPlaced)
    assert verdict.permanent
    assert verdict.retry_at is None
    assert Exchange.objects.get().outcome == "not placed"


@pytest.mark.requirement("R26", "R31")
@pytest.mark.parametrize("status", PROVES_NOTHING)
def test_status_that_proves_nothing_is_unknown(status: int, psnb2b: SupplierAccount) -> None:
    verdict = place(psnb2b, (status, error("internal_error")))
    assert isinstance(verdict, Unknown)
    assert not verdict.placed_no_id
    assert verdict.reason == f"http_{status}"


@pytest.mark.requirement("R104")
@pytest.mark.parametrize("status", [200, 201, 400, 403, 404, 422, 429, 500, 502])
def test_page_of_html_proves_nothing_whatever_its_status(status: int, psnb2b: SupplierAccount) -> None:
    page = httpx.Response(status, html="<h1>Blocked</h1>")
    assert isinstance(place(psnb2b, page), Unknown)


@pytest.mark.parametrize("status", [401, 404, 413])
def test_bare_refusal_without_a_body_counts(status: int, psnb2b: SupplierAccount) -> None:
    verdict = place(psnb2b, httpx.Response(status))
    assert isinstance(verdict, NotPlaced)


@pytest.mark.requirement("R90")
@pytest.mark.parametrize(
    "answer",
    [
        (402, error("payment_required")),
        (422, error("insufficient_balance")),
        (400, {"kind": "InsufficientBalance", "status": 400, "title": "Bad Request", "detail": "no"}),
    ],
)
def test_too_little_balance_is_named(answer: Any, alpha: SupplierAccount) -> None:
    verdict = place(alpha, answer)
    assert isinstance(verdict, NotPlaced)
    assert verdict.reason_code == "insufficient_balance"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"type": "validation_error", "message": "x"}, "validation_error"),
        ({"code": 614, "detail": "Not enough card is available"}, "614"),
        ({"errors": [{"code": "out_of_stock", "message": ".."}], "status": "unprocessable_entity"}, "out_of_stock"),
        ({"status": False, "error": {"code": "INSUFFICIENT_STOCK", "message": "x"}}, "INSUFFICIENT_STOCK"),
        ({"info": {"code": "INFO_FUNDS"}}, "INFO_FUNDS"),
        ("just text", "http_422"),
        ([1, 2], "http_422"),
    ],
)
def test_error_shapes_of_the_field_are_understood(data: Any, code: str, alpha: SupplierAccount) -> None:
    verdict = place(alpha, (422, data))
    assert isinstance(verdict, NotPlaced)
    assert verdict.reason_code == code


@pytest.mark.requirement("R23")
def test_conflict_is_looked_up_and_not_repeated(alpha: SupplierAccount, psnb2b: SupplierAccount) -> None:
    for account in (alpha, psnb2b):
        verdict = place(account, (409, error("idempotency_conflict")))
        assert isinstance(verdict, Unknown)
        assert verdict.reason == "conflict"


@pytest.mark.requirement("R30")
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"status": "pending"},
        {"id": ""},
        {"id": None},
        {"id": "two words"},
        {"id": {"a": 1}},
        {"id": "x" * 91},
        [],
        "ok",
        True,
        {"status": False, "error": {"code": "INSUFFICIENT_STOCK"}},
    ],
)
def test_yes_without_a_usable_id_is_an_exception(data: Any, psnb2b: SupplierAccount) -> None:
    verdict = place(psnb2b, (201, data))
    assert isinstance(verdict, Unknown)
    assert verdict.placed_no_id
    assert Exchange.objects.get().outcome == "placed, no id"


@pytest.mark.parametrize("status", [200, 201, 202])
def test_yes_with_an_id_is_an_order_even_when_other_fields_do_not_fit(status: int, psnb2b: SupplierAccount) -> None:
    answer = {"id": 10293, "status": "brand_new", "total": "many", "quantity": -1, "denomination": 50}
    verdict = place(psnb2b, (status, answer))
    assert isinstance(verdict, Placed)
    assert (verdict.remote_id, verdict.status, verdict.raw_status) == ("10293", "unrecognised", "brand_new")
    assert set(verdict.misfits) == {"total", "quantity"}
    assert verdict.total is None


@pytest.mark.requirement("R18", "R20", "R21")
def test_alpha_order_carries_its_reference_and_key_in_the_same_bytes_each_time(alpha: SupplierAccount) -> None:
    script = Script(
        (201, {"order_id": "ord_1", "status": "processing"}), (200, {"order_id": "ord_1", "status": "processing"})
    )
    client = client_for(alpha, script)
    body = client.prepare_order(REQUEST)
    first, second = client.place_order(body), client.place_order(body)
    assert body == b'{"client_order_id":"ORDER-1042","idempotency_key":"8d91b0","product_id":"psn-us-50","quantity":2}'
    assert [request.content for request in script.requests] == [body, body]
    assert isinstance(first, Placed)
    assert isinstance(second, Placed)
    assert (first.replayed, second.replayed) == (False, True)
    assert client.idempotent


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(5000, "USD", b"50"), (1250, "USD", b"12.5"), (1000, "JPY", b"1000"), (1500, "KWD", b"1.5")],
)
def test_psnb2b_order_says_region_denomination_and_quantity_only(
    minor: int, currency: str, text: bytes, psnb2b: SupplierAccount
) -> None:
    client = client_for(psnb2b)
    body = client.prepare_order(PlaceRequest("x", "US", minor, currency, 2, "ORDER-1042", "8d91b0"))
    assert body == b'{"denomination":' + text + b',"quantity":2,"region":"US"}'
    assert not client.idempotent


def claim(account: SupplierAccount, *answers: Any) -> Any:
    return client_for(account, Script(*answers)).file_claim("psb_1", CODE, "invalid", "does not work", ("claim", "c-1"))


@pytest.mark.requirement("R67")
class TestClaims:
    def test_receipt(self, psnb2b: SupplierAccount) -> None:
        script = Script((201, {"id": "clm_1", "status": "received"}))
        verdict = client_for(psnb2b, script).file_claim("psb_1", CODE, "wrong_region", "x" * 3000)
        assert verdict == ClaimReceipt("clm_1", "received")
        sent = script.sent[0]
        assert (sent["order_id"], sent["code"], sent["reason"], len(sent["description"])) == (
            "psb_1", "TST0-CANA-RY99", "wrong_region", 2000,
        )  # fmt: skip

    @pytest.mark.parametrize("code", ["claim_window_closed", "already_claimed", "unknown_code"])
    def test_refusal(self, code: str, psnb2b: SupplierAccount) -> None:
        verdict = claim(psnb2b, (422, error(code)))
        assert isinstance(verdict, ClaimRefused)
        assert (verdict.reason_code, verdict.permanent) == (code, True)

    @pytest.mark.parametrize(
        "answer", [(500, {}), (201, {}), (201, []), httpx.ReadTimeout("x"), httpx.Response(200, text="ok")]
    )
    def test_no_readable_answer(self, answer: Any, psnb2b: SupplierAccount) -> None:
        assert isinstance(claim(psnb2b, answer), ClaimUnknown)

    def test_nothing_sent(self, psnb2b: SupplierAccount) -> None:
        verdict = claim(psnb2b, httpx.ConnectError("x"))
        assert isinstance(verdict, ClaimRefused)
        assert not verdict.permanent

    def test_the_code_is_masked_in_the_exchange_log(self, psnb2b: SupplierAccount) -> None:
        claim(psnb2b, (422, {"error": {"code": "unknown_code", "message": "TST0-CANA-RY99 is not of psb_1"}}))
        row = Exchange.objects.get()
        assert "CANA" not in row.request_body + row.response_body
        assert "RY99" in row.request_body
        assert "unknown_code" in row.response_body

    def test_only_reasons_the_supplier_knows(self, psnb2b: SupplierAccount) -> None:
        with pytest.raises(ValueError, match="not a reason"):
            client_for(psnb2b, Script((201, {}))).file_claim("psb_1", CODE, "broken")
        assert not Exchange.objects.exists()


@pytest.mark.parametrize(
    "error_class", [httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError, httpx.CloseError]
)
def test_a_sentence_holds_no_class_name_and_the_exchange_keeps_it(
    error_class: type[httpx.TransportError], psnb2b: SupplierAccount
) -> None:
    verdict = place(psnb2b, error_class("x"))

    assert isinstance(verdict, Unknown)
    assert not re.search(r"[a-z][A-Z]", verdict.sentence)
    assert "did not answer: " in verdict.sentence
    exchange = Exchange.objects.get()
    assert exchange.error_class == error_class.__name__
    assert exchange.error_class not in str(exchange)


def test_every_way_a_call_can_fail_has_words_of_its_own() -> None:
    ways = [cls.__name__ for cls in subclasses(httpx.TransportError) if not cls.__subclasses__()]

    assert [name for name in ways if in_words(name) == SOMETHING] == ["ProxyError"]
    assert in_words("SomethingNewError") == SOMETHING


def subclasses(base: type[object]) -> list[type[object]]:
    return [found for child in base.__subclasses__() for found in (child, *subclasses(child))]
