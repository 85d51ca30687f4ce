"""The queue in the database: wishing for work, and telling when it was last looked after."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Coalesce, Least
from django.utils import timezone

from procurement.work.bell import ring
from procurement.work.models import DueWork, Loop
from procurement.work.registry import TRAITS, Traits


def make_due(kind: str, ref: str, at: datetime | None = None) -> None:
    """Wish for `kind` to happen to `ref` at `at` (UTC, default now), in the caller's transaction.

    The earlier of two wishes wins. A wish made while a worker holds the row is kept for after it. When the
    transaction commits, workers are woken; should that message be lost, the sweep finds the row within seconds.
    """
    now = timezone.now()
    due_at = at or now
    for _ in range(3):
        if bring_forward(kind, ref, due_at) or insert(kind, ref, due_at):
            break
    else:
        raise RuntimeError(f"Could not note that {kind} is due; nothing was written.")
    if due_at <= now:
        transaction.on_commit(ring)


def bring_forward(kind: str, ref: str, due_at: datetime) -> bool:
    """Move a present row to `due_at` unless it is due earlier; False when there is none."""
    moved = DueWork.objects.filter(kind=kind, ref=ref).update(
        due_at=Case(When(lease_until__isnull=True, then=Least(F("due_at"), Value(due_at))), default=F("due_at")),
        again_at=Case(
            When(lease_until__isnull=False, then=Least(Coalesce(F("again_at"), Value(due_at)), Value(due_at))),
            default=F("again_at"),
        ),
    )
    return moved == 1


def insert(kind: str, ref: str, due_at: datetime) -> bool:
    """False when another transaction inserted the same row first."""
    try:
        with transaction.atomic():
            traits = TRAITS.get(kind, Traits())
            DueWork.objects.create(
                kind=kind, ref=ref, due_at=due_at, rank=traits.rank, account=traits.account(ref)[:64]
            )
    except IntegrityError:
        return False
    return True


def loop_seen(name: str) -> None:
    """Note that a work loop is alive."""
    now = timezone.now()
    if not Loop.objects.filter(name=name).update(last_seen_at=now):
        Loop.objects.bulk_create([Loop(name=name, last_seen_at=now)], ignore_conflicts=True)


def lease_seconds() -> int:
    """How long a worker may hold a row, in seconds; longer than the hard time limit of a task."""
    return int(settings.WORK_LEASE_SECONDS)
