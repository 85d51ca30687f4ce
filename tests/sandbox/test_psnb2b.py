from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.fixtures_sandbox import SandboxServer

Post = Callable[..., httpx.Response]
Later = Callable[[float], None]

WEEK = 7 * 86_400


def code_of(response: httpx.Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


@pytest.mark.requirement("R7", "R8")
def test_inventory_names_price_and_stock_of_every_denomination(psnb2b: httpx.Client) -> None:
    rows = psnb2b.get("inventory").json()["inventory"]
    assert len(rows) == 208
    card = next(row for row in rows if (row["region"], row["denomination"]) == ("US", 50))
    assert (card["currency"], card["price"], card["price_currency"]) == ("USD", "48.71", "USD")


@pytest.mark.requirement("R86", "R87")
def test_tier_lowers_the_price_of_an_order(psnb2b: httpx.Client, psnb2b_order: Post) -> None:
    before = psnb2b.get("balance").json()
    assert before == {"balance": "50000.00", "currency": "USD", "tier": {"name": "Silver", "discount_percent": "2.50"}}
    order = psnb2b_order().json()
    assert order["total"] == "94.98", "2 x (48.71 less 2.50 %, rounded to 47.49)"
    assert psnb2b.get("balance").json()["balance"] == "49905.02"


@pytest.mark.requirement("R31")
def test_every_post_is_a_new_paid_order(sandbox: SandboxServer, psnb2b_order: Post) -> None:
    assert psnb2b_order().json()["id"] != psnb2b_order().json()["id"]
    assert len(sandbox.orders(supplier="psnb2b")) == 2


@pytest.mark.requirement("R32", "R59")
def test_order_is_pending_then_paid_then_delivered(psnb2b: httpx.Client, psnb2b_order: Post, later: Later) -> None:
    order = psnb2b_order().json()
    path = f"orders/{order['id']}"
    assert order["status"] == "pending"
    assert code_of(psnb2b.get(f"{path}/codes")) == "not_delivered"
    later(1)
    assert psnb2b.get(path).json()["status"] == "paid"
    assert psnb2b.get(f"{path}/codes").status_code == 409
    later(2)
    assert psnb2b.get(path).json()["status"] == "delivered"
    codes = psnb2b.get(f"{path}/codes").json()["codes"]
    assert [(code["region"], code["denomination"]) for code in codes] == [("US", 50), ("US", 50)]


@pytest.mark.parametrize(
    "changes",
    [
        {"region": "EU"},
        {"denomination": 51},
        {"denomination": "50"},
        {"denomination": 50.5},
        {"quantity": -1},
        {"idempotency_key": "8d91b0"},
    ],
)
def test_body_that_does_not_fit_is_refused(sandbox: SandboxServer, psnb2b_order: Post, changes: dict[str, Any]) -> None:
    refused = psnb2b_order(**changes)
    assert (refused.status_code, code_of(refused)) == (422, "validation_failed")
    assert sandbox.orders() == []


def test_short_balance_and_short_stock_are_refused(
    sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post
) -> None:
    sandbox.account("psnb2b", balance={"USD": "94.97"})
    assert (psnb2b_order().status_code, code_of(psnb2b_order())) == (422, "insufficient_balance")
    sandbox.call("PUT", "products/psnb2b", {"region": "US", "stock": 0})
    assert (psnb2b_order().status_code, code_of(psnb2b_order())) == (422, "out_of_stock")
    assert psnb2b.get("balance").json()["balance"] == "94.97"
    assert sandbox.orders() == []


@pytest.mark.requirement("R41")
def test_every_reply_carries_the_limit_headers(
    sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post
) -> None:
    replies = [psnb2b.get("inventory"), psnb2b_order(), psnb2b_order(quantity=0), psnb2b.get("no/such/place")]
    replies += [psnb2b.delete("orders"), httpx.get(sandbox.url("psnb2b") + "balance")]
    assert [reply.status_code for reply in replies] == [200, 201, 422, 404, 405, 401]
    assert all("Retry-After" in reply.headers for reply in replies)
    assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["59", "58", "57", "56", "55", "60"]


def delivered_code(psnb2b: httpx.Client, psnb2b_order: Post, later: Later) -> tuple[str, str]:
    order_id = psnb2b_order().json()["id"]
    later(2)
    return order_id, psnb2b.get(f"orders/{order_id}/codes").json()["codes"][0]["code"]


@pytest.mark.requirement("R67")
def test_claim_is_received_once(sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post, later: Later) -> None:
    order_id, code = delivered_code(psnb2b, psnb2b_order, later)
    claim = {"order_id": order_id, "code": code, "reason": "invalid", "description": "First line.\nSecond line."}
    received = psnb2b.post("claims", json=claim)
    assert (received.status_code, received.json()["status"]) == (201, "received")
    again = psnb2b.post("claims", json=claim)
    assert (again.status_code, code_of(again)) == (422, "already_claimed")
    assert len(sandbox.call("GET", "claims")["claims"]) == 1


@pytest.mark.requirement("R68", "R69")
@pytest.mark.parametrize(("seconds", "status"), [(2 + WEEK, 201), (2 + WEEK + 1, 422)])
def test_claims_close_after_seven_days(
    psnb2b: httpx.Client, psnb2b_order: Post, later: Later, seconds: int, status: int
) -> None:
    order_id, code = delivered_code(psnb2b, psnb2b_order, later)
    later(seconds)
    answer = psnb2b.post("claims", json={"order_id": order_id, "code": code, "reason": "failed"})
    assert answer.status_code == status
    if status == 422:
        assert code_of(answer) == "claim_window_closed"


def test_claim_for_a_strange_code_order_or_reason_is_refused(
    sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post, later: Later
) -> None:
    order_id, code = delivered_code(psnb2b, psnb2b_order, later)
    good = {"order_id": order_id, "code": code, "reason": "invalid"}
    assert code_of(psnb2b.post("claims", json=good | {"code": "TST0-0000-0000"})) == "unknown_code"
    assert code_of(psnb2b.post("claims", json=good | {"order_id": "psb_1"})) == "not_found"
    assert code_of(psnb2b.post("claims", json=good | {"reason": "unloved"})) == "validation_failed"
    assert sandbox.call("GET", "claims")["claims"] == []


@pytest.mark.requirement("R72")
@pytest.mark.parametrize(
    ("outcome", "state", "balance"),
    [("credit", "credited", "49952.51"), ("replace", "replaced", "49905.02"), ("decline", "declined", "49905.02")],
)
def test_person_decides_a_claim_once(
    sandbox: SandboxServer,
    psnb2b: httpx.Client,
    psnb2b_order: Post,
    later: Later,
    outcome: str,
    state: str,
    balance: str,
) -> None:
    order_id, code = delivered_code(psnb2b, psnb2b_order, later)
    claim = psnb2b.post("claims", json={"order_id": order_id, "code": code, "reason": "invalid"}).json()["id"]
    decided = sandbox.call("POST", f"claims/{claim}", {"outcome": outcome})
    assert decided["state"] == state
    assert bool(decided["replacement"]) == (outcome == "replace")
    with pytest.raises(RuntimeError, match="decided before"):
        sandbox.call("POST", f"claims/{claim}", {"outcome": "credit"})
    assert psnb2b.get("balance").json()["balance"] == balance
