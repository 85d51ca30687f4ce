"""The whole job from the command line, against the running sandbox, with real webhooks over HTTP."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from procurement.orders.models import Order
from procurement.suppliers.models import SupplierAccount
from tests.orders.conftest import Shop, sandbox_server, shop

__all__ = ["sandbox_server", "shop"]
pytestmark = pytest.mark.django_db(transaction=True)


def listen(shop: Shop, live_server: Any, settings: Any) -> None:
    """Let the sandbox send its webhooks to this test's server, and play time itself."""
    settings.SITE_URL = live_server.url
    settings.ALLOWED_HOSTS = ["*"]
    for code, account in shop.accounts.items():
        shop.sandbox.account(code, webhook_url=f"{live_server.url}/hooks/{account.hook_slug}/")
    shop.sandbox.settings(loop_enabled=True)


@pytest.mark.requirement("R55", "R106", "R107")
@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_the_flow_prints_each_step_with_its_evidence(shop: Shop, live_server: Any, settings: Any, code: str) -> None:
    listen(shop, live_server, settings)
    out = StringIO()

    call_command("sandbox_flow", supplier=code, patience=30, stdout=out)

    said = out.getvalue()
    steps = ("balance", "products", "mapping", "order", "no second purchase", "webhook", "codes", "reconciliation")
    assert [step for step in steps if f"ok    {step}:" not in said] == []
    assert said.rstrip().endswith("Every step held.")
    order = Order.objects.get(client_order_id__startswith="FLOW-")
    assert order.state == "codes_stored"
    assert len(shop.sandbox.orders(supplier=code)) == 1


def test_the_flow_names_the_step_that_failed(shop: Shop, live_server: Any, settings: Any) -> None:
    listen(shop, live_server, settings)
    shop.sandbox.arm("alpha", "stock_gone")

    with pytest.raises(CommandError, match="alpha: failed at order"):
        call_command("sandbox_flow", supplier="alpha", patience=20, stdout=StringIO())

    assert shop.sandbox.orders(supplier="alpha") == []


def test_the_flow_never_runs_at_a_live_account(shop: Shop) -> None:
    SupplierAccount.objects.filter(code="alpha").update(environment="live")

    with pytest.raises(CommandError, match="would spend money"):
        call_command("sandbox_flow", supplier="alpha", stdout=StringIO())

    assert not Order.objects.exists()
