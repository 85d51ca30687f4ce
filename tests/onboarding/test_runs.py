"""Who may start a probe where, and what holds when a process dies in one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused
from procurement.onboarding.models import ProbeRun
from procurement.onboarding.services import running_probe, start_probe, stop_probe
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.staff.models import User
from procurement.suppliers.clients import CLIENTS
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.work.models import DueWork
from procurement.work.runner import run_due
from tests.onboarding.conftest import probed, work_probe
from tests.orders.conftest import Shop

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process ends here: nothing catches it."""


def test_a_probe_that_would_buy_never_runs_at_a_live_account(shop: Shop, settings: Any, admin: User) -> None:
    settings.ENVIRONMENT = "live"
    SupplierAccount.objects.filter(code="alpha").update(environment="live")

    with pytest.raises(CommandError, match="live account, where a test order costs money"):
        call_command("contract_probe", "alpha")
    with pytest.raises(Refused, match="Only the part that reads can run here"):
        start_probe(by=admin, account=SupplierAccount.objects.get(code="alpha"))

    assert not ProbeRun.objects.exists()
    assert not Order.objects.exists()


def test_at_a_live_account_only_steps_that_read_are_planned(shop: Shop, settings: Any, admin: User) -> None:
    settings.ENVIRONMENT = "live"
    SupplierAccount.objects.filter(code="alpha").update(environment="live")

    run = start_probe(by=admin, account=SupplierAccount.objects.get(code="alpha"), read_only=True)

    assert [step.name for step in run.steps.all()] == ["balance", "products", "unknown order"]


@pytest.mark.parametrize("code", ["alpha", "psnb2b"])
def test_the_part_that_reads_sends_nothing_but_get(shop: Shop, code: str) -> None:
    before = timezone.now()

    run = probed(shop, code, read_only=True)

    assert run.state == "passed"
    assert set(Exchange.objects.filter(started_at__gte=before).values_list("method", flat=True)) == {"GET"}
    assert not Order.objects.exists()
    assert run.results.get(clause="balance").verdict == "observed"
    assert run.results.get(clause="order_request").verdict == "not_seen"


def test_a_buyer_starts_and_stops_no_probe(shop: Shop, buyer: User, admin: User) -> None:
    with pytest.raises(NotAllowed):
        start_probe(by=buyer, account=shop.accounts["alpha"])
    run = start_probe(by=admin, account=shop.accounts["alpha"])
    with pytest.raises(NotAllowed):
        stop_probe(by=buyer, run=run)

    run.refresh_from_db()
    assert run.is_running
    assert ProbeRun.objects.count() == 1


def test_a_second_probe_of_an_account_waits_for_the_first(shop: Shop, admin: User) -> None:
    run = start_probe(by=admin, account=shop.accounts["alpha"])

    with pytest.raises(Refused, match="No second one was started"):
        start_probe(by=admin, account=shop.accounts["alpha"], read_only=True)

    assert ProbeRun.objects.get() == run
    assert start_probe(by=admin, account=shop.accounts["psnb2b"]).is_running


def test_a_stopped_probe_does_nothing_more(shop: Shop, admin: User) -> None:
    run = start_probe(by=admin, account=shop.accounts["alpha"])
    stop_probe(by=admin, run=run)

    run_due()

    run.refresh_from_db()
    assert run.state == "stopped"
    assert {step.outcome for step in run.steps.all()} == {"waiting"}
    assert not run.results.exists()
    assert AuditEvent.objects.filter(action="probe.stopped", actor=admin).count() == 1


def dies_after(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process ends once, right after this was done and before anybody noted it."""
    act = getattr(owner, name)

    def die_once(*args: Any, **kwargs: Any) -> None:
        act(*args, **kwargs)
        monkeypatch.undo()
        raise Killed

    monkeypatch.setattr(owner, name, die_once)


@pytest.mark.requirement("R19", "R22")
@pytest.mark.parametrize(
    ("code", "point"),
    [
        ("psnb2b", "draft_order"),
        ("psnb2b", "submit_order"),
        ("psnb2b", "file_claim"),
        ("alpha", "place_order"),
    ],
)
def test_a_run_whose_process_dies_goes_on_without_a_second_order(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, code: str, point: str
) -> None:
    run = start_probe(by=None, account=shop.accounts[code], patience=10)
    dies_after(drafting if hasattr(drafting, point) else CLIENTS[code], point, monkeypatch)
    with pytest.raises(Killed):
        work_probe(shop, run)
    assert DueWork.objects.filter(lease_until__gt=timezone.now()).exists()

    assert running_probe(shop.accounts[code]) == run
    work_probe(shop, run, passed=timedelta(seconds=100))

    assert Order.objects.count() == 1
    assert len(shop.sandbox.orders(supplier=code)) == 1
    assert list(run.steps.filter(outcome="failed").values_list("name", "seen")) == []
    assert Exchange.objects.filter(purpose="claims.file").count() == (1 if code == "psnb2b" else 0)
