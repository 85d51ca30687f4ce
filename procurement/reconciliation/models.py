"""Days compared with the supplier, and what did not agree."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from procurement.reconciliation.states import DAY
from procurement.states import Status


class Day(models.Model):
    """One supplier account, currency and UTC day: opening + deposits - orders + credits = ours, against theirs (R91 to R93).

    Amounts are minor units of `currency`; `orders` is what was spent, positive. `theirs` is null while the supplier's
    balance at the cut-off is not known: never shown as zero.
    """

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="days")
    currency = models.CharField(max_length=3)
    day = models.DateField()
    opening_minor = models.BigIntegerField()
    deposits_minor = models.BigIntegerField()
    orders_minor = models.BigIntegerField()
    credits_minor = models.BigIntegerField()
    ours_minor = models.BigIntegerField()
    theirs_minor = models.BigIntegerField(null=True)
    theirs_read_at = models.DateTimeField(null=True)
    matched = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=20, default="waiting")
    version = models.PositiveIntegerField(default=1)
    checked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "currency", "day"], name="one_row_for_each_day")]

    def __str__(self) -> str:
        return f"{self.account} {self.currency} {self.day}"

    @property
    def status(self) -> Status:
        return DAY[self.state]

    @property
    def difference_minor(self) -> int | None:
        """Theirs minus ours in minor units; None while theirs is not known."""
        return None if self.theirs_minor is None else self.theirs_minor - self.ours_minor


class Difference(models.Model):
    """One thing that does not agree, named by type, amount, currency, order and age (R98)."""

    day = models.ForeignKey(Day, on_delete=models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=30)
    reference = models.CharField(max_length=120)
    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, null=True, related_name="+")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    sentence = models.CharField(max_length=500)
    first_seen_at = models.DateTimeField(default=timezone.now)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # A second run of the same day finds the same differences and adds none (R97).
            models.UniqueConstraint(
                fields=["day", "kind", "reference"], condition=Q(gone_at__isnull=True), name="a_difference_is_named_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"
