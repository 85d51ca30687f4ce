"""Showing one code to one person: recorded before it is opened, limited, never in bulk."""

from __future__ import annotations

from datetime import timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.audit.services import record
from procurement.errors import Refused, Unavailable
from procurement.orders import policies
from procurement.orders.models import Code
from procurement.staff.models import User
from procurement.vault import KeyUnavailable, Purpose, SealBroken, Secret, open_sealed

PER_HOUR, PER_DAY = 20, 60


def reveals_left(user: User) -> int:
    """How many reveals this person has left in the running hour and day."""
    now = timezone.now()
    mine = AuditEvent.objects.filter(actor=user, action="code.reveal_granted")
    hour = mine.filter(at__gt=now - timedelta(hours=1)).count()
    day = mine.filter(at__gt=now - timedelta(days=1)).count()
    return max(0, min(PER_HOUR - hour, PER_DAY - day))


def reveal_code(*, by: User, code: Code, reason: str, copied: bool = False) -> Secret:
    """Open one code for one person. The record of it is committed before the code is opened; without a record it stays closed.

    Raises NotAllowed, Refused (reason, limit) or Unavailable; in each case nothing was shown.
    """
    policies.check_can_reveal(by, code)
    reason = policies.check_reveal_reason(reason)
    if reveals_left(by) == 0:
        record("code.reveal_refused", by=by, subject=code, reason=reason, last4=code.last4)
        raise Refused(
            f"You have seen {PER_HOUR} codes in an hour or {PER_DAY} in a day. It was not opened. Ask a manager, or wait."
        )
    how = "copied" if copied else "shown"
    try:
        with transaction.atomic(durable=True):
            record("code.reveal_granted", by=by, subject=code, reason=reason, last4=code.last4, how=how)
    except DatabaseError as error:
        raise Unavailable(
            "The record could not be written, so the code was not opened. Try again, or tell an administrator."
        ) from error
    try:
        opened = open_sealed(
            code.sealed,
            purpose=Purpose.CODE,
            context=code.context(),
        )
    except (KeyUnavailable, SealBroken) as error:
        record("code.reveal_failed", by=by, subject=code, last4=code.last4)
        raise Unavailable(
            "The code could not be opened: its seal or its key does not fit. Tell an administrator."
        ) from error
    record("code.reveal_shown", by=by, subject=code, last4=code.last4, how=how)
    return opened


def reveal_trail(code: Code) -> list[AuditEvent]:
    """Who saw this code and when, newest first."""
    return list(
        AuditEvent.objects.filter(
            subject_kind="orders.code", subject_id=str(code.pk), action="code.reveal_shown"
        ).order_by("-id")[:20]
    )
