"""Runs of the contract probe, what they found out about each clause of a contract, and ticks of the checklist."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from procurement.onboarding.states import (
    ASSUMED,
    CONTRADICTED,
    DOCUMENTED,
    HELD,
    NOT_SEEN,
    OBSERVED,
    PASSED,
    PROBE,
    RUNNING,
    STEP_STATUSES,
    UNDER_WAY,
    WAITING,
    verdict_status,
)
from procurement.states import Status

SOURCES = ((DOCUMENTED, "Documented"), (ASSUMED, "Assumed"))
VERDICTS = ((OBSERVED, "Observed"), (CONTRADICTED, "Contradicted"), (NOT_SEEN, "Not seen"))


class ProbeRun(models.Model):
    """One run at one account. A full run buys one code; a read-only run only reads."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="probe_runs")
    state = models.CharField(max_length=10, default=RUNNING)
    version = models.PositiveIntegerField(default=0)
    read_only = models.BooleanField(default=False)
    # How often a step looks for what it waits for, a second apart at least. Looks, not time: while nothing runs none is lost.
    patience = models.PositiveIntegerField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    # What the order is for; kept, so that a run taken up again orders the same.
    mapping = models.ForeignKey("catalog.Mapping", null=True, on_delete=models.PROTECT, related_name="+")

    # The products as this run read them (R5), when it passed what a live installation may order.
    read_at = models.DateTimeField(null=True)
    products: models.JSONField[list[dict[str, Any]], list[dict[str, Any]]] = models.JSONField(default=list)

    class Meta:
        ordering = ("-started_at",)
        constraints = [
            # Two runs at once would find each other's order in the balance.
            models.UniqueConstraint(fields=["account"], condition=Q(state=RUNNING), name="one_probe_at_a_time"),
        ]
        indexes = [models.Index(fields=["account", "-started_at"], name="probes_by_account")]

    def __str__(self) -> str:
        return f"Probe of {self.account}, {self.started_at:%Y-%m-%d %H:%M}"

    @property
    def status(self) -> Status:
        return PROBE.statuses[self.state]

    @property
    def is_running(self) -> bool:
        return self.state == RUNNING

    @property
    def validates(self) -> bool:
        """Whether what it read may be ordered by a live account: all steps held, in a sandbox (R5)."""
        return self.state == PASSED and not self.read_only and self.account.is_sandbox and bool(self.products)

    @property
    def client_order_id(self) -> str:
        """The one id of the run's only order: however often the step is begun, there is one such order (R19)."""
        return f"PROBE-{self.started_at:%Y%m%d}-{self.pk.hex[:12]}"


class ProbeStep(models.Model):
    """One step of a run and what was seen, without codes and keys."""

    run = models.ForeignKey(ProbeRun, on_delete=models.CASCADE, related_name="steps")
    place = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    outcome = models.CharField(max_length=10, default=WAITING)
    begun_at = models.DateTimeField(null=True)
    looks = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    seen = models.CharField(max_length=600, blank=True)

    class Meta:
        ordering = ("place",)
        constraints = [models.UniqueConstraint(fields=["run", "name"], name="a_step_once_in_a_run")]

    def __str__(self) -> str:
        return self.name

    @property
    def held(self) -> bool:
        return self.outcome == HELD

    @property
    def status(self) -> Status:
        return UNDER_WAY if self.outcome == WAITING and self.begun_at else STEP_STATUSES[self.outcome]


class ProbeResult(models.Model):
    """What one run says of one clause, in the words the clause had then; never changed."""

    run = models.ForeignKey(ProbeRun, on_delete=models.CASCADE, related_name="results")
    place = models.PositiveSmallIntegerField()
    clause = models.CharField(max_length=40)
    says = models.CharField(max_length=300)
    source = models.CharField(max_length=10, choices=SOURCES)
    verdict = models.CharField(max_length=12, choices=VERDICTS)
    seen = models.CharField(max_length=600, blank=True)
    found_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("place",)
        constraints = [models.UniqueConstraint(fields=["run", "clause"], name="a_clause_once_in_a_run")]

    def __str__(self) -> str:
        return f"{self.clause}: {self.get_verdict_display()}"

    @property
    def status(self) -> Status:
        return verdict_status(self.verdict, self.source)


class ChecklistTick(models.Model):
    """A person's word that a line of an account's checklist is done; taking it back removes the row, not the record."""

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    line = models.CharField(max_length=40)
    note = models.CharField(max_length=200, blank=True)
    ticked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    ticked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "line"], name="a_line_is_ticked_once")]

    def __str__(self) -> str:
        return f"{self.line} of {self.account}"
