from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.fixtures_sandbox import SandboxServer

Post = Callable[..., httpx.Response]
Later = Callable[[float], None]


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


def available(alpha: httpx.Client) -> str:
    text: str = alpha.get("balance").json()["balances"][0]["available"]
    return text


@pytest.mark.requirement("R1", "R8")
def test_catalogue_holds_the_first_twelve_regions(alpha: httpx.Client) -> None:
    products = alpha.get("products").json()["products"]
    assert len(products) == 208
    assert len({product["region"] for product in products}) == 12
    card = next(product for product in products if product["product_id"] == "psn-ae-83")
    assert (card["region"], card["currency"], card["denomination"], card["cost_currency"]) == (
        "AE",
        "USD",
        "83.00",
        "USD",
    )


def test_prices_follow_the_ratios_of_public_tables(alpha: httpx.Client) -> None:
    costs = {product["product_id"]: product["unit_cost"] for product in alpha.get("products").json()["products"]}
    assert costs["psn-us-10"] == "9.95"
    assert costs["psn-us-100"] == "92.20"
    assert costs["psn-sa-100"] == "101.30"
    assert costs["psn-sa-15"] == "103.20", "the one cost copied onto the wrong row"


@pytest.mark.requirement("R18", "R27")
def test_new_order_is_created_and_charged(alpha: httpx.Client, alpha_order: Post) -> None:
    response = alpha_order()
    order = response.json()
    assert response.status_code == 201
    assert order["status"] == "processing"
    assert order["total_cost"] == "96.26"
    assert order["request_id"] == response.headers["X-Request-Id"]
    assert available(alpha) == "49903.74"


@pytest.mark.requirement("R21", "R22")
def test_same_key_and_body_replays_the_first_order(sandbox: SandboxServer, alpha_order: Post) -> None:
    first = alpha_order(client_order_id="ORDER-1042", idempotency_key="8d91b0")
    again = alpha_order(client_order_id="ORDER-1042", idempotency_key="8d91b0")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json()["order_id"] == first.json()["order_id"]
    assert len(sandbox.orders(client_order_id="ORDER-1042")) == 1


@pytest.mark.requirement("R23")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"idempotency_key": "8d91b0", "client_order_id": "ORDER-1042", "quantity": 3}, "idempotency_conflict"),
        ({"idempotency_key": "8d91b0", "client_order_id": "ORDER-1043"}, "idempotency_conflict"),
        ({"idempotency_key": "8d91b1", "client_order_id": "ORDER-1042"}, "duplicate_client_order_id"),
    ],
)
def test_reused_key_or_reference_is_refused(
    sandbox: SandboxServer, alpha_order: Post, changes: dict[str, Any], code: str
) -> None:
    alpha_order(client_order_id="ORDER-1042", idempotency_key="8d91b0")
    refused = alpha_order(**changes)
    assert refused.status_code == 409
    assert code_of(refused) == code
    assert len(sandbox.orders()) == 1


@pytest.mark.requirement("R38")
@pytest.mark.parametrize(
    "changes", [{"quantity": 0}, {"quantity": True}, {"quantity": "2"}, {"client_order_id": ""}, {"colour": "red"}]
)
def test_body_that_does_not_fit_is_refused(sandbox: SandboxServer, alpha_order: Post, changes: dict[str, Any]) -> None:
    refused = alpha_order(**changes)
    assert (refused.status_code, code_of(refused)) == (422, "invalid_request")
    assert sandbox.orders() == []


