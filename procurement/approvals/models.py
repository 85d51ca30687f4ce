"""A decision by another person over a frozen content. Knows no order."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.approvals.states import APPROVAL
from procurement.states import Status


class ApprovalRule(models.Model):
    """From which amount a purchase in `currency` needs a second person: for one order, and for one person's day."""

    currency = models.CharField(max_length=3, unique=True)
    order_limit_minor = models.BigIntegerField()
    daily_limit_minor = models.BigIntegerField()
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.currency} rule"


class ApprovalRequest(models.Model):
    """One question to a second person: may this content, at most this amount, go ahead?"""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject_kind = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=64)
    subject_label = models.CharField(max_length=200)
    # What is approved, frozen; an edit afterwards changes the hash and voids the decision.
    content: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    content_hash = models.CharField(max_length=64)
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    rule = models.CharField(max_length=200)
    state = models.CharField(max_length=12, default="open")
    version = models.PositiveIntegerField(default=1)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            # The last line of defence for four eyes: no code path can store a self-approval.
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True) | ~Q(decided_by=F("requested_by")),
                name="nobody_decides_their_own_request",
            ),
            models.CheckConstraint(
                condition=Q(decided_by__isnull=True, decided_at__isnull=True)
                | Q(decided_by__isnull=False, decided_at__isnull=False),
                name="decided_by_and_at_travel_together",
            ),
            models.UniqueConstraint(
                fields=["subject_kind", "subject_id"],
                condition=Q(state="open"),
                name="one_open_request_for_each_subject",
            ),
        ]
        indexes = [models.Index(fields=["state", "requested_at"], name="approval_queue")]

    def __str__(self) -> str:
        return self.subject_label

    @property
    def status(self) -> Status:
        return APPROVAL.statuses[self.state]
