"""What runs by itself: yesterday once a day, today every hour (R91)."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from procurement.bookkeeping.queries import books_kept
from procurement.reconciliation import pruning
from procurement.reconciliation.models import Day
from procurement.reconciliation.services import reconcile_day
from procurement.reconciliation.window import WORK_KIND, read_ref, work_ref
from procurement.work.registry import POLLS, handler, periodic
from procurement.work.services import make_due

__all__ = ["pruning"]
GO_ON_AFTER = timedelta(seconds=30)
TRY_AGAIN_AFTER = timedelta(minutes=15)
# Days missed while nothing ran, or that still wait for the supplier, are made good this far back.
LOOK_BACK_DAYS = 7


@periodic("reconciliation.daily", every=timedelta(days=1))
def reconcile_yesterday_task() -> None:
    """Make yesterday due for each account and currency, and every recent day that was not compared after its end."""
    today = timezone.now().date()
    days = [today - timedelta(days=back) for back in range(1, LOOK_BACK_DAYS + 1)]
    for book in books_kept():
        rows = Day.objects.filter(account=book.account, currency=book.currency, day__in=days)
        finished = {row.day for row in rows if is_final(row)}
        for day in days:
            if day == days[0] or (day not in finished and day >= book.account.created_at.date()):
                make_due(WORK_KIND, work_ref(book.account, book.currency, day))


def is_final(row: Day) -> bool:
    """Compared after its cut-off with everything known."""
    return row.checked_at >= row.ends_at and row.state != "waiting"


@periodic("reconciliation.today", every=timedelta(hours=1))
def reconcile_today_task() -> None:
    """Compare the day so far, so that a difference is found within the hour."""
    today = timezone.now().date()
    for book in books_kept():
        make_due(WORK_KIND, work_ref(book.account, book.currency, today))


@handler(WORK_KIND, rank=POLLS, account=lambda ref: ref.partition(":")[0])
def reconcile_day_task(ref: str) -> datetime | None:
    """Compare one day; come back soon while orders are unread, and later when the supplier could not be asked."""
    account, currency, day = read_ref(ref)
    row = reconcile_day(by=None, account=account, currency=currency, day=day)
    if row.problem and row.ends_at <= timezone.now():
        return timezone.now() + TRY_AGAIN_AFTER
    # Today comes round every hour by itself.
    return timezone.now() + GO_ON_AFTER if row.unread and not row.problem else None
