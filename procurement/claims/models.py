"""Cases and claims."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from procurement.claims.states import CASE, CLAIM, OPEN_CASE, OPEN_CLAIM
from procurement.states import Status


class Case(models.Model):
    """What a customer reports about one code (or about an order without codes)."""

    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="cases")
    code = models.ForeignKey("orders.Code", on_delete=models.PROTECT, null=True, related_name="cases")
    customer_order = models.CharField(max_length=100, blank=True, db_index=True)
    # The country of the customer's PlayStation account, as the customer says it.
    account_region = models.CharField(max_length=2, blank=True)
    error_text = models.TextField(blank=True)
    state = models.CharField(max_length=20, default="todo")
    version = models.PositiveIntegerField(default=1)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    opened_at = models.DateTimeField(default=timezone.now)
    overruled = models.CharField(max_length=40, blank=True)
    overruled_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["code"],
                condition=Q(state__in=list(OPEN_CASE)),
                name="one_open_case_for_each_code",
            )
        ]
        indexes = [models.Index(fields=["state", "-opened_at"], name="case_queue")]

    def __str__(self) -> str:
        return self.number

    @property
    def number(self) -> str:
        return f"C-{self.pk}"

    @property
    def status(self) -> Status:
        return CASE.statuses[self.state]

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_CASE


class Claim(models.Model):
    """What we ask of a supplier for one code, within 7 days of its availability (R67 to R71)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.PROTECT, related_name="claims")
    code = models.ForeignKey("orders.Code", on_delete=models.PROTECT, related_name="claims")
    account = models.ForeignKey("suppliers.SupplierAccount", on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(
        max_length=20, choices=[("wrong_region", "Wrong region"), ("invalid", "Invalid"), ("failed", "Failed")]
    )
    description = models.CharField(max_length=2000, blank=True)
    state = models.CharField(max_length=20, default="draft")
    version = models.PositiveIntegerField(default=1)
    method = models.CharField(max_length=10, choices=[("api", "over the API"), ("manual", "by hand, through support")])
    # API partners get priority review (R70).
    priority = models.BooleanField(default=False)
    remote_id = models.CharField(max_length=100, blank=True)
    # Why it is not filed (yet): the supplier's refusal, or what it waits for.
    answer = models.CharField(max_length=500, blank=True)
    window_ends = models.DateTimeField()
    drafted_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    drafted_at = models.DateTimeField(default=timezone.now)
    filed_at = models.DateTimeField(null=True)
    outcome_at = models.DateTimeField(null=True)
    credit_minor = models.BigIntegerField(null=True)
    replacement = models.ForeignKey("orders.Code", on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            # Asking twice for one code looks like fraud to a supplier (R71).
            models.UniqueConstraint(
                fields=["code"], condition=Q(state__in=list(OPEN_CLAIM)), name="one_open_claim_for_each_code"
            )
        ]

    def __str__(self) -> str:
        return f"claim for {self.code}"

    @property
    def status(self) -> Status:
        return CLAIM.statuses[self.state]

    @property
    def is_by_hand(self) -> bool:
        return self.method == "manual"