def test_body_must_be_json(alpha: httpx.Client, sandbox: SandboxServer) -> None:
    assert alpha.post("orders", content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert alpha.post("orders", data={"quantity": "1"}).status_code == 415
    assert sandbox.orders() == []


@pytest.mark.requirement("R90")
def test_order_beyond_the_balance_is_refused(sandbox: SandboxServer, alpha: httpx.Client, alpha_order: Post) -> None:
    sandbox.account("alpha", balance={"USD": "96.25"})
    refused = alpha_order()
    assert (refused.status_code, code_of(refused)) == (402, "insufficient_balance")
    assert available(alpha) == "96.25"
    assert sandbox.orders() == []


def test_order_beyond_the_stock_is_refused(sandbox: SandboxServer, alpha: httpx.Client, alpha_order: Post) -> None:
    sandbox.call("PUT", "products/alpha", {"product": "psn-us-50", "stock": 1})
    refused = alpha_order()
    assert (refused.status_code, code_of(refused)) == (422, "out_of_stock")
    assert available(alpha) == "50000.00"


def test_unknown_product_and_order_are_not_found(alpha: httpx.Client, alpha_order: Post) -> None:
    assert code_of(alpha_order(product_id="psn-us-51")) == "not_found"
    assert alpha.get("orders/ord_0").status_code == 404
    assert alpha.get("no/such/place").json()["error"]["code"] == "not_found"


@pytest.mark.requirement("R34", "R60", "R61")
def test_order_completes_after_the_delay_and_its_codes_stay(
    alpha: httpx.Client, alpha_order: Post, later: Later
) -> None:
    order_id = alpha_order().json()["order_id"]
    assert alpha.get(f"orders/{order_id}/delivery").status_code == 404
    later(1)
    order = alpha.get(f"orders/{order_id}").json()
    assert (order["status"], order["delivered_quantity"]) == ("completed", 2)
    codes = alpha.get(f"orders/{order_id}/delivery").json()
    assert len({code["code"] for code in codes["codes"]}) == 2
    assert {code["region"] for code in codes["codes"]} == {"US"}
    assert alpha.get(f"orders/{order_id}/delivery").json() == codes


@pytest.mark.requirement("R92")
def test_orders_of_a_day_come_page_by_page(
    sandbox: SandboxServer, alpha: httpx.Client, alpha_order: Post, later: Later
) -> None:
    for _ in range(51):
        alpha_order(quantity=1)
    later(86_400)
    alpha_order()
    day: dict[str, str] = {"created_from": "2026-03-02T00:00:00Z", "created_to": "2026-03-03T00:00:00Z"}
    first = alpha.get("orders", params=day).json()
    second = alpha.get("orders", params=day | {"cursor": first["next_cursor"]}).json()
    assert (len(first["orders"]), len(second["orders"]), second["next_cursor"]) == (50, 1, None)
    assert [order["client_order_id"] for order in second["orders"]] == ["ORDER-51"]
    found = alpha.get("orders", params={"client_order_id": "ORDER-7"}).json()["orders"]
    assert [order["client_order_id"] for order in found] == ["ORDER-7"]


@pytest.mark.parametrize(
    "query",
    [{"created_from": "yesterday"}, {"created_to": "2026-03-02T00:00:00"}, {"cursor": "x"}, {"status": "failed"}],
)
def test_list_refuses_what_it_cannot_read(alpha: httpx.Client, query: dict[str, str]) -> None:
    assert code_of(alpha.get("orders", params=query)) == "invalid_request"


@pytest.mark.requirement("R99", "R103")
def test_only_the_accounts_own_keys_open(sandbox: SandboxServer, alpha: httpx.Client) -> None:
    with sandbox.api("alpha", key="sandbox-psnb2b-key-00000001") as other:
        assert (other.get("balance").status_code, code_of(other.get("balance"))) == (401, "unauthorized")
    assert httpx.get(sandbox.url("alpha") + "balance").status_code == 401
    assert alpha.get("balance").status_code == 200


@pytest.mark.requirement("R102")
def test_rotated_keys_overlap(sandbox: SandboxServer, alpha: httpx.Client) -> None:
    sandbox.account("alpha", api_keys=["sandbox-alpha-key-000000001", "sandbox-alpha-key-000000002"])
    with sandbox.api("alpha", key="sandbox-alpha-key-000000002") as renewed:
        assert (alpha.get("balance").status_code, renewed.get("balance").status_code) == (200, 200)
        sandbox.account("alpha", api_keys=["sandbox-alpha-key-000000002"])
        assert (alpha.get("balance").status_code, renewed.get("balance").status_code) == (401, 200)


def test_codes_cannot_be_taken_for_real_ones(alpha: httpx.Client, alpha_order: Post, later: Later) -> None:
    order_id = alpha_order(quantity=200).json()["order_id"]
    later(1)
    codes = [row["code"] for row in alpha.get(f"orders/{order_id}/delivery").json()["codes"]]
    assert len(set(codes)) == 200
    for code in codes:
        assert code.startswith("TST0-")
        assert [len(group) for group in code.split("-")] == [4, 4, 4]
        assert weighted_sum(code.replace("-", "")) % 36 == 0


def weighted_sum(code: str) -> int:
    """Luhn's sum over 36 characters, counted from the check character."""
    total = 0
    for position, character in enumerate(reversed(code)):
        value = int(character, 36) * (1 + position % 2)
        total += sum(divmod(value, 36))
    return total


def test_same_seed_gives_the_same_orders_and_codes(
    sandbox: SandboxServer, alpha: httpx.Client, alpha_order: Post
) -> None:
    seen = []
    for seed in (5, 5, 6):
        sandbox.reset(seed=seed)
        sandbox.account("alpha", delivery_delay_seconds=0)
        order_id = alpha_order().json()["order_id"]
        seen.append((order_id, alpha.get(f"orders/{order_id}/delivery").text))
    assert seen[0] == seen[1] != seen[2]
