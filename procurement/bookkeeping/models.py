"""Deposits with their evidence, corrections, and what people call the things that entries refer to."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.bookkeeping.papers import Paper
from procurement.bookkeeping.rules import AGAINST
from procurement.bookkeeping.states import CORRECTION, CREDITED_HOW, DEPOSIT, UNDER_WAY, WAYS, Way
from procurement.states import Status


class Deposit(models.Model):
    """Money for a prepaid account, from its announcement until the supplier credited it (R83, N7, N8).

    `amount_minor` is what was announced, `credited_minor` what the supplier credited: only that is on the ledger.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="deposits")
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    asset = models.CharField(max_length=10, blank=True)
    network = models.CharField(max_length=20, blank=True)
    # The supplier's invoice number: the same one can't be booked twice.
    reference = models.CharField(max_length=120)
    txid = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=500, blank=True)
    state = models.CharField(max_length=12, default="announced")
    version = models.PositiveIntegerField(default=1)
    announced_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    announced_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    credited_minor = models.BigIntegerField(null=True)
    credited_on = models.DateField(null=True)
    credited_how = models.CharField(max_length=8, blank=True, choices=list(CREDITED_HOW.items()))
    credited_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    # The reading of the supplier's balance that shows it.
    shown_by = models.ForeignKey("suppliers.BalanceSnapshot", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "reference"], name="a_deposit_is_booked_once"),
            # One transfer pays one deposit, at whichever supplier.
            models.UniqueConstraint(fields=["txid"], condition=~Q(txid=""), name="a_transfer_pays_one_deposit"),
            models.CheckConstraint(condition=Q(amount_minor__gt=0), name="deposit_is_positive"),
            models.CheckConstraint(
                condition=~Q(state="credited")
                | (
                    Q(credited_minor__isnull=False, credited_minor__gt=0, credited_on__isnull=False)
                    & ~Q(credited_how="")
                ),
                name="a_credited_deposit_says_what_and_how",
            ),
            # Nobody vouches alone for money that the supplier's balance does not show.
            models.CheckConstraint(
                condition=~Q(credited_how="person")
                | (Q(credited_by__isnull=False) & ~Q(credited_by=F("announced_by"))),
                name="a_deposit_is_credited_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(credited_how="balance") | Q(shown_by__isnull=False),
                name="a_deposit_shown_names_the_reading",
            ),
        ]
        indexes = [models.Index(fields=["state", "announced_at"], name="deposits_by_state")]

    def __str__(self) -> str:
        return f"deposit {self.reference}"

    @property
    def status(self) -> Status:
        return DEPOSIT.statuses[self.state]

    @property
    def is_open(self) -> bool:
        return self.state in UNDER_WAY

    @property
    def way(self) -> Way | None:
        """How it is sent; None for what was recorded without saying."""
        return WAYS.get(f"{self.asset}/{self.network}")

    @property
    def short_by(self) -> int:
        """Announced less credited, in minor units; 0 until it is credited."""
        return 0 if self.credited_minor is None else self.amount_minor - self.credited_minor


class Evidence(Paper):
    """A document that shows a deposit, such as the supplier's invoice; added, never changed (R94)."""

    deposit = models.ForeignKey(Deposit, on_delete=models.PROTECT, related_name="evidence")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["deposit", "sha256"], name="a_document_is_kept_once_for_a_deposit")
        ]


class Correction(models.Model):
    """Lines that nothing else books, as one person proposes and another confirms them; booked once (R84, R88).

    `amount_minor` is what it changes in our funds: negative when the supplier took money.
    """

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="corrections")
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    against = models.CharField(max_length=10, choices=list(AGAINST.items()))
    # The UTC day it belongs to.
    day = models.DateField()
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=8, default="proposed")
    version = models.PositiveIntegerField(default=1)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(amount_minor=0), name="a_correction_moves_money"),
            # Nobody corrects the books alone.
            models.CheckConstraint(
                condition=~Q(state="booked") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="a_correction_is_booked_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"correction {self.pk}"

    @property
    def status(self) -> Status:
        return CORRECTION.statuses[self.state]


class CleanDay(models.Model):
    """A UTC day with orders that two people signed without a difference: what raises the daily cap (R96)."""

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="clean_days")
    currency = models.CharField(max_length=3)
    day = models.DateField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "currency", "day"], name="a_clean_day_counts_once")]

    def __str__(self) -> str:
        return f"{self.account} {self.currency} {self.day}"


class DailyVolume(models.Model):
    """What was approved at an account on a UTC day, in minor units; a conditional update keeps it below the cap (R96)."""

    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="volumes")
    currency = models.CharField(max_length=3)
    day = models.DateField()
    approved_minor = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account", "currency", "day"], name="one_volume_for_each_day"),
            models.CheckConstraint(condition=Q(approved_minor__gte=0), name="volume_is_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.account} {self.currency} {self.day}"


class Label(models.Model):
    """What people call the thing an entry refers to: an order by its own id, a deposit by its reference (R83)."""

    kind = models.CharField(max_length=40)
    reference_id = models.CharField(max_length=100)
    text = models.CharField(max_length=120, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "reference_id"], name="a_reference_has_one_name")]

    def __str__(self) -> str:
        return self.text
