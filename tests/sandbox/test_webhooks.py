from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.fixtures_sandbox import SECRETS, SandboxServer
from tests.sandbox.conftest import NOON, Receiver

Post = Callable[..., httpx.Response]
Later = Callable[[float], None]


def alpha_signature(body: dict[str, Any], secret: str) -> str:
    """Worked out here from the contract's words alone."""
    unsigned = {name: body[name] for name in sorted(body) if name != "signature"}
    text = json.dumps(unsigned, separators=(",", ":"), ensure_ascii=False)
    return "sha256=" + hmac.new(secret.encode(), f"{body['timestamp']}.{text}".encode(), hashlib.sha256).hexdigest()


@pytest.mark.requirement("R46", "R50")
def test_alpha_signs_inside_the_body(sandbox: SandboxServer, alpha_order: Post, later: Later) -> None:
    alpha_order(client_order_id="Aufträge-1042")
    later(1)
    (event,) = sandbox.advance()
    body = json.loads(event["body"])
    assert body["event"] == "order.fulfilled"
    assert (body["status"], body["client_order_id"]) == ("completed", "Aufträge-1042")
    assert body["signature"] == alpha_signature(body, SECRETS["alpha"])


@pytest.mark.requirement("R51", "R52")
def test_psnb2b_signs_the_raw_body_in_a_header(sandbox: SandboxServer, psnb2b_order: Post, later: Later) -> None:
    order_id = psnb2b_order().json()["id"]
    later(2)
    events = sandbox.advance()
    moves = [(body["order_id"], body["previous_status"], body["status"]) for body in map(read, events)]
    assert moves == [(order_id, "pending", "paid"), (order_id, "paid", "delivered")]
    for event in events:
        digest = hmac.new(SECRETS["psnb2b"].encode(), event["body"].encode(), hashlib.sha256).hexdigest()
        assert event["headers"]["X-PSNB2B-Signature"] == digest


def read(event: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(event["body"])
    return body


@pytest.mark.requirement("R47")
def test_bad_signature_does_not_fit_the_secret(
    sandbox: SandboxServer, alpha_order: Post, psnb2b_order: Post, later: Later
) -> None:
    for supplier in ("alpha", "psnb2b"):
        sandbox.arm(supplier, "bad_signature")
    alpha_order()
    psnb2b_order()
    later(1)
    events = {event["supplier"]: event for event in sandbox.advance()}
    body = read(events["alpha"])
    digest = hmac.new(SECRETS["psnb2b"].encode(), events["psnb2b"]["body"].encode(), hashlib.sha256).hexdigest()
    assert body["signature"] != alpha_signature(body, SECRETS["alpha"])
    assert events["psnb2b"]["headers"]["X-PSNB2B-Signature"] != digest


@pytest.mark.requirement("R48")
def test_old_timestamp_is_signed_well_but_stale(sandbox: SandboxServer, alpha_order: Post, later: Later) -> None:
    sandbox.arm("alpha", "old_timestamp", minutes=90)
    alpha_order()
    later(60)
    (event,) = sandbox.advance()
    body = read(event)
    assert body["signature"] == alpha_signature(body, SECRETS["alpha"])
    age = datetime.fromisoformat(NOON).timestamp() + 60 - datetime.fromisoformat(body["timestamp"]).timestamp()
    assert age == 90 * 60


def test_events_are_sent_without_being_asked_for(
    sandbox: SandboxServer, receiver: Receiver, alpha_order: Post, psnb2b_order: Post
) -> None:
    sandbox.set_clock(offset_seconds=0)
    for supplier in ("alpha", "psnb2b"):
        sandbox.account(supplier, webhook_url=receiver.url, delivery_delay_seconds=0)
    alpha_order()
    psnb2b_order()
    assert [body["status"] for body in receiver.wait_for(3)] == ["completed", "paid", "delivered"]


@pytest.mark.requirement("R53")
def test_refused_event_comes_again_after_growing_waits_for_a_day(
    sandbox: SandboxServer, receiver: Receiver, psnb2b_order: Post, later: Later
) -> None:
    sandbox.settings(loop_enabled=False)
    sandbox.account("psnb2b", webhook_url=receiver.url, delivery_delay_seconds=0)
    receiver.answer = 500
    order_id = psnb2b_order().json()["id"]
    attempts = []
    for second in [0, 9, 10, 29, 30, 69, 70, 149, 150, 90_000]:
        later(second)
        attempts.append(len(sandbox.advance(collect=False)) // 2)
    assert attempts == [1, 0, 1, 0, 1, 0, 1, 0, 1, 1], "after 10, 20, 40 and 80 seconds, and one last late time"
    assert len({body for _, body in receiver.received}) == 2, "every attempt repeats the same bytes"
    events = sandbox.call("GET", "webhooks", None, order_id=order_id)["webhooks"]
    assert {(event["tries"], event["due_at"], event["answer"]) for event in events} == {(6, None, "500")}


def test_alpha_stamps_each_attempt_and_keeps_the_event_id(
    sandbox: SandboxServer, receiver: Receiver, alpha_order: Post, later: Later
) -> None:
    sandbox.settings(loop_enabled=False)
    sandbox.account("alpha", webhook_url=receiver.url, delivery_delay_seconds=0)
    receiver.answer = 503
    alpha_order()
    sandbox.advance(collect=False)
    later(10)
    receiver.answer = 204
    sandbox.advance(collect=False)
    later(3_600)
    assert sandbox.advance(collect=False) == []
    first, second = receiver.bodies()
    assert first["event_id"] == second["event_id"]
    assert (first["timestamp"], second["timestamp"]) == ("2026-03-02T12:00:00.000Z", "2026-03-02T12:00:10.000Z")


@pytest.mark.parametrize("kind", ["bad_signature", "old_timestamp"])
def test_forged_looking_event_is_sent_once(
    sandbox: SandboxServer, receiver: Receiver, alpha_order: Post, later: Later, kind: str
) -> None:
    sandbox.settings(loop_enabled=False)
    sandbox.account("alpha", webhook_url=receiver.url, delivery_delay_seconds=0)
    receiver.answer = 401
    sandbox.arm("alpha", kind)
    alpha_order()
    sandbox.advance(collect=False)
    later(3_600)
    sandbox.advance(collect=False)
    assert len(receiver.received) == 1
