"""The keys that seal values, themselves wrapped by the master key, which is never in the database."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from procurement.vault.keyring import ACTIVE
from procurement.vault.purposes import Purpose


class CryptoKey(models.Model):
    """One random 32-byte key for one purpose. `kcv` tells which master key wrapped it, and nothing else about it.

    Of a purpose one key is active and seals; those before it only open what they sealed.
    """

    # Random, so that an id is never used again for another key: sealed values name their key by it.
    id = models.PositiveBigIntegerField(primary_key=True)
    purpose = models.CharField(max_length=20, choices=[(purpose.value, purpose.value) for purpose in Purpose])
    version = models.PositiveIntegerField()
    status = models.CharField(max_length=20, default=ACTIVE)
    wrapped_dek = models.BinaryField()
    kcv = models.CharField(max_length=16)
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # Two processes that meet a new purpose at once must end with one key, or half of the values would not open.
            models.UniqueConstraint(fields=["purpose", "version"], name="one_key_for_each_purpose_and_version"),
            models.UniqueConstraint(
                fields=["purpose"], condition=models.Q(status=ACTIVE), name="one_active_key_for_a_purpose"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} key {self.version}"
