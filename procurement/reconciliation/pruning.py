"""Readings that are not kept for ever: balances and lists read each minute, on which no order, claim or open question hangs."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max, QuerySet
from django.db.models.functions import TruncHour
from django.utils import timezone

from procurement.bookkeeping.models import Deposit
from procurement.orders.models import Order, UnclaimedOrder
from procurement.orders.states import UNCONFIRMED
from procurement.staff import tries
from procurement.staff.session_store import SessionStore
from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount
from procurement.work.registry import LAST, handler, periodic
from procurement.work.services import make_due

PRUNE = "readings.prune"
READINGS = ("balance.read", "products.list")
BATCH = 1000
GO_ON_AFTER = timedelta(seconds=2)
# Evidence reaches a little further back than the order it is about.
BEFORE_A_QUESTION = timedelta(days=1)


@periodic("readings.daily", every=timedelta(days=1))
def prune_daily() -> None:
    """Make the pruning of each account due, and remove sessions that ended and misses that are forgotten."""
    SessionStore.clear_expired()
    tries.drop_forgotten()
    for account in SupplierAccount.objects.values_list("pk", flat=True):
        make_due(PRUNE, str(account))


@handler(PRUNE, rank=LAST)
def prune_account(ref: str) -> datetime | None:
    """Remove at most a batch of each kind, and come back while there was a whole one."""
    account = SupplierAccount.objects.filter(pk=ref).first()
    if account is None:
        return None
    before = keep_from(account)
    removed = [remove(old_exchanges(account, before)), remove(old_snapshots(account, before))]
    return timezone.now() + GO_ON_AFTER if BATCH in removed else None


def keep_from(account: SupplierAccount) -> datetime:
    """Everything since then stays: COUNTERSIGN_KEEP_READINGS_DAYS, and further back while an order is not resolved."""
    kept = timezone.now() - timedelta(days=settings.KEEP_READINGS_DAYS)
    doubtful = Order.objects.filter(account=account, state__in=("placing", *UNCONFIRMED)).order_by("created_at").first()
    unclaimed = UnclaimedOrder.objects.filter(account=account, state="open").order_by("first_seen_at").first()
    if doubtful:
        kept = min(kept, doubtful.created_at - BEFORE_A_QUESTION)
    if unclaimed:
        kept = min(kept, unclaimed.first_seen_at - BEFORE_A_QUESTION)
    return kept


def old_exchanges(account: SupplierAccount, before: datetime) -> QuerySet[Exchange]:
    """Calls that read a balance or a product list, and for no order: whatever was about an order or a claim is its evidence."""
    return Exchange.objects.filter(account=account, subject_kind="", purpose__in=READINGS, started_at__lt=before)


def old_snapshots(account: SupplierAccount, before: datetime) -> QuerySet[BalanceSnapshot]:
    """All but the last of each hour and currency, by which a day is compared, and those that show a deposit."""
    rows = BalanceSnapshot.objects.filter(account=account, taken_at__lt=before)
    hours = rows.annotate(hour=TruncHour("taken_at")).values("currency", "hour").annotate(last=Max("pk"))
    shown = Deposit.objects.filter(account=account, shown_by__isnull=False)
    return rows.exclude(pk__in=hours.values("last")).exclude(pk__in=shown.values("shown_by"))


def remove(rows: QuerySet[Exchange] | QuerySet[BalanceSnapshot]) -> int:
    """Delete the oldest batch of these rows; how many there were in it."""
    batch = list(rows.order_by("pk").values_list("pk", flat=True)[:BATCH])
    rows.model._default_manager.filter(pk__in=batch).delete()
    return len(batch)
