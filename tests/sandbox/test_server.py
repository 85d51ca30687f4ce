"""The program as a whole: restarts, the clock, the controls, the log, the desk."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.fixtures_sandbox import SandboxServer
from tests.sandbox.conftest import Receiver

Post = Callable[..., httpx.Response]
Later = Callable[[float], None]


@pytest.fixture
def own_server() -> Iterator[SandboxServer]:
    server = SandboxServer()
    yield server
    server.close()


def test_state_survives_a_kill(own_server: SandboxServer, receiver: Receiver) -> None:
    own_server.account("psnb2b", webhook_url=receiver.url, delivery_delay_seconds=0)
    own_server.settings(loop_enabled=False)
    own_server.set_clock(offset_seconds=-3_600)
    own_server.arm("psnb2b", "order_fails")
    own_server.arm("alpha", "key_revoked")
    with own_server.api("psnb2b") as psnb2b:
        order_id = psnb2b.post("orders", json={"region": "US", "denomination": 50, "quantity": 1}).json()["id"]
        for _ in range(58):
            psnb2b.get("balance")
    clock = own_server.call("GET", "clock")
    own_server.stop(signal.SIGKILL)
    own_server.start()
    assert own_server.call("GET", "clock")["offset_seconds"] == clock["offset_seconds"]
    assert [fault["remaining"] for fault in own_server.call("GET", "faults")["faults"]] == [0, 1]
    own_server.settings(loop_enabled=True)
    assert [body["status"] for body in receiver.wait_for(2)] == ["paid", "failed"]
    with own_server.api("psnb2b") as psnb2b:
        assert psnb2b.get(f"orders/{order_id}").json()["status"] == "failed"
        assert psnb2b.get("balance").status_code == 429, "the limit's window outlived the process"
    with own_server.api("alpha") as alpha:
        assert alpha.get("balance").status_code == 401


def test_clock_shifts_stands_and_comes_back(sandbox: SandboxServer, alpha_order: Post) -> None:
    assert alpha_order().json()["created_at"] == "2026-03-02T12:00:00.000Z"
    shifted = sandbox.set_clock(offset_seconds=-86_400)
    assert (shifted["offset_seconds"], shifted["frozen_at"]) == (-86_400, None)
    assert sandbox.set_clock()["offset_seconds"] == 0
    with pytest.raises(RuntimeError, match="RFC 3339"):
        sandbox.set_clock(frozen_at="yesterday")


def test_advance_hands_each_event_over_once(sandbox: SandboxServer, receiver: Receiver, alpha_order: Post) -> None:
    sandbox.settings(loop_enabled=False)
    sandbox.account("alpha", webhook_url=receiver.url, delivery_delay_seconds=0)
    alpha_order()
    assert [event["url"] for event in sandbox.advance()] == [receiver.url]
    assert sandbox.advance() == []
    assert receiver.received == []


@pytest.mark.requirement("R62")
def test_request_log_holds_no_key_and_no_code(
    sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post, later: Later
) -> None:
    order_id = psnb2b_order().json()["id"]
    later(2)
    code = psnb2b.get(f"orders/{order_id}/codes").json()["codes"][0]["code"]
    psnb2b.post("claims", json={"order_id": order_id, "code": code, "reason": "invalid"})
    psnb2b.get(f"orders/{code}")
    text = sandbox.control.get("requests").text + sandbox.control.get("orders").text
    assert "TST0-****-****" in text
    assert code not in text
    assert code[5:] not in text
    assert "sandbox-psnb2b-key-00000001" not in text
    assert [row["key_tail"] for row in sandbox.requests(method="POST")] == ["0001", "0001"]


def test_deposit_and_price_controls(sandbox: SandboxServer, alpha: httpx.Client, alpha_order: Post) -> None:
    sandbox.call("POST", "deposits", {"supplier": "alpha", "amount": "1000.00", "reference": "INV-7"})
    assert alpha.get("balance").json()["balances"][0]["available"] == "51000.00"
    assert sandbox.call("PUT", "products/alpha", {"region": "US", "percent": -10})["changed"] == 28
    assert alpha_order(quantity=1).json()["total_cost"] == "43.32"
    kinds = [row["kind"] for row in sandbox.call("GET", "movements", None, supplier="alpha")["movements"]]
    assert kinds == ["opening", "deposit", "order"]


@pytest.mark.parametrize(
    ("method", "path", "data", "status"),
    [
        ("PUT", "accounts/gamma", {"webhook_url": ""}, 404),
        ("PUT", "accounts/alpha", {"colour": "red"}, 422),
        ("PUT", "accounts/alpha", {"api_keys": "one"}, 422),
        ("PUT", "settings", {"limits_enabled": "no"}, 422),
        ("POST", "deposits", {"supplier": "alpha", "amount": "-5"}, 422),
        ("GET", "reset", None, 405),
    ],
)
def test_controls_refuse_what_does_not_fit(
    sandbox: SandboxServer, method: str, path: str, data: dict[str, object] | None, status: int
) -> None:
    before = sandbox.account("alpha")
    assert sandbox.control.request(method, path, json=data).status_code == status
    assert sandbox.account("alpha") == before


def test_another_sites_page_cannot_use_the_controls(sandbox: SandboxServer, alpha_order: Post) -> None:
    alpha_order()
    assert sandbox.control.post("reset", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert sandbox.control.post("reset", headers={"Host": "evil.example"}).status_code == 400
    assert sandbox.control.post("reset", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert len(sandbox.orders()) == 1


class Desk:
    """A browser without JavaScript: it fills the page's forms with their CSRF token."""

    def __init__(self, server: SandboxServer) -> None:
        self.client = httpx.Client(base_url=server.base_url, follow_redirects=True, trust_env=False)

    def page(self) -> str:
        return self.client.get("/faults/").text

    def press(self, action: str, **fields: str) -> httpx.Response:
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page())
        assert found
        return self.client.post(action, data=fields | {"csrfmiddlewaretoken": found[1]})


