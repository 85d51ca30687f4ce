"""The keys that seal values, themselves wrapped by the master key, which is never in the database."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from procurement.vault.purposes import ACTIVE, BESIDE, DECRYPT_ONLY, DESTROYED, Purpose


class CryptoKey(models.Model):
    """One random 32-byte key for one purpose. `kcv` tells which master key wrapped it, and nothing else about it.

    Of a purpose one key is active and seals; those before it only open what they sealed. Codes have a key for each
    calendar month of their delivery, so that a month can be erased by destroying its keys (decision 17).
    """

    # Random, so that an id is never used again for another key: sealed values name their key by it.
    id = models.PositiveBigIntegerField(primary_key=True)
    purpose = models.CharField(max_length=20, choices=[(purpose.value, purpose.value) for purpose in Purpose])
    # The month, such as 2026-11, whose values it seals; empty for a purpose without months.
    period = models.CharField(max_length=7, blank=True, default="")
    version = models.PositiveIntegerField()
    status = models.CharField(
        max_length=20,
        default=ACTIVE,
        choices=[
            (ACTIVE, "In use"),
            (BESIDE, "Being replaced"),
            (DECRYPT_ONLY, "Retired, opens only"),
            (DESTROYED, "Destroyed"),
        ],
    )
    # Empty once the key was destroyed.
    wrapped_dek = models.BinaryField()
    kcv = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # Two processes that meet a new purpose at once must end with one key, or half of the values would not open.
            models.UniqueConstraint(
                fields=["purpose", "period", "version"], name="one_key_for_each_purpose_and_version"
            ),
            models.UniqueConstraint(
                fields=["purpose", "period"], condition=models.Q(status=ACTIVE), name="one_active_key_for_a_purpose"
            ),
            # A key that is called destroyed can open nothing, whatever the code above does.
            models.CheckConstraint(
                condition=~models.Q(status=DESTROYED) | models.Q(destroyed_at__isnull=False, wrapped_dek=b""),
                name="a_destroyed_key_is_gone",
            ),
            # Each fingerprint is made with all index keys, one over the other: without one none could be compared.
            models.CheckConstraint(
                condition=~models.Q(purpose=Purpose.BIDX.value, status=DESTROYED),
                name="an_index_key_is_never_destroyed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} key {self.version}" + (f" of {self.period}" if self.period else "")
