"""What the operations page and the readiness check ask of the queue."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from procurement.work.models import DueWork, Loop
from procurement.work.registry import FIRST


def overdue_work(by: timedelta = timedelta(seconds=60)) -> QuerySet[DueWork]:
    """Rows that should have begun more than `by` ago, oldest first; a row held by a live worker is not overdue."""
    now = timezone.now()
    return DueWork.objects.filter(due_at__lt=now - by).exclude(lease_until__gt=now).order_by("due_at", "pk")


def failing_work() -> QuerySet[DueWork]:
    """Rows whose last run failed, most often tried first."""
    return DueWork.objects.exclude(last_error="").order_by("-tries", "pk")


def next_due(kind: str, ref: str) -> datetime | None:
    """When this work will next be tried (UTC), or None when nothing is due."""
    return DueWork.objects.filter(kind=kind, ref=ref).values_list("due_at", flat=True).first()


def waiting_by_rank(account: str, *, but: str) -> dict[int, int]:
    """How much work that calls `account` waits, by rank: what is due, and of the first rank all; without the kind `but`."""
    due = Q(due_at__lte=timezone.now()) | Q(rank=FIRST)
    rows = DueWork.objects.filter(due, account=account, lease_until=None).exclude(kind=but)
    return dict(rows.values_list("rank").annotate(count=Count("pk")).order_by("rank"))


def last_loop_seen() -> datetime | None:
    """When any work loop last gave a sign of life (UTC)."""
    return Loop.objects.aggregate(latest=Max("last_seen_at"))["latest"]
