from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.fixtures_sandbox import SandboxServer

Post = Callable[..., httpx.Response]
Later = Callable[[float], None]


@pytest.mark.requirement("R39", "R41")
def test_sixty_requests_fit_in_any_sixty_seconds(psnb2b: httpx.Client, later: Later) -> None:
    first = [psnb2b.get("balance") for _ in range(30)]
    later(30)
    second = [psnb2b.get("balance") for _ in range(31)]
    assert [answer.status_code for answer in first + second] == [200] * 60 + [429]
    assert [second[0].headers["X-RateLimit-Remaining"], second[29].headers["X-RateLimit-Remaining"]] == ["29", "0"]
    refused = second[30]
    assert (refused.json()["error"]["code"], refused.headers["Retry-After"]) == ("rate_limited", "30")
    later(59.9)
    assert psnb2b.get("balance").status_code == 429
    later(60)
    assert [psnb2b.get("balance").status_code for _ in range(31)] == [200] * 30 + [429]


@pytest.mark.requirement("R40")
def test_ten_orders_fit_in_any_sixty_seconds(
    sandbox: SandboxServer, psnb2b: httpx.Client, psnb2b_order: Post, later: Later
) -> None:
    answers = [psnb2b_order() for _ in range(11)]
    assert [answer.status_code for answer in answers] == [201] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "60"
    assert psnb2b.get("balance").status_code == 200, "reading goes on"
    assert len(sandbox.orders()) == 10
    later(60)
    assert psnb2b_order().status_code == 201


def test_limit_holds_when_requests_come_at_once(sandbox: SandboxServer, psnb2b: httpx.Client) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: psnb2b.get("balance").status_code, range(70)))
    assert (answers.count(200), answers.count(429)) == (60, 10)
    (key,) = sandbox.call("GET", "limits")["keys"]
    assert (key["most_requests_in_a_window"], key["refused"]) == (70, 10)


def test_report_tells_the_most_seen_in_any_window(sandbox: SandboxServer, psnb2b_order: Post, later: Later) -> None:
    for second in (0, 20, 40, 60, 80):
        later(second)
        psnb2b_order()
        psnb2b_order()
    (key,) = sandbox.call("GET", "limits")["keys"]
    assert (key["key_tail"], key["requests_now"]) == ("0001", 6)
    assert (key["most_requests_in_a_window"], key["most_orders_in_a_window"]) == (6, 6)


def test_each_key_has_its_own_limit_and_alpha_has_none(
    sandbox: SandboxServer, psnb2b: httpx.Client, alpha: httpx.Client
) -> None:
    sandbox.account("psnb2b", api_keys=["sandbox-psnb2b-key-00000001", "sandbox-psnb2b-key-00000002"])
    for _ in range(60):
        psnb2b.get("balance")
    with sandbox.api("psnb2b", key="sandbox-psnb2b-key-00000002") as other:
        assert (psnb2b.get("balance").status_code, other.get("balance").status_code) == (429, 200)
    assert {alpha.get("balance").status_code for _ in range(61)} == {200}


def test_limits_can_be_switched_off(sandbox: SandboxServer, psnb2b_order: Post) -> None:
    sandbox.settings(limits_enabled=False)
    assert {psnb2b_order().status_code for _ in range(61)} == {201}
