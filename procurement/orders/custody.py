"""Who asked for which code and what came of it; which codes left in which file, by which two people."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from procurement.orders.states import CODE_IMPORT, DELIVERY_FILE
from procurement.states import Status
from procurement.vault import Context, id_text, month_text

WHYS = [
    ("fault", "The customer reports a fault"),
    ("customer", "The customer needs the code again"),
    ("supplier", "The supplier asks for the code"),
    ("check", "A check of what was delivered"),
]
# What gave somebody access: a code that could not be opened, and a refusal, did not.
SEEN = ("granted", "shown")


class Reveal(models.Model):
    """One question for one code, granted or refused. It is committed before anything is opened, and never deleted (N16)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Counted over the whole team. Unique, so that of two who ask in the same moment the second counts anew: no limit is passed.
    number = models.PositiveBigIntegerField(null=True, unique=True)
    code = models.ForeignKey("orders.Code", on_delete=models.PROTECT, related_name="reveals")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now)
    # `case:91` or `order:<id>`, and its name as people say it.
    ground = models.CharField(max_length=60, blank=True)
    ground_label = models.CharField(max_length=100, blank=True)
    why = models.CharField(max_length=10, choices=WHYS, blank=True)
    words = models.CharField(max_length=500, blank=True)
    how = models.CharField(max_length=8, choices=[("shown", "Shown"), ("copied", "Copied")])
    outcome = models.CharField(
        max_length=8,
        choices=[
            ("granted", "Granted"),
            ("shown", "Given"),
            ("failed", "Could not be opened"),
            ("refused", "Refused"),
        ],
    )
    refusal = models.CharField(max_length=500, blank=True)
    address = models.CharField(max_length=60, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    # When it was compared with the patterns of watching.py.
    watched_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="refused", number__isnull=True) | (~Q(outcome="refused") & Q(number__isnull=False)),
                name="granted_reveals_are_counted",
            ),
            models.CheckConstraint(
                condition=Q(outcome="refused") | (~Q(ground="") & ~Q(why="") & ~Q(words="")),
                name="a_reveal_has_a_ground_and_a_reason",
            ),
        ]
        indexes = [
            models.Index(fields=["at"], name="reveal_by_time"),
            models.Index(fields=["person", "at"], name="reveal_by_person"),
            models.Index(fields=["code", "at"], name="reveal_by_code"),
            models.Index(fields=["at"], condition=Q(watched_at__isnull=True), name="reveal_to_watch"),
        ]

    def __str__(self) -> str:
        return f"reveal of the {self.code}"


class RevealAlert(models.Model):
    """One reveal fits one pattern of watching.py: somebody else looks at it and says what they found. Never deleted."""

    pattern = models.CharField(max_length=20)
    reveal = models.ForeignKey(Reveal, on_delete=models.PROTECT, related_name="alerts")
    # Whose reveal it is, so that the database can keep them from looking their own alert away.
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    found_at = models.DateTimeField(default=timezone.now)
    looked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    looked_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pattern", "reveal"], name="one_alert_for_each_pattern"),
            models.CheckConstraint(
                condition=Q(looked_by__isnull=True) | ~Q(looked_by=F("person")), name="nobody_looks_at_their_own_alert"
            ),
            models.CheckConstraint(
                condition=Q(looked_by__isnull=True, looked_at__isnull=True)
                | Q(looked_by__isnull=False, looked_at__isnull=False),
                name="alert_looked_by_and_at_travel_together",
            ),
        ]
        indexes = [models.Index(fields=["-found_at", "-id"], name="alert_newest_first")]

    def __str__(self) -> str:
        return f"alert {self.pk}: {self.person}"


class DeliveryFile(models.Model):
    """Codes that leave for the storefront in one encrypted file: one person asks, another releases, it is fetched once (R65)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="delivery_files")
    state = models.CharField(max_length=10, default="requested")
    version = models.PositiveIntegerField(default=1)
    count = models.PositiveIntegerField()
    reason = models.CharField(max_length=500)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    # Of the encrypted file: a bare hash of its codes would give short files away.
    sha256 = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [
            # Many codes leave at once: two people, whatever the code above does.
            models.CheckConstraint(
                condition=~Q(state__in=["released", "fetched"])
                | (Q(decided_by__isnull=False) & ~Q(decided_by=F("requested_by"))),
                name="a_delivery_file_needs_a_second_person",
            ),
        ]
        indexes = [models.Index(fields=["-requested_at", "-id"], name="delivery_file_newest_first")]

    def __str__(self) -> str:
        return f"delivery file {str(self.pk)[:8]} of {self.order}"

    @property
    def status(self) -> Status:
        return DELIVERY_FILE.statuses[self.state]


class DeliveryLine(models.Model):
    """One code of a delivery file, and the customer order it is for."""

    file = models.ForeignKey(DeliveryFile, on_delete=models.PROTECT, related_name="lines")
    code = models.ForeignKey("orders.Code", on_delete=models.PROTECT, related_name="delivery_lines")
    customer_order = models.CharField(max_length=100)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["file", "code"], name="a_code_stands_in_a_file_once")]

    def __str__(self) -> str:
        return f"{self.code} for {self.customer_order}"


class CodeImport(models.Model):
    """Codes of an order that came outside the supplier's API: one person brings them, another takes them in (R37)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    order = models.ForeignKey("orders.Order", on_delete=models.PROTECT, related_name="code_imports")
    state = models.CharField(max_length=10, default="uploaded")
    version = models.PositiveIntegerField(default=1)
    count = models.PositiveIntegerField()
    # Over the keyed fingerprints, as of a delivery.
    checksum = models.CharField(max_length=64)
    source = models.CharField(max_length=500)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # Codes from nowhere would be stock that nobody delivered: two people.
            models.CheckConstraint(
                condition=~Q(state="taken_in") | (Q(decided_by__isnull=False) & ~Q(decided_by=F("uploaded_by"))),
                name="an_import_of_codes_needs_a_second_person",
            ),
        ]
        indexes = [models.Index(fields=["state", "uploaded_at"], name="code_import_queue")]

    def __str__(self) -> str:
        return f"import of {self.count} codes of {self.order}"

    @property
    def status(self) -> Status:
        return CODE_IMPORT.statuses[self.state]


def place_of_imported(pk: Any, order: Any, uploaded_at: Any) -> Context:
    month = month_text(uploaded_at)
    return Context("orders_importedcode", "sealed", id_text(pk), order=id_text(order), period=month)


class ImportedCode(models.Model):
    """One code that waits for a second person: sealed at once, and gone when they decided."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    batch = models.ForeignKey(CodeImport, on_delete=models.PROTECT, related_name="codes")
    position = models.PositiveIntegerField()
    sealed = models.BinaryField()
    fingerprint = models.BinaryField(max_length=32, unique=True)
    fingerprint_before = models.BinaryField(max_length=32, null=True)
    last4 = models.CharField(max_length=4)
    region = models.CharField(max_length=20, blank=True)
    # In major units, as it was written.
    denomination = models.CharField(max_length=20, blank=True)
    serial = models.CharField(max_length=100, blank=True)

    class Meta:
        constraints = [
            # As of codes in custody.
            models.UniqueConstraint(
                Coalesce("fingerprint_before", "fingerprint"), name="a_code_waits_once_under_the_key_before_too"
            ),
        ]

    def __str__(self) -> str:
        return f"code ending {self.last4} that waits"

    def context(self) -> Context:
        return place_of_imported(self.pk, self.batch.order_id, self.batch.uploaded_at)
