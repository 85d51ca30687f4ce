"""A correcting entry by two people: proposed with its lines and a reason, confirmed by another, booked once (R84, R88)."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.bookkeeping.holdings import amount_text
from procurement.bookkeeping.models import Correction
from procurement.bookkeeping.rules import AGAINST
from procurement.bookkeeping.states import CORRECTION
from procurement.errors import NotAllowed, Refused
from procurement.staff.access import check_can, check_confirms, may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.models import SupplierAccount


def propose_correction(
    *, by: User, account: SupplierAccount, currency: str, amount_minor: int, against: str, day: date, reason: str
) -> Correction:
    """Propose what it changes in our funds, negative for what the supplier took; nothing is booked yet."""
    check_can(by, Permission.RECONCILIATION_RUN)
    reason = " ".join(reason.split())[:500]
    if amount_minor == 0:
        raise Refused("A correction of zero changes nothing. Nothing was proposed.")
    if against not in AGAINST:
        raise Refused("Choose what it is booked against. Nothing was proposed.")
    if day > timezone.now().date():
        raise Refused("That day has not come yet. Nothing was proposed. Choose the day it belongs to.")
    if len(reason) < 10:
        raise Refused("Say why in at least 10 characters: the auditor reads it later. Nothing was proposed.")
    with transaction.atomic():
        row = Correction.objects.create(
            account=account,
            currency=currency,
            amount_minor=amount_minor,
            against=against,
            day=day,
            reason=reason,
            proposed_by=by,
            proposed_at=timezone.now(),
        )
        record("correction.proposed", by=by, subject=row, reason=reason, **facts_of(row))
    return row


def book_correction(*, by: User, correction: Correction) -> None:
    """Agree with another person's proposal and book it; Refused for a day whose books are closed."""
    check_confirms(by, Permission.RECONCILIATION_SIGN)
    if by.pk == correction.proposed_by_id:
        raise NotAllowed("You proposed this correction; another person confirms it. Nothing was booked.")
    with transaction.atomic():
        _decide(correction, "booked", by)
        postings.correction(correction, actor=f"{correction.proposed_by} and {by}")


def decline_correction(*, by: User, correction: Correction) -> None:
    """Take one's own proposal back, or disagree with another's: nothing is booked."""
    if by.pk != correction.proposed_by_id:
        check_can(by, Permission.RECONCILIATION_SIGN)
    _decide(correction, "declined", by)


def _decide(row: Correction, to: str, by: User) -> None:
    now = timezone.now()
    transition(row, to, by=by, machine=CORRECTION, facts=facts_of(row), decided_by=by, decided_at=now)


def facts_of(row: Correction) -> dict[str, str]:
    amount = amount_text(row.amount_minor, row.currency)
    return {"amount": amount, "against": row.against, "day": row.day.isoformat()}


def corrections_to_confirm(user: User) -> list[Correction]:
    """Proposals that wait for this person's word, oldest first."""
    if not may(user, Permission.RECONCILIATION_SIGN):
        return []
    return list(Correction.objects.filter(state="proposed").exclude(proposed_by=user).order_by("proposed_at"))
