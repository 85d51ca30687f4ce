"""Old readings go, in batches; evidence and what a day is compared by stay."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from procurement.bookkeeping import deposits
from procurement.bookkeeping.models import Deposit
from procurement.orders.models import Order, UnclaimedOrder
from procurement.reconciliation import pruning
from procurement.reconciliation.pruning import PRUNE, prune_account, prune_daily
from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount
from procurement.work.models import DueWork
from tests.fixtures_sandbox import sandbox_server
from tests.orders.conftest import Shop, shop

__all__ = ["sandbox_server", "shop"]
pytestmark = pytest.mark.django_db(transaction=True)
OLD = timezone.now().replace(minute=0, second=0, microsecond=0) - timedelta(days=120)


@pytest.fixture
def account(shop: Shop) -> SupplierAccount:
    """Two hours of readings of long ago: a call and a balance every twenty minutes."""
    found = shop.accounts["psnb2b"]
    for step in range(6):
        read_at(found, step)
    return found


def read_at(account: SupplierAccount, step: int) -> None:
    at, request_id = OLD + timedelta(minutes=20 * step), uuid.uuid4()
    BalanceSnapshot.objects.create(account=account, currency="USD", available=step, taken_at=at, request_id=request_id)
    Exchange.objects.create(
        account=account, purpose="balance.read", method="GET", path="/balance", started_at=at, request_id=request_id
    )


def old_readings(account: SupplierAccount) -> tuple[int, list[int]]:
    """How many calls of long ago are left, and which balances."""
    before = OLD + timedelta(days=1)
    calls = Exchange.objects.filter(account=account, purpose="balance.read", started_at__lt=before)
    kept = BalanceSnapshot.objects.filter(account=account, taken_at__lt=before).order_by("taken_at")
    return calls.count(), list(kept.values_list("available", flat=True))


def test_old_calls_go_and_the_last_balance_of_each_hour_stays(account: SupplierAccount, shop: Shop) -> None:
    others = Exchange.objects.exclude(started_at__lt=OLD + timedelta(days=1)).count()

    assert prune_account(str(account.pk)) is None

    assert old_readings(account) == (0, [2, 5])
    assert Exchange.objects.count() == others


def test_the_balance_that_shows_a_deposit_stays(account: SupplierAccount) -> None:
    made = deposits.open_book(
        account=account, amount_minor=1, currency="USD", credited_on=OLD.date(), reference="shown by a reading"
    )
    Deposit.objects.filter(pk=made.pk).update(shown_by=BalanceSnapshot.objects.get(account=account, taken_at=OLD))

    prune_account(str(account.pk))

    assert old_readings(account) == (0, [0, 2, 5])


@pytest.mark.parametrize(
    "changes",
    [{"subject_kind": "orders.order", "subject_id": "1"}, {"purpose": "orders.read"}, {"purpose": "claims.file"}],
)
def test_what_was_about_an_order_or_a_claim_stays(account: SupplierAccount, changes: dict[str, str]) -> None:
    Exchange.objects.filter(account=account, started_at=OLD).update(**changes)

    prune_account(str(account.pk))

    assert Exchange.objects.filter(account=account, started_at=OLD, **changes).count() == 1


@pytest.mark.parametrize("state", ["unknown", "manual_review", "placing"])
def test_nothing_goes_while_an_order_of_that_time_is_not_resolved(
    account: SupplierAccount, shop: Shop, state: str
) -> None:
    order = shop.order(None, "psnb2b", 1)
    Order.objects.filter(pk=order.pk).update(state=state, created_at=OLD + timedelta(hours=3))

    assert prune_account(str(account.pk)) is None

    assert old_readings(account) == (6, [0, 1, 2, 3, 4, 5])


def test_nothing_goes_while_nobody_knows_whose_an_order_of_that_time_is(account: SupplierAccount) -> None:
    UnclaimedOrder.objects.create(account=account, remote_id="psb_1", seen_by="event", first_seen_at=OLD)

    prune_account(str(account.pk))

    assert old_readings(account) == (6, [0, 1, 2, 3, 4, 5])


def test_a_batch_at_a_time_until_nothing_is_left(account: SupplierAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)

    assert prune_account(str(account.pk)) is not None
    assert old_readings(account) == (4, [2, 3, 4, 5])
    assert prune_account(str(account.pk)) is not None
    assert prune_account(str(account.pk)) is not None
    assert prune_account(str(account.pk)) is None
    assert old_readings(account) == (0, [2, 5])


def test_it_is_due_once_a_day_for_each_account(account: SupplierAccount, shop: Shop) -> None:
    prune_daily()
    prune_daily()

    assert DueWork.objects.filter(kind=PRUNE).count() == len(shop.accounts)
