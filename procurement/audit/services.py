"""The one way to write the record; always inside the transaction of what it records."""

from __future__ import annotations

from typing import Any

from django.db import models

from procurement.audit.chain import event_bytes
from procurement.audit.events import EVENTS
from procurement.audit.models import AuditEvent
from procurement.staff.models import User
from procurement.vault import Purpose, authenticate
from procurement.web.request_id import current_request_id


def subject_of(subject: models.Model) -> tuple[str, str]:
    """How an object is named in the record: its model label and primary key."""
    return subject._meta.label_lower, str(subject.pk)


def record(
    action: str, *, by: User | None, subject: models.Model, reason: str = "", source: str = "", **facts: Any
) -> AuditEvent:
    """Append one event. `action` must be listed in events.py; `by=None` is the system; facts are JSON values, never a code or key."""
    if action not in EVENTS:
        raise ValueError(f"{action} is not listed in procurement/audit/events.py")
    kind, pk = subject_of(subject)
    event = AuditEvent(
        action=action,
        actor=by,
        actor_name=str(by) if by else "System",
        subject_kind=kind,
        subject_id=pk,
        subject_label=str(subject)[:200],
        source=source or ("person" if by else "system"),
        reason=reason,
        facts=facts,
        request_id=current_request_id(),
    )
    event.mac = authenticate(event_bytes(event), purpose=Purpose.AUDIT_MAC)
    event.save(force_insert=True)
    return event
