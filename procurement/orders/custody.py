"""Who asked for which code, on what ground, and what came of it: the rows that limits, alerts and the trail count."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

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
