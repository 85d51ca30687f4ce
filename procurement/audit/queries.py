"""What pages show of the record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from procurement.audit.events import EVENTS
from procurement.audit.models import AuditEvent
from procurement.audit.services import subject_of


@dataclass(frozen=True)
class TimelineEntry:
    """One event as a sentence; `source` is person, system, supplier or webhook."""

    id: int
    at: datetime
    actor: str
    action: str
    sentence: str
    source: str
    reason: str
    facts: dict[str, Any]
    label: str


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def as_entry(event: AuditEvent) -> TimelineEntry:
    """The event's sentence, filled from its facts."""
    words = _Blank({**event.facts, "actor": event.actor_name, "label": event.subject_label})
    sentence = EVENTS.get(event.action, event.action).format_map(words)
    return TimelineEntry(
        event.pk, event.at, event.actor_name, event.action, sentence, event.source, event.reason, event.facts, event.subject_label
    )


def events_about(subjects: Iterable[models.Model]) -> models.QuerySet[AuditEvent]:
    """Events of any of `subjects`, oldest first."""
    match = Q(pk__in=[])
    for subject in subjects:
        kind, pk = subject_of(subject)
        match |= Q(subject_kind=kind, subject_id=pk)
    return AuditEvent.objects.filter(match).order_by("id")


def timeline_for(*subjects: models.Model, limit: int = 200) -> list[TimelineEntry]:
    """The story of one object, or of several that belong together, oldest first; the last `limit` events."""
    latest = list(events_about(subjects).order_by("-id")[:limit])
    return [as_entry(event) for event in reversed(latest)]
