"""Claiming due rows and running their handlers: one worker per row, by conditional UPDATE, with a lease and a fence.

A row is free when nobody holds it and it is due, or when its holder's lease has ended (the holder died). Each claim
raises the fence; whoever finishes with an older fence writes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import OperationalError
from django.db.models import Count, Q
from django.utils import timezone

from procurement.faultpoints import faultpoint
from procurement.web import request_id
from procurement.web.failures import describe, trail
from procurement.work.models import DueWork
from procurement.work.registry import HANDLERS
from procurement.work.services import lease_seconds
from procurement.work.stopping import stopping

log = logging.getLogger(__name__)

BACKOFF_FIRST = timedelta(seconds=5)
BACKOFF_FACTOR = 3
BACKOFF_LONGEST = timedelta(minutes=15)
# New rows are not begun after this many seconds: the last one begun may take 45 more and stays under the hard limit.
BUDGET_SECONDS = 25.0


@dataclass(frozen=True)
class Claim:
    """A row this worker holds until its lease ends."""

    pk: int
    kind: str
    ref: str
    fence: int
    tries: int


def run_due(limit: int = 50, kinds: Collection[str] | None = None) -> int:
    """Run up to `limit` due rows (of `kinds`, default all registered) one after another; the number of rows run."""
    begun = time.monotonic()
    ran = 0
    while ran < limit and not stopping.is_set() and time.monotonic() - begun < BUDGET_SECONDS:
        claim = claim_next(kinds)
        if claim is None:
            break
        run_claim(claim)
        ran += 1
    return ran


def claim_next(kinds: Collection[str] | None = None) -> Claim | None:
    """Take the most urgent row, among equals the one due longest; None when there is none to take.

    Work for an account that keeps enough workers busy is passed over: a supplier that hangs holds only some of them.
    """
    wanted = HANDLERS.keys() if kinds is None else HANDLERS.keys() & set(kinds)
    now = timezone.now()
    due = DueWork.objects.filter(free_at(now), kind__in=wanted).exclude(account__in=busy_accounts(now))
    # Another worker may have taken a candidate since it was read.
    for row in due.order_by("rank", "due_at", "pk")[:20]:
        claim = take(row, now)
        if claim is None:
            continue
        if is_crowded_out(row, now):
            put_back(claim, now)
            continue
        return claim
    return None


def busy_accounts(now: datetime) -> list[str]:
    """Accounts for which as many pieces of work run as may, over all workers."""
    held = DueWork.objects.filter(lease_until__gt=now).exclude(account="").values("account")
    counted = held.annotate(running=Count("pk")).filter(running__gte=settings.WORK_PER_ACCOUNT)
    return list(counted.values_list("account", flat=True))


def is_crowded_out(row: DueWork, now: datetime) -> bool:
    """Whether others, who claimed at the same moment, already fill this account's share."""
    if not row.account:
        return False
    held = DueWork.objects.filter(lease_until__gt=now, account=row.account).order_by("lease_until", "pk")
    return row.pk not in list(held.values_list("pk", flat=True)[: settings.WORK_PER_ACCOUNT])


def put_back(claim: Claim, now: datetime) -> None:
    """Give back a row that was not begun; it stays due."""
    held = DueWork.objects.filter(pk=claim.pk, fence=claim.fence)
    held.update(lease_until=None, again_at=None, due_at=now, tries=claim.tries - 1)


def free_at(now: datetime) -> Q:
    """Due and held by nobody, or held by somebody whose lease has ended."""
    return Q(lease_until__isnull=True, due_at__lte=now) | Q(lease_until__lte=now)


def take(row: DueWork, now: datetime) -> Claim | None:
    """Claim one row by raising its fence: of any number of workers that read it, one UPDATE matches."""
    lease_until = now + timedelta(seconds=lease_seconds())
    try:
        taken = DueWork.objects.filter(free_at(now), pk=row.pk, fence=row.fence).update(
            fence=row.fence + 1, lease_until=lease_until, again_at=None, tries=row.tries + 1
        )
    except OperationalError as error:
        # Somebody's transaction holds the row past the lock time-out: it stays due and is met again.
        log.warning("Could not claim %s: %s", row.kind, describe(error))
        return None
    return Claim(row.pk, row.kind, row.ref, row.fence + 1, row.tries + 1) if taken else None


def run_claim(claim: Claim) -> None:
    """Run the handler, then delete the row, or set when it is due again."""
    request_id.begin(f"{claim.kind}-{claim.pk}.{claim.fence}")
    faultpoint(f"work.{claim.kind}.claimed")
    try:
        again_at = HANDLERS[claim.kind](claim.ref)
    except Exception as error:  # whatever a handler raises, the row stays and is tried later
        log.error("%s failed, try %s\n%s", claim.kind, claim.tries, trail(error))
        release(claim, timezone.now() + backoff(claim.tries), tries=claim.tries, last_error=describe(error))
        return
    faultpoint(f"work.{claim.kind}.handled")
    if again_at is None and finish(claim):
        faultpoint(f"work.{claim.kind}.finished")
        return
    release(claim, again_at, tries=0, last_error="")
    faultpoint(f"work.{claim.kind}.released")


def finish(claim: Claim) -> bool:
    """Delete the row; False when it was wanted again meanwhile, or is another worker's by now."""
    deleted, _ = DueWork.objects.filter(pk=claim.pk, fence=claim.fence, again_at__isnull=True).delete()
    return deleted == 1


def release(claim: Claim, again_at: datetime | None, *, tries: int, last_error: str) -> None:
    """Give the row back, due at the earlier of `again_at` and what was wished for while it was held."""
    held = DueWork.objects.filter(pk=claim.pk, fence=claim.fence)
    wished = held.values_list("again_at", flat=True).first()
    due_at = min((at for at in (again_at, wished) if at is not None), default=timezone.now())
    # A wish that arrives between this read and the UPDATE would be lost, so the read is part of the condition.
    released = held.filter(again_at=wished) if wished else held.filter(again_at__isnull=True)
    if released.update(due_at=due_at, again_at=None, lease_until=None, tries=tries, last_error=last_error):
        return
    if held.exists():
        release(claim, again_at, tries=tries, last_error=last_error)
    else:
        log.warning("%s ran longer than its lease; another worker holds the row and this result is dropped", claim.kind)


def backoff(tries: int) -> timedelta:
    """5, 15, 45 s ... and never more than 15 minutes."""
    return min(BACKOFF_FIRST * BACKOFF_FACTOR ** min(tries - 1, 10), BACKOFF_LONGEST)
