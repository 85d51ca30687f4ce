"""Proposals to destroy a sealing key, each decided by a second administrator."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.custody.states import DESTRUCTION
from procurement.states import Status


class Destruction(models.Model):
    """One administrator wants a key destroyed; with a past month's key, all keys and `values` codes of that month."""

    key = models.ForeignKey("vault.CryptoKey", on_delete=models.PROTECT, related_name="destructions")
    # How many values go with it, as was shown; 0 for a retired key that seals nothing any more.
    values = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=12, default="proposed")
    version = models.PositiveIntegerField(default=1)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key"], condition=Q(state="proposed"), name="one_open_destruction_for_each_key"
            ),
            # What is destroyed cannot be brought back: two people, whatever the code above does.
            models.CheckConstraint(
                condition=~Q(state="confirmed") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="a_key_is_destroyed_by_two_people",
            ),
        ]

    def __str__(self) -> str:
        return f"destruction of the {self.key}"

    @property
    def status(self) -> Status:
        return DESTRUCTION.statuses[self.state]
