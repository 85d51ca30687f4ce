"""How people come to the desk, and what two administrators decide about them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from procurement.people.states import CONFIRMED, EXPIRED, INVITATION, LINK_EXPIRED, OPEN, PROPOSAL
from procurement.states import Status

LIFE = timedelta(hours=72)


def end_of_life() -> datetime:
    """When a link or a proposal made now is over."""
    return timezone.now() + LIFE


def to_person(**options: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, **options)


class Invitation(models.Model):
    """A link by which one person sets their own password, once. Only its hash is kept: nobody reads the link again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    person = to_person(related_name="invitations")
    token_sha256 = models.CharField(max_length=64, unique=True)
    state = models.CharField(max_length=10, default=OPEN)
    version = models.PositiveIntegerField(default=1)
    invited_by = to_person(related_name="+")
    invited_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=end_of_life)
    accepted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person"], condition=Q(state=OPEN), name="one_open_link_for_each_person")
        ]

    def __str__(self) -> str:
        return f"Invitation of {self.person}"

    @property
    def is_over(self) -> bool:
        return timezone.now() > self.expires_at

    @property
    def status(self) -> Status:
        return LINK_EXPIRED if self.state == OPEN and self.is_over else INVITATION.statuses[self.state]


class Proposal(models.Model):
    """A change that one administrator proposes and another confirms: what it is about, what holds, what would hold.

    `about` is the key of the thing within its kind: a person's key, or a currency. Nothing of it changes but its decision.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20)
    about = models.CharField(max_length=40)
    # Whom it is about, so that the database can keep them from confirming it.
    subject = to_person(null=True, related_name="proposals")
    before: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    after: models.JSONField[dict[str, Any], dict[str, Any]] = models.JSONField()
    reason = models.CharField(max_length=500)
    state = models.CharField(max_length=10, default=OPEN)
    version = models.PositiveIntegerField(default=1)
    proposed_by = to_person(related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=end_of_life)
    decided_by = to_person(null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    decision_reason = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ("-proposed_at", "-pk")
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "about"], condition=Q(state=OPEN), name="one_open_proposal_of_each_thing"
            ),
            models.CheckConstraint(
                condition=~Q(state=CONFIRMED)
                | (Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(decided_by=F("proposed_by"))),
                name="a_proposal_is_confirmed_by_another",
            ),
            models.CheckConstraint(
                condition=~Q(state=CONFIRMED) | Q(subject__isnull=True) | ~Q(decided_by=F("subject")),
                name="nobody_confirms_what_is_about_them",
            ),
            models.CheckConstraint(
                condition=~Q(state=CONFIRMED) | Q(decided_at__lte=F("expires_at")),
                name="no_expired_proposal_is_confirmed",
            ),
        ]

    def __str__(self) -> str:
        from_whom = self.subject or self.about
        return f"{self.kind.replace('_', ' ').capitalize()} of {from_whom}"

    @property
    def is_open(self) -> bool:
        """Whether it can still be decided."""
        return self.state == OPEN and timezone.now() <= self.expires_at

    @property
    def status(self) -> Status:
        return PROPOSAL.statuses[self.state if self.state != OPEN or self.is_open else EXPIRED]
