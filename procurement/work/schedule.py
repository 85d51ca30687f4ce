"""Periodic jobs without a clock of their own: each interval is a row, and whoever inserts it runs the job."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.faultpoints import faultpoint
from procurement.web.failures import describe, trail
from procurement.work.models import PeriodicSlot
from procurement.work.registry import JOBS, PeriodicJob
from procurement.work.runner import run_due
from procurement.work.services import lease_seconds, loop_seen
from procurement.work.stopping import stopping

log = logging.getLogger(__name__)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SLOTS_KEPT = 20


def tick(loop: str = "loop", limit: int = 50) -> int:
    """One round of the sweep: a sign of life, periodic jobs whose interval has begun, then due work; how many ran."""
    loop_seen(loop)
    return run_periodic() + run_due(limit)


def run_periodic() -> int:
    """Run each job whose present interval has no row yet, or whose run died or failed; the number of jobs run."""
    now = timezone.now()
    ran = 0
    for job in waiting_jobs(now):
        if stopping.is_set():
            break
        slot = take_slot(job, now)
        if slot is not None:
            run_job(job, slot)
            ran += 1
    return ran


def slot_at(job: PeriodicJob, now: datetime) -> datetime:
    """The start of the job's interval that holds `now`."""
    return EPOCH + (now - EPOCH) // job.every * job.every


def waiting_jobs(now: datetime) -> list[PeriodicJob]:
    """Jobs not finished in their present interval, in one query."""
    slots = {job.name: slot_at(job, now) for job in JOBS.values()}
    finished = PeriodicSlot.objects.filter(slot__in=set(slots.values()), finished_at__isnull=False)
    done = set(finished.values_list("job", "slot"))
    return [job for job in JOBS.values() if (job.name, slots[job.name]) not in done]


def take_slot(job: PeriodicJob, now: datetime) -> PeriodicSlot | None:
    """Insert the interval's row, or take over one whose run began a lease ago and never finished."""
    slot = slot_at(job, now)
    try:
        with transaction.atomic():
            return PeriodicSlot.objects.create(job=job.name, slot=slot, started_at=now)
    except IntegrityError:
        lapsed = now - timedelta(seconds=lease_seconds())
        stuck = PeriodicSlot.objects.filter(job=job.name, slot=slot, finished_at__isnull=True, started_at__lte=lapsed)
        return PeriodicSlot.objects.get(job=job.name, slot=slot) if stuck.update(started_at=now) else None


def run_job(job: PeriodicJob, slot: PeriodicSlot) -> None:
    """Run the job; a failure leaves the interval unfinished, so that it is tried again after a lease."""
    mine = PeriodicSlot.objects.filter(pk=slot.pk, started_at=slot.started_at)
    faultpoint(f"periodic.{job.name}.slot_taken")
    try:
        job.run()
    except Exception as error:  # one failing job must not keep the others from running
        log.error("Periodic job %s failed\n%s", job.name, trail(error))
        mine.update(last_error=describe(error))
        return
    faultpoint(f"periodic.{job.name}.ran")
    mine.update(finished_at=timezone.now(), last_error="")
    faultpoint(f"periodic.{job.name}.finished")
    PeriodicSlot.objects.filter(job=job.name, slot__lt=slot.slot - SLOTS_KEPT * job.every).delete()
