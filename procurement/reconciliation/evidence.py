"""Documents kept with a day, such as the supplier's answer about a difference (R94)."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from procurement.audit.services import record
from procurement.bookkeeping.papers import paper_facts
from procurement.errors import Refused
from procurement.reconciliation.models import Day, DayEvidence
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission


def add_day_evidence(*, by: User, row: Day, name: str, content: bytes) -> DayEvidence:
    """Keep a document with a compared day: PDF, PNG or JPEG, at most 5 MB, at most 5 of them.

    A signed day takes one as well: it stands beside the signature, says so, and changes nothing of what was signed.
    """
    check_can(by, Permission.RECONCILIATION_RUN, Permission.RECONCILIATION_SIGN)
    facts = paper_facts(name, content, kept=row.evidence.count())
    try:
        with transaction.atomic():
            made = DayEvidence.objects.create(day=row, added_by=by, **facts)
            record("reconciliation.evidence_added", by=by, subject=row, file=made.name, sha256=made.sha256)
    except IntegrityError:
        raise Refused("This document is kept with the day already. Nothing was added.") from None
    return made