def test_person_arms_and_clears_a_fault_at_the_desk(sandbox: SandboxServer) -> None:
    desk = Desk(sandbox)
    assert "No fault is armed" in desk.page()
    armed = desk.press("/faults/arm", supplier="psnb2b", kind="slow_answer", count="2", settings="seconds=3")
    assert "seconds=3" in armed.text
    (fault,) = sandbox.call("GET", "faults")["faults"]
    assert (fault["kind"], fault["remaining"], fault["params"]["seconds"]) == ("slow_answer", 2, 3)
    assert "No fault is armed" in desk.press("/faults/clear", fault=str(fault["id"])).text


def test_count_of_zero_arms_until_cleared(sandbox: SandboxServer) -> None:
    Desk(sandbox).press("/faults/arm", supplier="alpha", kind="key_revoked", count="0")
    (fault,) = sandbox.call("GET", "faults")["faults"]
    assert fault["remaining"] is None


def test_desk_says_what_does_not_fit(sandbox: SandboxServer) -> None:
    refused = Desk(sandbox).press("/faults/arm", supplier="alpha", kind="tier_moved", count="1")
    assert refused.status_code == 422
    assert "Alpha PSN has no fault" in refused.text
    assert sandbox.call("GET", "faults")["faults"] == []


def test_person_decides_a_claim_at_the_desk(sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post) -> None:
    desk = Desk(sandbox)
    order_id = psnb2b_order().json()["id"]
    desk.press("/faults/advance")
    code = psnb2b.get(f"orders/{order_id}/codes").json()["codes"][0]["code"]
    claim = psnb2b.post("claims", json={"order_id": order_id, "code": code, "reason": "invalid"}).json()["id"]
    assert code not in desk.page()
    assert "credited" in desk.press(f"/faults/claims/{claim}", outcome="credit").text
    assert desk.press(f"/faults/claims/{claim}", outcome="replace").status_code == 422


def test_desk_needs_its_token_and_allows_no_inline_code(sandbox: SandboxServer) -> None:
    page = httpx.get(f"{sandbox.base_url}/faults/")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "<script" not in page.text
    assert " style=" not in page.text
    assert httpx.post(f"{sandbox.base_url}/faults/arm", data={"supplier": "alpha"}).status_code == 403
    assert httpx.get(f"{sandbox.base_url}/faults/desk.css").headers["Content-Type"] == "text/css"
