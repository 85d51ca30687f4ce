"""Each fault of the desk does what it says, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fixtures_sandbox import SandboxServer
from tests.sandbox.conftest import Receiver

Post = Callable[..., httpx.Response]
Later = Callable[[float], None]
Run = Callable[..., dict[str, Any]]

SUPPLIERS = ("alpha", "psnb2b")


@pytest.fixture
def post(alpha_order: Post, psnb2b_order: Post) -> Post:
    """Post an order of two US 50 at the named supplier."""

    def at(supplier: str, **changes: Any) -> httpx.Response:
        return {"alpha": alpha_order, "psnb2b": psnb2b_order}[supplier](**changes)

    return at


@pytest.fixture
def finished(sandbox: SandboxServer, alpha: httpx.Client, psnb2b: httpx.Client, post: Post, later: Later) -> Run:
    """Post an order, let it run to its end, and give its last state with its codes (None where there are none)."""

    def run(supplier: str, seconds: float = 10, **changes: Any) -> dict[str, Any]:
        answer = post(supplier, **changes).json()
        order_id = answer.get("order_id") or answer["id"]
        later(seconds)
        client, leaf = {"alpha": (alpha, "delivery"), "psnb2b": (psnb2b, "codes")}[supplier]
        codes = client.get(f"orders/{order_id}/{leaf}").json().get("codes")
        return client.get(f"orders/{order_id}").json() | {"codes": codes}

    return run


def refunded(sandbox: SandboxServer, supplier: str) -> str:
    orders = sandbox.orders(supplier=supplier)
    return str(orders[-1]["refunded"])


def lowered_by(sandbox: SandboxServer, supplier: str) -> int:
    """Cents the account has spent since the reset."""
    movements = sandbox.call("GET", "movements", None, supplier=supplier)["movements"]
    return -sum(row["minor"] for row in movements if row["kind"] != "opening")


@pytest.mark.parametrize("supplier", SUPPLIERS)
@pytest.mark.parametrize(("reset", "error"), [(False, httpx.RemoteProtocolError), (True, httpx.ReadError)])
def test_answer_lost_closes_the_connection_on_an_accepted_order(
    sandbox: SandboxServer, post: Post, supplier: str, reset: bool, error: type[httpx.HTTPError]
) -> None:
    sandbox.arm(supplier, "answer_lost", reset=reset)
    with pytest.raises(error):
        post(supplier)
    assert len(sandbox.orders(supplier=supplier)) == 1
    assert post(supplier).status_code == 201, "armed once, met once"


@pytest.mark.requirement("R21")
def test_lost_answer_can_be_asked_again_with_the_same_key(sandbox: SandboxServer, alpha_order: Post) -> None:
    sandbox.arm("alpha", "answer_lost")
    with pytest.raises(httpx.RemoteProtocolError):
        alpha_order(client_order_id="ORDER-1042", idempotency_key="8d91b0")
    again = alpha_order(client_order_id="ORDER-1042", idempotency_key="8d91b0")
    assert again.status_code == 200
    assert [order["order_id"] for order in sandbox.orders()] == [again.json()["order_id"]]


@pytest.mark.parametrize("supplier", SUPPLIERS)
@pytest.mark.parametrize(
    ("kind", "status", "accepted"),
    [
        ("error_after_accept", 500, 1),
        ("error_before_accept", 503, 0),
        ("html_502", 502, 1),
        ("empty_body", 200, 1),
        ("rate_limit_now", 429, 0),
        ("key_revoked", 401, 0),
    ],
)
def test_reply_faults_answer_wrongly_whether_the_order_stands_or_not(
    sandbox: SandboxServer, post: Post, supplier: str, kind: str, status: int, accepted: int
) -> None:
    sandbox.arm(supplier, kind)
    answer = post(supplier)
    assert answer.status_code == status
    assert len(sandbox.orders(supplier=supplier)) == accepted
    if kind == "html_502":
        assert answer.headers["Content-Type"] == "text/html"
    elif kind == "empty_body":
        assert answer.content == b""
    else:
        assert answer.json()["error"]["message"]


@pytest.mark.requirement("R43")
def test_rate_limit_now_says_how_long_to_wait(sandbox: SandboxServer, psnb2b: httpx.Client) -> None:
    sandbox.arm("psnb2b", "rate_limit_now", seconds=7)
    assert psnb2b.get("balance").headers["Retry-After"] == "7"
    assert psnb2b.get("balance").status_code == 200


@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_truncated_json_stops_half_way(sandbox: SandboxServer, post: Post, supplier: str) -> None:
    sandbox.arm(supplier, "truncated_json")
    answer = post(supplier)
    assert answer.status_code == 201
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        answer.json()
    assert len(sandbox.orders()) == 1


def test_slow_answer_comes_late_but_stands(sandbox: SandboxServer, post: Post) -> None:
    sandbox.arm("alpha", "slow_answer", seconds=0.4)
    started = time.monotonic()
    assert post("alpha").status_code == 201
    assert time.monotonic() - started >= 0.4


def test_fault_for_reads_spares_orders(sandbox: SandboxServer, psnb2b: httpx.Client, post: Post) -> None:
    sandbox.arm("psnb2b", "html_502", where="read")
    assert post("psnb2b").status_code == 201
    assert psnb2b.get("balance").status_code == 502


def test_fault_for_one_product_spares_the_others(sandbox: SandboxServer, alpha_order: Post) -> None:
    sandbox.arm("alpha", "order_fails", product="psn-gb-10")
    alpha_order()
    alpha_order(product_id="psn-gb-10")
    assert [order["faults"] for order in sandbox.orders()] == [[], ["order_fails"]]


def test_revoked_key_stays_revoked_until_cleared(sandbox: SandboxServer, alpha: httpx.Client) -> None:
    sandbox.arm("alpha", "key_revoked", count=None)
    assert [alpha.get("balance").status_code for _ in range(3)] == [401, 401, 401]
    sandbox.call("DELETE", "faults")
    assert alpha.get("balance").status_code == 200


@pytest.mark.requirement("R58")
@pytest.mark.parametrize(("supplier", "last"), [("alpha", "completed"), ("psnb2b", "delivered")])
def test_webhook_before_the_reply(
    sandbox: SandboxServer, receiver: Receiver, post: Post, supplier: str, last: str
) -> None:
    sandbox.account(supplier, webhook_url=receiver.url)
    sandbox.arm(supplier, "webhook_before_reply")
    assert post(supplier).json()["status"] in ("processing", "pending")
    assert receiver.bodies()[-1]["status"] == last, "it was here before the reply"


@pytest.mark.requirement("R53")
def test_webhook_three_times_repeats_one_event(sandbox: SandboxServer, post: Post, later: Later) -> None:
    sandbox.arm("alpha", "webhook_three_times")
    post("alpha")
    later(1)
    events = sandbox.advance()
    assert len(events) == 3
    assert len({event["body"] for event in events}) == 1


@pytest.mark.requirement("R54")
@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_no_webhook_leaves_it_to_polling(sandbox: SandboxServer, finished: Run, supplier: str) -> None:
    sandbox.arm(supplier, "no_webhook")
    assert finished(supplier)["codes"]
    assert sandbox.advance() == []


@pytest.mark.requirement("R57")
@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_delivered_then_failed_pays_back(sandbox: SandboxServer, finished: Run, supplier: str) -> None:
    sandbox.arm(supplier, "delivered_then_failed")
    assert finished(supplier)["status"] == "failed"
    statuses = [event["body"].count('"failed"') for event in sandbox.advance()]
    assert statuses[-1] == 1
    assert len(statuses) == {"alpha": 2, "psnb2b": 3}[supplier]
    assert lowered_by(sandbox, supplier) == 0


@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_failed_order_pays_back_unless_told_otherwise(sandbox: SandboxServer, finished: Run, supplier: str) -> None:
    sandbox.arm(supplier, "order_fails")
    order = finished(supplier)
    assert (order["status"], order["codes"], lowered_by(sandbox, supplier)) == ("failed", None, 0)
    sandbox.arm(supplier, "order_fails", refund=False)
    finished(supplier)
    assert lowered_by(sandbox, supplier) > 0


@pytest.mark.requirement("R60")
@pytest.mark.parametrize(
    ("supplier", "status", "back"), [("alpha", "partially_completed", "96.26"), ("psnb2b", "delivered", "94.98")]
)
def test_part_delivery_refunds_the_rest(
    sandbox: SandboxServer, finished: Run, supplier: str, status: str, back: str
) -> None:
    sandbox.arm(supplier, "part_delivery", codes=3)
    order = finished(supplier, quantity=5)
    assert (order["status"], len(order["codes"])) == (status, 3)
    assert refunded(sandbox, supplier) == back


def test_part_delivery_can_be_completed_later(
    sandbox: SandboxServer, alpha: httpx.Client, finished: Run, later: Later
) -> None:
    sandbox.arm("alpha", "part_delivery", codes=3, rest_after=60)
    part = finished("alpha", quantity=5)
    later(61)
    order = alpha.get(f"orders/{part['order_id']}").json()
    codes = alpha.get(f"orders/{part['order_id']}/delivery").json()["codes"]
    assert (order["status"], order["delivered_quantity"], order["refunded"]) == ("completed", 5, "0.00")
    assert codes[:3] == part["codes"]


@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_late_delivery_waits(sandbox: SandboxServer, finished: Run, later: Later, supplier: str) -> None:
    sandbox.arm(supplier, "late_delivery", seconds=3_600)
    assert finished(supplier)["codes"] is None
    later(3_602)
    sandbox.advance()
    assert sandbox.orders(supplier=supplier)[0]["delivered_at"]


@pytest.mark.requirement("R87")
def test_moved_price_and_tier_change_what_is_charged(sandbox: SandboxServer, psnb2b: httpx.Client, post: Post) -> None:
    sandbox.arm("psnb2b", "price_moved", percent=10)
    sandbox.arm("psnb2b", "tier_moved", name="Bronze", percent="1.00")
    assert post("psnb2b").json()["total"] == "106.08", "2 x (48.71 + 10 %, less 1.00 %)"
    assert psnb2b.get("balance").json()["tier"] == {"name": "Bronze", "discount_percent": "1.00"}
    prices = {(row["region"], row["denomination"]): row["price"] for row in psnb2b.get("inventory").json()["inventory"]}
    assert prices["US", 50] == "53.58"


@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_stock_gone_refuses_the_order(sandbox: SandboxServer, post: Post, supplier: str) -> None:
    sandbox.arm(supplier, "stock_gone")
    assert post(supplier).json()["error"]["code"] == "out_of_stock"
    assert (sandbox.orders(), lowered_by(sandbox, supplier)) == ([], 0)


@pytest.mark.parametrize(("supplier", "total"), [("alpha", "97.26"), ("psnb2b", "95.98")])
def test_wrong_amount_is_really_charged(sandbox: SandboxServer, post: Post, supplier: str, total: str) -> None:
    sandbox.arm(supplier, "wrong_amount")
    order = post(supplier).json()
    assert (order.get("total_cost") or order["total"]) == total
    assert f"{lowered_by(sandbox, supplier) / 100:.2f}" == total


@pytest.mark.requirement("R4")
@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_one_code_is_of_another_region(sandbox: SandboxServer, finished: Run, supplier: str) -> None:
    sandbox.arm(supplier, "wrong_region_code")
    assert [code["region"] for code in finished(supplier)["codes"]] == ["GB", "US"]


@pytest.mark.requirement("R61")
@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_one_code_was_delivered_before(sandbox: SandboxServer, finished: Run, supplier: str) -> None:
    earlier = finished(supplier)["codes"]
    sandbox.arm(supplier, "duplicate_code")
    codes = finished(supplier, seconds=20)["codes"]
    assert codes[0]["code"] == earlier[0]["code"]
    assert codes[1]["code"] not in {code["code"] for code in earlier}


@pytest.mark.parametrize("supplier", SUPPLIERS)
def test_one_code_is_cut_short(sandbox: SandboxServer, finished: Run, supplier: str) -> None:
    sandbox.arm(supplier, "truncated_code")
    assert [len(code["code"]) for code in finished(supplier)["codes"]] == [14, 12]


def test_balance_is_off_by_one_cent_once(sandbox: SandboxServer, alpha: httpx.Client, psnb2b: httpx.Client) -> None:
    for supplier in SUPPLIERS:
        sandbox.arm(supplier, "balance_off")
    assert [psnb2b.get("balance").json()["balance"] for _ in range(2)] == ["50000.01", "50000.00"]
    assert [alpha.get("balance").json()["balances"][0]["available"] for _ in range(2)] == ["50000.01", "50000.00"]


@pytest.mark.parametrize(("kind", "state"), [("claim_accepted", "credited"), ("claim_declined", "declined")])
def test_claim_is_decided_when_filed(
    sandbox: SandboxServer, psnb2b: httpx.Client, finished: Run, kind: str, state: str
) -> None:
    order = finished("psnb2b")
    sandbox.arm("psnb2b", kind)
    claim = {"order_id": order["id"], "code": order["codes"][0]["code"], "reason": "invalid"}
    assert psnb2b.post("claims", json=claim).json()["status"] == "received"
    assert sandbox.call("GET", "claims")["claims"][0]["state"] == state


@pytest.mark.parametrize(
    ("supplier", "kind", "params", "sentence"),
    [
        ("alpha", "tier_moved", {}, "no fault"),
        ("alpha", "earthquake", {}, "no fault"),
        ("alpha", "slow_answer", {"minutes": 1}, "knows no setting minutes"),
        ("alpha", "slow_answer", {"seconds": "long"}, "is a number"),
    ],
)
def test_fault_that_does_not_exist_is_not_armed(
    sandbox: SandboxServer, supplier: str, kind: str, params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(RuntimeError, match=sentence):
        sandbox.arm(supplier, kind, **params)
    assert sandbox.call("GET", "faults")["faults"] == []


def test_every_kind_of_fault_is_named_in_these_tests(sandbox: SandboxServer) -> None:
    kinds = sandbox.call("GET", "faults")["kinds"]
    text = "".join(Path(__file__).with_name(f"test_{name}.py").read_text() for name in ("faults", "webhooks"))
    assert [kind for kind in kinds if f'"{kind}"' not in text] == []
