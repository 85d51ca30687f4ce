"""What pages show of the record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.db.models import Q

from procurement.audit.events import EVENTS
from procurement.audit.models import AuditEvent
from procurement.audit.services import subject_of
from procurement.web.parts import TimelineEntry

SOURCES = {"person": "User", "supplier": "Supplier API", "webhook": "Webhook", "poll": "Poll", "system": "System"}


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


def sentence_of(event: AuditEvent) -> str:
    """The event in words, filled from its facts; a fact that is missing shows as a question mark."""
    words = _Blank({**event.facts, "actor": event.actor_name, "label": event.subject_label})
    return EVENTS.get(event.action, event.action).format_map(words)


def as_entry(event: AuditEvent) -> TimelineEntry:
    """The event as one line of a timeline."""
    return TimelineEntry(
        at=event.at,
        sentence=sentence_of(event),
        source=SOURCES.get(event.source, "System"),
        reason=event.reason,
        anchor=f"event-{event.pk}",
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
