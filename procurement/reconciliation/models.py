"""Days compared with the supplier, what did not agree, and what the supplier said of each order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.bookkeeping.papers import Paper
from procurement.bookkeeping.statement import start_of
from procurement.reconciliation.states import CAUSES, DAY, KINDS, MATCHED, MATCHED_WORDS, SIGN_OFF
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

    `amount_minor` is what it comes to, as far as it has an amount; `effect_minor` what it changed in the supplier's
    balance against ours when that was read, and changes on the next days until something settles it.
    """

    day = models.ForeignKey(Day, on_delete=models.PROTECT, related_name="differences")
    kind = models.CharField(max_length=30)
    reference = models.CharField(max_length=120)
    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, null=True, related_name="+")
    amount_minor = models.BigIntegerField()
    effect_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    ours = models.CharField(max_length=120, blank=True)
    theirs = models.CharField(max_length=120, blank=True)
    sentence = models.CharField(max_length=500)
    first_seen_at = models.DateTimeField(default=timezone.now)
    gone_at = models.DateTimeField(null=True)
    # What finance says of it; emptied when the difference changes, because that was said of another one.
    cause = models.CharField(max_length=20, blank=True, choices=[*CAUSES.items(), (MATCHED, MATCHED_WORDS)])
    note = models.CharField(max_length=500, blank=True)
    explained_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    # The differences that answer each other have one number, that of the first of them.
    match = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            # A second run of the same day finds the same differences and adds none (R97).
            models.UniqueConstraint(
                fields=["day", "kind", "reference"],
                condition=Q(gone_at__isnull=True),
                name="a_difference_is_named_once",
            ),
            models.CheckConstraint(
                condition=Q(match__isnull=False, cause=MATCHED) | (Q(match__isnull=True) & ~Q(cause=MATCHED)),
                name="a_match_is_a_cause_of_its_own",
            ),
            # Nobody waves their own explanation through.
            models.CheckConstraint(
                condition=Q(accepted_by__isnull=True)
                | (Q(explained_by__isnull=False) & ~Q(accepted_by=F("explained_by"))),
                name="a_difference_is_accepted_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.reference}"

    @property
    def label(self) -> str:
        return KINDS[self.kind]

    @property
    def cause_words(self) -> str:
        return self.get_cause_display() if self.cause else ""


class DayEvidence(Paper):
    """A document kept with a day, such as the supplier's answer about a difference; added, never changed (R94)."""

    day = models.ForeignKey(Day, on_delete=models.PROTECT, related_name="evidence")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "sha256"], name="a_document_is_kept_once_for_a_day")]
        verbose_name_plural = "day evidence"


class SignOff(models.Model):
    """A day as one person prepared it and another signed it: frozen, with its hash and a checkpoint of the ledger."""

    day = models.ForeignKey(Day, on_delete=models.PROTECT, related_name="sign_offs")
    content = models.JSONField()
    content_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=12, default="prepared")
    version = models.PositiveIntegerField(default=1)
    prepared_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField(default=timezone.now)
    reviewed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    reviewed_at = models.DateTimeField(null=True)
    # The ledger's checkpoint at the signature, as the log names it.
    checkpoint = models.CharField(max_length=120, blank=True)
    ended_why = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["day"], condition=Q(state__in=["prepared", "signed"]), name="one_sign_off_of_a_day_in_force"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["signed", "reopened"])
                | (Q(reviewed_by__isnull=False) & ~Q(reviewed_by=F("prepared_by"))),
                name="a_day_is_signed_by_two",
            ),
        ]

    def __str__(self) -> str:
        return f"Sign-off of {self.day}"

    @property
    def status(self) -> Status:
        return SIGN_OFF.statuses[self.state]


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


class AccountStatement(models.Model):
    """A supplier's statement of some days as it was uploaded: its lines, and whether days are compared with it (R94)."""

    account = models.ForeignKey(
        "suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="account_statements"
    )
    currency = models.CharField(max_length=3)
    # The UTC days that it covers whole, both included.
    first = models.DateField()
    last = models.DateField()
    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    # As `statement_file.Line`.
    lines = models.JSONField()
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    applied_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    applied_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # The same file again is the same statement.
            models.UniqueConstraint(fields=["account", "currency", "sha256"], name="a_statement_is_kept_once")
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The lines that can't be read; while there are any, none of the others counts."""
        return [line for line in self.lines if line["problem"]]
