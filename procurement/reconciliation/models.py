"""Days compared with the supplier, what did not agree, and what the supplier said of each order."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from procurement.bookkeeping.statement import start_of
from procurement.reconciliation.states import DAY, KINDS
from procurement.states import Status


class Day(models.Model):
    """One supplier account, currency and UTC day: opening + deposits - orders + credits = ours, against theirs (R93).

    Amounts are minor units of `currency`; `orders` is what was spent, positive. `theirs` is null while the supplier's
    balance at the cut-off is not known: never shown as zero.
    """

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="days")
    currency = models.CharField(max_length=3)
    day = models.DateField()
    opening_minor = models.BigIntegerField(default=0)
    deposits_minor = models.BigIntegerField(default=0)
    orders_minor = models.BigIntegerField(default=0)
    credits_minor = models.BigIntegerField(default=0)
    ours_minor = models.BigIntegerField(default=0)
    theirs_minor = models.BigIntegerField(null=True)
    theirs_read_at = models.DateTimeField(null=True)
    matched = models.PositiveIntegerField(default=0)
    matched_minor = models.BigIntegerField(default=0)
    # Orders on their way at that moment, and which part of the difference is theirs: no difference until they settle.
    in_flight = models.PositiveIntegerField(default=0)
    in_flight_minor = models.BigIntegerField(default=0)
    # Orders the supplier was not asked about yet: while there are any, the day waits.
    unread = models.PositiveIntegerField(default=0)
    state = models.CharField(max_length=20, default="waiting")
    version = models.PositiveIntegerField(default=1)
    checked_at = models.DateTimeField(default=timezone.now)
    # Why the last run could not ask the supplier; the figures are then those of `checked_at`.
    problem = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "currency", "day"], name="one_row_for_each_day")]

    def __str__(self) -> str:
        return f"{self.account} {self.currency} {self.day}"

    @property
    def status(self) -> Status:
        return DAY[self.state]

    @property
    def ends_at(self) -> datetime:
        """The cut-off: midnight UTC after the day."""
        return start_of(self.day + timedelta(days=1))

    @property
    def difference_minor(self) -> int | None:
        """Theirs minus ours in minor units; None while theirs is not known."""
        return None if self.theirs_minor is None else self.theirs_minor - self.ours_minor


class Difference(models.Model):
    """One thing that does not agree, named by type, amount, currency, order and age (R98).

    `amount_minor` is what it changes in the supplier's balance against ours, as far as it has an amount.
    """

    day = models.ForeignKey(Day, on_delete=models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=30)
    reference = models.CharField(max_length=120)
    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, null=True, related_name="+")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    ours = models.CharField(max_length=120, blank=True)
    theirs = models.CharField(max_length=120, blank=True)
    sentence = models.CharField(max_length=500)
    first_seen_at = models.DateTimeField(default=timezone.now)
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # A second run of the same day finds the same differences and adds none (R97).
            models.UniqueConstraint(
                fields=["day", "kind", "reference"],
                condition=Q(gone_at__isnull=True),
                name="a_difference_is_named_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"

    @property
    def label(self) -> str:
        return KINDS[self.kind]


class SupplierRecord(models.Model):
    """An order as the supplier last showed it to reconciliation; `missing` = it said that it knows no such order."""

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    remote_id = models.CharField(max_length=100)
    client_order_id = models.CharField(max_length=100, blank=True)
    status = models.CharField(max_length=20, blank=True)
    raw_status = models.CharField(max_length=60, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    total_minor = models.BigIntegerField(null=True)
    refunded_minor = models.BigIntegerField(null=True)
    quantity = models.PositiveIntegerField(null=True)
    delivered_quantity = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(null=True)
    missing = models.BooleanField(default=False)
    read_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            # The same order read again replaces what was known of it.
            models.UniqueConstraint(fields=["account", "remote_id"], name="one_record_for_each_remote_order")
        ]
        indexes = [models.Index(fields=["account", "created_at"], name="records_by_time")]

    def __str__(self) -> str:
        return self.remote_id
