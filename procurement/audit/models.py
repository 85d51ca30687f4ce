"""What happened, in order, for ever."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class AuditEvent(models.Model):
    """One thing a person, a supplier or the system did. Rows are added, never changed or deleted: the database refuses."""

    # Part of what is authenticated, so that no event can be copied.
    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    at = models.DateTimeField(default=timezone.now, db_index=True)
    action = models.CharField(max_length=60, db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    # Copied, because a person may be renamed later and the record must not change with them.
    actor_name = models.CharField(max_length=150)
    subject_kind = models.CharField(max_length=60)
    subject_id = models.CharField(max_length=64)
    subject_label = models.CharField(max_length=200)
    source = models.CharField(max_length=20, default="person")
    reason = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    mac = models.BinaryField(max_length=36)

    class Meta:
        indexes = [models.Index(fields=["subject_kind", "subject_id", "id"], name="audit_by_subject")]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_label}"


class AuditLink(models.Model):
    """One link of the chain over all events: its place, its event, and a MAC over both and the link before (see chain.py)."""

    seq = models.BigIntegerField(primary_key=True)
    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="link")
    mac = models.BinaryField(max_length=36)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(seq__gte=1), name="audit_link_number")]

    def __str__(self) -> str:
        return f"audit head {self.seq}: {bytes(self.mac).hex()}"
