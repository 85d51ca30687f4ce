"""Reading the whole record again and naming the first thing that does not hold: an edit, a deletion, a reorder, a cut tail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from django.utils import timezone

from procurement.audit.chain import GENESIS, has_its_mac, link_bytes
from procurement.audit.models import AuditEvent, AuditLink
from procurement.vault import Purpose, is_authentic

CHUNK = 2_000
# How long an event may wait for its link; the job runs every minute.
PATIENCE = timedelta(minutes=15)


@dataclass
class Report:
    """What was read, and what did not hold; of the chain only the first break, for nothing after it can be told."""

    links: int = 0
    findings: list[str] = field(default_factory=list)


def verify(*, published: Mapping[int, str] | None = None) -> Report:
    """Read the record and report what does not hold; nothing is changed.

    `published` maps places of the chain to the hex heads kept elsewhere: only with them does a cut end, or a database
    that was put back to an earlier day, show.
    """
    report = Report()
    if broken := _first_break(report):
        report.findings.append(broken)
    report.findings += _unlinked()
    report.findings += _against(published or {})
    return report


def _first_break(report: Report) -> str:
    previous = GENESIS
    for seq, (link, event) in enumerate(_links(), start=1):
        if link.seq != seq:
            return f"Link {seq} is missing: events were removed."
        if event is None:
            return f"Link {seq}: event {link.event_id} was removed."
        if not has_its_mac(event):
            return f"Link {seq}: event {event.pk} ({event.action}, {event.at:%Y-%m-%d %H:%M:%S}Z) was changed."
        if not is_authentic(link.mac, link_bytes(previous, seq, event), purpose=Purpose.AUDIT_MAC):
            return f"Link {seq}: event {event.pk} ({event.action}, {event.at:%Y-%m-%d %H:%M:%S}Z) does not follow the one before it."
        previous = bytes(link.mac)
        report.links = seq
    return ""


def _links() -> Iterator[tuple[AuditLink, AuditEvent | None]]:
    """Links in order, each with its event, or None where that is gone."""
    after = 0
    while links := list(AuditLink.objects.filter(seq__gt=after).order_by("seq")[:CHUNK]):
        events = AuditEvent.objects.in_bulk([link.event_id for link in links])
        for link in links:
            yield link, events.get(link.event_id)
        after = links[-1].seq


def _unlinked() -> list[str]:
    """Events outside the chain: forged ones, and honest ones that wait too long. At most a hundred."""
    findings = []
    for event in AuditEvent.objects.filter(link__isnull=True).order_by("pk")[:CHUNK]:
        if not has_its_mac(event):
            findings.append(f"Event {event.pk} was not written by Countersign, or was changed before it was linked.")
        elif event.at < timezone.now() - PATIENCE:
            findings.append(f"Event {event.pk} has waited since {event.at:%Y-%m-%d %H:%M}Z for its link.")
    return findings[:100]


def _against(published: Mapping[int, str]) -> list[str]:
    known = {link.seq: bytes(link.mac).hex() for link in AuditLink.objects.filter(seq__in=list(published))}
    return [
        f"Head {seq} {'differs from the one published' if seq in known else 'was published and is not here'}: "
        "the end of the record was cut off, or the database is an older one."
        for seq, mac in published.items()
        if known.get(seq) != mac.lower()
    ]
