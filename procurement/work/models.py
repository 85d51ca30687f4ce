"""What is due when, which periodic slot has run, and which loop is alive. The database is the queue."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from procurement.work.registry import USUAL


class DueWork(models.Model):
    """One piece of work that must happen at `due_at` (UTC); it is deleted once its handler is done with it."""

    kind = models.CharField(max_length=64)
    ref = models.CharField(max_length=128)
    # Lower goes first; both are set from the kind's registration when the row is made.
    rank = models.PositiveSmallIntegerField(default=USUAL)
    # Whom the work calls, so that one supplier that hangs cannot hold every worker; empty = nobody.
    account = models.CharField(max_length=64, blank=True)
    due_at = models.DateTimeField()
    # Set when the work is wanted again while a worker holds it, so that the running handler cannot swallow the wish.
    again_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveBigIntegerField(default=0)
    tries = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # The same work asked for twice is one row, hence one worker.
            models.UniqueConstraint(fields=["kind", "ref"], name="due_work_once_per_kind_and_ref"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="due_work_due_at"),
            models.Index(fields=["rank", "due_at"], name="due_work_in_turn"),
            models.Index(fields=["account"], condition=models.Q(lease_until__isnull=False), name="due_work_held"),
        ]
        verbose_name_plural = "due work"

    def __str__(self) -> str:
        return f"{self.kind} {self.ref}"


class PeriodicSlot(models.Model):
    """One run of a periodic job: the job and the start of the interval it covers (UTC)."""

    job = models.CharField(max_length=64)
    slot = models.DateTimeField()
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)

    class Meta:
        constraints = [
            # Two schedulers start the same job at the same moment: the second insert fails, the job runs once.
            models.UniqueConstraint(fields=["job", "slot"], name="periodic_slot_once_per_job"),
        ]

    def __str__(self) -> str:
        return f"{self.job} {self.slot:%Y-%m-%d %H:%M:%S}"


class Loop(models.Model):
    """A work loop and when it last gave a sign of life (UTC); readiness checks read it."""

    name = models.CharField(max_length=128, unique=True)
    last_seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
