"""Both clients and the webhook receiver against the supplier sandbox over real HTTP."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from procurement.suppliers.clients import check_code_environment, client_for, problems
from procurement.suppliers.clients.types import (
    ClaimReceipt,
    ClaimRefused,
    NotPlaced,
    Placed,
    PlaceRequest,
    ProductOffer,
    Unknown,
)
from procurement.suppliers.models import Exchange, SupplierAccount, WebhookEvent
from procurement.suppliers.services import create_account, set_api_key, set_webhook_secret
from tests.fixtures_sandbox import KEYS, SECRETS, SandboxServer, sandbox_server
from tests.suppliers.conftest import NO_LIMITS
from tests.suppliers.test_webhooks import post

__all__ = ["sandbox_server"]
pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R106", "R107")]


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> SandboxServer:
    """Both suppliers as new, on the real clock, delivering at once, counting no limits."""
    sandbox_server.reset()
    sandbox_server.set_clock()
    sandbox_server.settings(limits_enabled=False, loop_enabled=False)
    for supplier in KEYS:
        sandbox_server.account(supplier, delivery_delay_seconds=0)
    return sandbox_server


def connect(sandbox: SandboxServer, dialect: str, key: str = "") -> SupplierAccount:
    account = create_account(
        by=None,
        code=f"{dialect}-{uuid.uuid4().hex[:6]}",
        name=dialect,
        dialect=dialect,
        base_url=sandbox.url(dialect),
        settlement_currency="USD",
        settings=NO_LIMITS,
    )
    set_api_key(by=None, account=account, key=key or KEYS[dialect])
    set_webhook_secret(by=None, account=account, secret=SECRETS[dialect])
    return account


def request_for(offer: ProductOffer, quantity: int = 2) -> PlaceRequest:
    return PlaceRequest(
        external_id=offer.external_id,
        region=offer.region,
        denomination=offer.denomination,
        face_currency=offer.currency,
        quantity=quantity,
        client_order_id=f"ORDER-{uuid.uuid4().hex[:8]}",
        idempotency_key=uuid.uuid4().hex,
    )


def in_stock(account: SupplierAccount, region: str = "US") -> ProductOffer:
    offers = client_for(account).list_products()
    return next(one for one in offers if one.region == region and (one.stock or 0) >= 10)


DIALECTS = pytest.mark.parametrize("dialect", ["alpha", "psnb2b"])


@DIALECTS
def test_catalogue_and_balance_are_read(dialect: str, sandbox: SandboxServer) -> None:
    account = connect(sandbox, dialect)
    offers = client_for(account).list_products()
    assert len({offer.region for offer in offers}) >= 12
    assert len(offers) >= 190
    assert len({offer.external_id for offer in offers}) == len(offers)
    reading = client_for(account).read_balance()
    assert any(balance.currency == "USD" and balance.available > 0 for balance in reading.balances)
    assert bool(reading.tier_name) is (dialect == "psnb2b")


@DIALECTS
def test_an_order_runs_from_placing_to_codes_and_its_events_are_taken(dialect: str, sandbox: SandboxServer) -> None:
    account = connect(sandbox, dialect)
    client = client_for(account)
    before = client.read_balance().balances[0].available
    offer = in_stock(account)
    request = request_for(offer)
    placed = client.place_order(client.prepare_order(request), ("attempt", "1"))
    assert isinstance(placed, Placed)
    assert (placed.quantity, placed.misfits) == (2, ())
    events = sandbox.advance()
    order = client.read_order(placed.remote_id)
    assert (order.status, order.quantity) == ("delivered", 2)
    codes = client.read_codes(placed.remote_id)
    assert len(codes) == 2
    for code in codes:
        check_code_environment(account, code.code)
        assert code.region == offer.region
        assert code.code.expose() not in repr(list(Exchange.objects.values()))
    assert client.read_codes(placed.remote_id) == codes
    assert before - client.read_balance().balances[0].available == placed.total
    for event in events:
        headers = {name: value for name, value in event["headers"].items() if name.lower() != "content-type"}
        assert post(account, event["body"].encode(), **headers).status_code == 200
    assert set(WebhookEvent.objects.values_list("result", "remote_order_id")) == {("being_handled", placed.remote_id)}


@pytest.mark.requirement("R21", "R22")
def test_alpha_gives_the_first_order_back_for_the_same_bytes(sandbox: SandboxServer) -> None:
    account = connect(sandbox, "alpha")
    client = client_for(account)
    request = request_for(in_stock(account))
    body = client.prepare_order(request)
    sandbox.arm("alpha", "answer_lost")
    lost = client.place_order(body)
    assert isinstance(lost, Unknown)
    again = client.place_order(body)
    assert isinstance(again, Placed)
    assert again.replayed
    found = client.find_order(request.client_order_id)
    assert found is not None
    assert found.remote_id == again.remote_id
    now = timezone.now()
    listed = client.list_orders(now - timedelta(hours=1), now + timedelta(hours=1))
    assert listed is not None
    assert [one.remote_id for one in listed] == [again.remote_id]
    assert len(sandbox.orders()) == 1


@pytest.mark.requirement("R26", "R31")
@DIALECTS
@pytest.mark.parametrize(
    ("fault", "params"),
    [
        ("answer_lost", {}),
        ("answer_lost", {"reset": True}),
        ("error_after_accept", {"status": 503}),
        ("error_before_accept", {"status": 500}),
        ("html_502", {}),
        ("empty_body", {}),
        ("truncated_json", {}),
    ],
)
def test_whatever_hides_an_order_is_unknown(
    fault: str, params: dict[str, Any], dialect: str, sandbox: SandboxServer
) -> None:
    account = connect(sandbox, dialect)
    client = client_for(account)
    body = client.prepare_order(request_for(in_stock(account)))
    sandbox.arm(dialect, fault, **params)
    assert isinstance(client.place_order(body), Unknown)
    assert len(sandbox.orders()) == (0 if fault == "error_before_accept" else 1)


@DIALECTS
def test_what_is_certainly_not_placed(dialect: str, sandbox: SandboxServer) -> None:
    account = connect(sandbox, dialect)
    client = client_for(account)
    offer = in_stock(account)
    body = client.prepare_order(request_for(offer))
    for fault, code, permanent in (("rate_limit_now", "rate_limited", False), ("stock_gone", "out_of_stock", True)):
        sandbox.arm(dialect, fault)
        verdict = client.place_order(body)
        assert isinstance(verdict, NotPlaced), verdict
        assert (verdict.reason_code, verdict.permanent) == (code, permanent)
        SupplierAccount.objects.filter(pk=account.pk).update(blocked_until=None)
    sandbox.account(dialect, balance={"USD": "0.50"})
    poor = client.place_order(client.prepare_order(request_for(in_stock(account))))
    assert isinstance(poor, NotPlaced)
    assert (poor.reason_code, poor.permanent) == ("insufficient_balance", True)
    assert sandbox.orders() == []


@DIALECTS
def test_wrong_key_is_refused_and_takes_the_account_out_of_use(dialect: str, sandbox: SandboxServer) -> None:
    account = connect(sandbox, dialect, key="not-the-right-key-0001")
    with pytest.raises(problems.KeyRefused):
        client_for(account).read_balance()
    account.refresh_from_db()
    assert account.state == "key_refused"


@pytest.mark.requirement("R59")
@DIALECTS
def test_codes_of_an_undelivered_order_are_not_there_yet(dialect: str, sandbox: SandboxServer) -> None:
    sandbox.account(dialect, delivery_delay_seconds=3600)
    account = connect(sandbox, dialect)
    client = client_for(account)
    placed = client.place_order(client.prepare_order(request_for(in_stock(account))))
    assert isinstance(placed, Placed)
    with pytest.raises((problems.NotReady, problems.NotFound)):
        client.read_codes(placed.remote_id)
    assert client.read_order(placed.remote_id).status == "processing"


@pytest.mark.requirement("R67", "R71")
def test_claims_at_psnb2b(sandbox: SandboxServer) -> None:
    account = connect(sandbox, "psnb2b")
    client = client_for(account)
    placed = client.place_order(client.prepare_order(request_for(in_stock(account))))
    assert isinstance(placed, Placed)
    code = client.read_codes(placed.remote_id)[0].code
    assert isinstance(client.file_claim(placed.remote_id, code, "invalid", "not recognised"), ClaimReceipt)
    second = client.file_claim(placed.remote_id, code, "invalid")
    assert isinstance(second, ClaimRefused)
    assert second.permanent


@DIALECTS
def test_forged_and_stale_events_of_the_sandbox_are_refused(dialect: str, sandbox: SandboxServer) -> None:
    account = connect(sandbox, dialect)
    client = client_for(account)
    sandbox.arm(dialect, "bad_signature")
    assert isinstance(client.place_order(client.prepare_order(request_for(in_stock(account)))), Placed)
    events = sandbox.advance()
    answers = []
    for event in events:
        headers = {name: value for name, value in event["headers"].items() if name.lower() != "content-type"}
        answers.append(post(account, event["body"].encode(), **headers).status_code)
    assert 401 in answers
    assert WebhookEvent.objects.filter(result="bad_signature").count() == answers.count(401)
