"""The contract probe from the command line, against the running sandbox, with real webhooks over HTTP."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from procurement.onboarding.models import ProbeRun
from procurement.orders.models import Order
from tests.fixtures_sandbox import KEYS
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def listening_shop(shop: Shop, live_server: Any, settings: Any) -> Shop:
    """The sandbox sends its webhooks to this test's server, and plays time itself."""
    settings.SITE_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    for code, account in shop.accounts.items():
        shop.sandbox.account(code, webhook_url=f"{live_server.url}/hooks/{account.hook_slug}/")
    shop.sandbox.settings(loop_enabled=True)
    return shop


def told(command: str, *arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(command, *arguments, patience=60, stdout=out, **options)
    return out.getvalue()


@pytest.mark.requirement("R55", "R106", "R107")
def test_each_account_of_the_sandbox_keeps_to_all_of_its_contract_that_can_be_tried(listening_shop: Shop) -> None:
    said = told("sandbox_flow")

    steps = ("balance", "products", "mapping", "order", "no second purchase", "webhook", "codes", "reconciliation")
    assert [step for step in steps if said.count(f"ok    {step}:") != 2] == []
    assert said.count("Every step held.") == 2
    for code, unseen in (
        ("alpha", {"asks_to_wait", "claims"}),
        ("psnb2b", {"limits", "event_repeats", "claim_window"}),
    ):
        results = ProbeRun.objects.get(account__code=code).results
        assert set(results.exclude(verdict="observed").values_list("clause", flat=True)) == unseen
        order = Order.objects.get(client_order_id__startswith="PROBE-", account__code=code)
        assert order.state == "codes_stored"
        assert len(listening_shop.sandbox.orders(supplier=code)) == 1


@pytest.mark.requirement("R100", "R62")
def test_neither_a_code_nor_a_key_stands_in_what_a_probe_says(listening_shop: Shop) -> None:
    said = told("contract_probe", "psnb2b")

    run = ProbeRun.objects.get()
    filed = " ".join([*run.steps.values_list("seen", flat=True), *run.results.values_list("seen", flat=True), said])
    order = Order.objects.get(client_order_id=run.client_order_id)
    with listening_shop.sandbox.api("psnb2b") as api:
        code = api.get(f"orders/{order.remote_id}/codes").json()["codes"][0]["code"]
    assert code[-4:] in filed
    assert code not in filed
    assert KEYS["psnb2b"] not in filed


def test_the_command_fails_and_names_the_step_that_failed(listening_shop: Shop) -> None:
    listening_shop.sandbox.arm("alpha", "stock_gone")

    with pytest.raises(
        CommandError, match="alpha: failed at order: the order is “Failed”: The supplier refused the order"
    ):
        told("contract_probe", "alpha")

    assert ProbeRun.objects.get().state == "failed"
    assert listening_shop.sandbox.orders(supplier="alpha") == []


def test_the_command_fails_when_a_clause_is_contradicted(listening_shop: Shop) -> None:
    listening_shop.sandbox.arm("psnb2b", "html_502", where="read")

    with pytest.raises(CommandError, match="contradicted: All answers are JSON"):
        told("contract_probe", "psnb2b", read_only=True)


def test_without_an_account_nothing_is_tried(db: None) -> None:
    with pytest.raises(CommandError, match="No sandbox account is connected"):
        told("sandbox_flow")
    with pytest.raises(CommandError, match="There is no supplier account 'nobody'"):
        told("contract_probe", "nobody")
