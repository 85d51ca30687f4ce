"""A short history, lived through the real services against the running sandbox."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.demo import seed
from procurement.orders.custody import DeliveryFile, Reveal, RevealAlert
from procurement.orders.models import Code, Order
from procurement.reconciliation.models import Day
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.terms.models import Statement
from tests.fixtures_sandbox import SandboxServer, sandbox_server

__all__ = ["sandbox_server"]
pytestmark = pytest.mark.django_db(transaction=True)


def quiet(line: str) -> None:
    return


def test_a_history_is_lived_through_once_and_the_clocks_run_again(
    sandbox_server: SandboxServer, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    sandbox_server.reset()

    seed.ensure(empty=False, sandbox_url=sandbox_server.base_url, say=quiet, days=2, orders=12)

    made = Order.objects.count()
    assert made > 8
    assert Code.objects.exists()
    assert Day.objects.filter(state="agrees").exists()
    assert set(WebhookEvent.objects.values_list("result", flat=True)) == {"applied"}
    assert Order.objects.filter(state="pending_approval").exists()
    assert Reveal.objects.filter(outcome="shown").count() == 3
    assert "off_hours" in RevealAlert.objects.values_list("pattern", flat=True)
    assert (Code.objects.filter(state="handed_over").count(), DeliveryFile.objects.get().state) == (2, "requested")
    world = sandbox_server.call("GET", "clock")
    assert (world["frozen_at"], world["offset_seconds"]) == (None, 0)
    assert all(not account.settings["limits"] for account in SupplierAccount.objects.all())
    told = Statement.objects.values_list("kind", "state")
    assert {("delivery_target", "confirmed"), ("support_response", "not_confirmed")} <= set(told)
    assert timezone.now() - Order.objects.latest("created_at").created_at < timedelta(hours=2)

    seed.ensure(empty=False, sandbox_url=sandbox_server.base_url, say=quiet, days=2, orders=12)

    assert Order.objects.count() == made


def test_an_empty_desk_has_people_accounts_prices_and_money_but_no_order(
    sandbox_server: SandboxServer, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    sandbox_server.reset()

    seed.ensure(empty=True, sandbox_url=sandbox_server.base_url, say=quiet)

    assert User.objects.count() == 8
    assert postings.free_balance("alpha", "USD") == postings.free_balance("psnb2b", "USD") == 50_000_00
    assert all(account.products.count() == 208 for account in SupplierAccount.objects.all())
    assert not Order.objects.exists()


def test_a_history_cut_off_half_way_says_so_and_changes_nothing(
    sandbox_server: SandboxServer, settings: Any, tmp_path: Path
) -> None:
    settings.DATA_DIR = tmp_path
    sandbox_server.reset()
    seed.ensure(empty=True, sandbox_url=sandbox_server.base_url, say=quiet)
    (tmp_path / "sample-data").unlink()
    said: list[str] = []

    seed.ensure(empty=False, sandbox_url=sandbox_server.base_url, say=said.append)

    assert "--reset" in said[0]
    assert not Order.objects.exists()
