"""Recording what suppliers told us, and confirming it by a second person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.models import SupplierAccount
from procurement.terms.kinds import KINDS, kinds_for
from procurement.terms.models import SOURCES, Statement
from procurement.terms.states import CONFIRMED, CONTRADICTED, STATEMENT, SUPERSEDED

PAGE_IS_NO_TERM = (
    "A public page confirms no term of a quote. Nothing was confirmed. Ask the supplier, and record what it answers."
)


@dataclass(frozen=True)
class Said:
    """What was said of one kind, where to find it, on which day, and the last day (UTC) it is good for."""

    value: str
    source: str
    reference: str
    stated_on: date
    expires_on: date | None = None


def record_statement(*, by: User, account: SupplierAccount, kind: str, said: Said) -> Statement:
    """Write down what was said of one kind; it is not confirmed, and what was said before holds no more (R11, R12).

    Refused where the value does not fit its kind, or a term of a quote names no last day.
    """
    check_can(by, Permission.ACCOUNT_MANAGE)
    value, reference = " ".join(said.value.split()), " ".join(said.reference.split())
    check_said(account, kind, said, value, reference)
    try:
        with transaction.atomic():
            for before in account.statements.filter(kind=kind).exclude(state=SUPERSEDED):
                transition(before, SUPERSEDED, by=by, machine=STATEMENT, facts={"value": before.words})
            made = Statement.objects.create(
                account=account,
                register=KINDS[kind].register,
                kind=kind,
                value=value,
                source=said.source,
                reference=reference,
                stated_on=said.stated_on,
                expires_on=said.expires_on,
                recorded_by=by,
            )
            record("statement.recorded", by=by, subject=made, what=made.what.label.lower(), value=made.words)
    except IntegrityError:
        raise StaleState(
            "Somebody else recorded the same kind at this moment. Nothing was recorded. Read theirs first."
        ) from None
    return made


def check_said(account: SupplierAccount, kind: str, said: Said, value: str, reference: str) -> None:
    """Raise Refused, with one sentence, for a statement that could not be looked up or compared later."""
    found = KINDS.get(kind)
    if found is None or found not in kinds_for(account):
        raise Refused(f"There is nothing called “{kind}” to confirm at this supplier. Nothing was recorded.")
    wrong = found.problem_with(value) if value else "Write what was said."
    if not wrong and (said.source not in dict(SOURCES) or not reference):
        wrong = "Say where it was said, so that another person can look it up."
    if not wrong and said.stated_on > timezone.now().date():
        wrong = "Nothing can have been said on a day that is still to come (UTC)."
    if not wrong and said.expires_on is None and found.must_expire:
        wrong = "A term of a quote has a last day. Ask the supplier how long it is good for."
    if not wrong and said.expires_on is not None and said.expires_on < said.stated_on:
        wrong = "Its last day is before the day it was said."
    if wrong:
        raise Refused(f"{wrong} Nothing was recorded.")


def confirm_statement(*, by: User, statement: Statement) -> None:
    """A second person looked the statement up at its source: from now on it holds until its last day (R12, R13)."""
    check_confirms(by, Permission.ACCOUNT_MANAGE)
    if statement.recorded_by_id == by.pk:
        raise NotAllowed("You recorded this yourself; it needs another administrator. Nothing was confirmed.")
    if statement.is_advertised:
        raise Refused(PAGE_IS_NO_TERM)
    if statement.is_expired():
        raise Refused("Its last day is over. Nothing was confirmed. Ask the supplier what holds now, and record that.")
    transition(
        statement,
        CONFIRMED,
        by=by,
        machine=STATEMENT,
        facts={"value": statement.words},
        confirmed_by=by,
        confirmed_at=timezone.now(),
    )


def contradict_statement(*, by: User, statement: Statement, reason: str) -> None:
    """Note that it is not so, with how that is known; it holds no more at once (R13)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    reason = " ".join(reason.split())[:500]
    if len(reason) < 10:
        raise Refused("Say in at least 10 characters how you know that it is not so. Nothing was changed.")
    transition(statement, CONTRADICTED, by=by, machine=STATEMENT, reason=reason, facts={"value": statement.words})
