"""The volume gate: a daily cap that rises only after days which two people signed as clean (R96)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction

from procurement.bookkeeping.models import CleanDay, DailyVolume
from procurement.bookkeeping.volume import forget_clean_day, gate_of, note_clean_day, take_volume
from procurement.errors import Refused
from procurement.suppliers.configuring import change_account, settings_of
from procurement.suppliers.models import SupplierAccount
from tests.suppliers.conftest import make_account

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R96")]
CAPS = {"daily_caps": [100, 500], "clean_days_for_next_cap": 2}
DAY = date(2026, 5, 4)


@pytest.fixture
def account(db: None) -> SupplierAccount:
    return make_account("alpha", settings=CAPS)


def take(account: SupplierAccount, amount_minor: int) -> None:
    with transaction.atomic():
        take_volume(account=account, currency="USD", amount_minor=amount_minor)


def clean(account: SupplierAccount, count: int) -> None:
    for number in range(count):
        note_clean_day(account=account, currency="USD", day=DAY - timedelta(days=number))


def test_what_is_approved_in_a_day_stays_below_the_cap(account: SupplierAccount) -> None:
    with time_machine.travel("2026-05-04 22:00Z", tick=False):
        take(account, 60_00)
        with pytest.raises(Refused) as refusal:
            take(account, 40_01)
        assert refusal.value.sentence == (
            "Alpha PSN may take 100.00 USD a day (UTC), and 60.00 USD are approved today. 40.01 USD do not fit, so "
            "nothing was approved. Order less, wait for tomorrow, or reconcile: it becomes 500.00 USD after 2 clean "
            "signed days more."
        )
        assert list(DailyVolume.objects.values_list("approved_minor", flat=True)) == [60_00]
        take(account, 40_00)
    with time_machine.travel("2026-05-05 00:00Z", tick=False):
        take(account, 100_00)
    assert DailyVolume.objects.count() == 2


def test_the_cap_rises_after_clean_days_and_falls_when_one_is_open_again(account: SupplierAccount) -> None:
    caps = []
    for number in range(6):
        clean(account, number)
        gate = gate_of(account, "USD", DAY)
        assert gate
        caps.append((gate.cap_minor, gate.next_minor))
    assert caps == [(100_00, 500_00), (100_00, 500_00), *[(500_00, None)] * 4]

    for number in range(4):
        forget_clean_day(account=account, currency="USD", day=DAY - timedelta(days=number))
    fallen = gate_of(account, "USD", DAY)
    assert fallen
    assert (fallen.cap_minor, fallen.words) == (100_00, "it becomes 500.00 USD after 1 clean signed day more")


def test_a_clean_day_counts_once_and_for_its_own_account_and_currency(account: SupplierAccount) -> None:
    clean(account, 2)
    clean(account, 2)
    assert CleanDay.objects.count() == 2
    in_euro = gate_of(account, "EUR", DAY)
    assert in_euro
    assert in_euro.clean_days == 0
    with pytest.raises(IntegrityError), transaction.atomic():
        CleanDay.objects.create(account=account, currency="USD", day=DAY)


def test_two_approvals_that_saw_the_same_room_do_not_both_take_it(
    account: SupplierAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the gate said a moment ago decides nothing; the conditional update does."""
    before = gate_of(account, "USD")
    take(account, 80_00)
    monkeypatch.setattr("procurement.bookkeeping.volume.gate_of", lambda *_: before)
    with pytest.raises(Refused):
        take(account, 80_00)
    assert DailyVolume.objects.get().approved_minor == 80_00


def test_a_live_account_begins_with_a_cap_and_a_sandbox_account_with_none() -> None:
    sandbox = make_account("psnb2b")
    live = SupplierAccount(environment="live", settlement_currency="JPY")
    assert gate_of(sandbox, "USD") is None
    take(sandbox, 10**9)
    assert not DailyVolume.objects.exists()
    gate = gate_of(SupplierAccount.objects.create(code="live", environment="live", settlement_currency="JPY"), "JPY")
    assert gate
    assert (gate.cap_minor, live.is_sandbox) == (1_000, False)


@pytest.mark.parametrize(("caps", "days"), [("500, 100", 5), ("0", 5), ("100, 100", 5), ("many", 5), ("100", 0)])
def test_caps_that_do_not_rise_are_refused(account: SupplierAccount, admin: Any, caps: str, days: int) -> None:
    with pytest.raises(Refused, match="Nothing was stored"):
        change_account(
            by=admin, account=account, **{**settings_of(account), "caps": caps, "clean_days": days, "reason": "Agreed"}
        )
    assert SupplierAccount.objects.get(pk=account.pk).settings == CAPS
