"""Deposits: money sent to a supplier, with its evidence."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Deposit(models.Model):
    """Money the supplier credited to a prepaid account, as finance recorded it (R83, N7, N8)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="deposits")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    credited_on = models.DateField()
    # The supplier's or the network's reference: the same one can't be booked twice.
    reference = models.CharField(max_length=120)
    note = models.CharField(max_length=500, blank=True)
    recorded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    recorded_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "reference"], name="a_deposit_is_booked_once"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="deposit_is_positive"),
        ]

    def __str__(self) -> str:
        return f"deposit {self.reference}"


class Label(models.Model):
    """What people call the thing an entry refers to: an order by its own id, a deposit by its reference (R83)."""

    kind = models.CharField(max_length=40)
    reference_id = models.CharField(max_length=100)
    text = models.CharField(max_length=120, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "reference_id"], name="a_reference_has_one_name")]

    def __str__(self) -> str:
        return self.text
