"""The chain: every event carries a MAC over its columns, and links bind the events to one another, in order.

Whoever owns the database but not the master key cannot add, change, remove or reorder an event unseen; cutting off the
end shows against a head that was kept elsewhere. An event is authenticated when it is written and linked right after
its transaction, by a job: a link made inside it would let every writer wait for all others.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta

from django.db import IntegrityError, transaction

from procurement.audit.models import AuditEvent, AuditLink
from procurement.vault import Purpose, authenticate, is_authentic
from procurement.vault.envelope import length_prefixed

log = logging.getLogger(__name__)

GENESIS = b""
BATCH = 2_000
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A transaction may commit after later events were linked: events with numbers this far back are looked for again.
LOOK_BACK = 20_000


def event_bytes(event: AuditEvent) -> bytes:
    """Every column of an event but its number, which the link binds."""
    return length_prefixed(
        "countersign-audit-1",
        event.uid.bytes,
        str((event.at - EPOCH) // MICROSECOND),
        event.action,
        str(event.actor_id or ""),
        event.actor_name,
        event.subject_kind,
        event.subject_id,
        event.subject_label,
        event.source,
        event.reason,
        json.dumps(event.facts, sort_keys=True, separators=(",", ":")),
        event.request_id,
    )


def link_bytes(previous: bytes, seq: int, event: AuditEvent) -> bytes:
    return length_prefixed("countersign-audit-link-1", previous, str(seq), str(event.pk), bytes(event.mac))


def has_its_mac(event: AuditEvent) -> bool:
    return is_authentic(event.mac, event_bytes(event), purpose=Purpose.AUDIT_MAC)


def head() -> AuditLink | None:
    """The last link; None before the first."""
    return AuditLink.objects.select_related("event").order_by("-seq").first()


def chain_events() -> AuditLink | None:
    """Link every committed event that has no link yet, and return the chain's head; None if nothing ever happened.

    An event whose MAC is not its own is left out and named in the log. Two processes at once make one chain.
    """
    while True:
        last = head()
        waiting = _waiting(last)
        honest = [event for event in waiting if _is_honest(event)]
        if not honest:
            return last
        try:
            _append(last, honest)
        except IntegrityError:
            # A twin was faster.
            return head()
        if len(waiting) < BATCH:
            return head()


def _is_honest(event: AuditEvent) -> bool:
    if has_its_mac(event):
        return True
    log.error("Audit event %s was changed, or not written by Countersign; it is not linked.", event.pk)
    return False


def _waiting(last: AuditLink | None) -> list[AuditEvent]:
    rows = AuditEvent.objects.filter(link__isnull=True).order_by("pk")
    if last is not None:
        rows = rows.filter(pk__gt=last.event_id - LOOK_BACK)
    return list(rows[:BATCH])


def _append(last: AuditLink | None, events: list[AuditEvent]) -> None:
    seq, previous = (last.seq, bytes(last.mac)) if last else (0, GENESIS)
    links = []
    for seq_of, event in enumerate(events, start=seq + 1):
        previous = authenticate(link_bytes(previous, seq_of, event), purpose=Purpose.AUDIT_MAC)
        links.append(AuditLink(seq=seq_of, event=event, mac=previous))
    with transaction.atomic():
        AuditLink.objects.bulk_create(links)
