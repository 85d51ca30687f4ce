"""What the supplier decided: replaced, credited or declined, and what follows for code, case and money (R72)."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.claims import policies
from procurement.claims.models import Case, Claim
from procurement.claims.states import CASE, CLAIM
from procurement.errors import Refused
from procurement.orders.models import Code
from procurement.orders.services.receiving import WELL_FORMED, take_in
from procurement.orders.states import CODE
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients.types import RemoteCode
from procurement.vault import Secret, normalise_code

OUTCOMES = ("replaced", "credited", "declined")
CODE_AFTER = {"replaced": "replaced", "credited": "credited", "declined": "invalid"}


def record_outcome(
    *,
    by: User,
    claim: Claim,
    outcome: str,
    note: str = "",
    credit_minor: int | None = None,
    replacement: Secret | None = None,
) -> None:
    """Write the supplier's decision down, once, in one transaction with the code's move and the credit's posting.

    `credit_minor` is in minor units of the order's cost currency; `replacement` is the new code, sealed when stored.
    A case with a customer is to do again, for the customer must hear of it; without one it is solved, unless
    declined.
    Raises NotAllowed, Refused or StaleState; then nothing was recorded.
    """
    check_can(by, Permission.CLAIM_FILE, Permission.DEPOSIT_RECORD)
    if outcome not in OUTCOMES:
        raise Refused("Choose what the supplier decided: replaced, credited or declined. Nothing was recorded.")
    policies.check_filed(claim)
    note = policies.clean_text(note, "The note")
    with transaction.atomic():
        if outcome == "replaced":
            record_replacement(by, claim, note, replacement)
        elif outcome == "credited":
            record_credit(by, claim, note, credit_minor)
        else:
            transition(claim, "declined", by=by, machine=CLAIM, reason=note, outcome_at=timezone.now())
        code = Code.objects.get(pk=claim.code_id)
        transition(code, CODE_AFTER[outcome], by=by, machine=CODE, reason=note, facts=amount_facts(claim))
        go_on(by, claim, outcome)


def record_replacement(by: User, claim: Claim, note: str, replacement: Secret | None) -> None:
    """The supplier gave a new code; it may be stored now, or come later with the order's codes."""
    stored = store_replacement(by, claim, replacement) if replacement else None
    transition(claim, "replaced", by=by, machine=CLAIM, reason=note, outcome_at=timezone.now(), replacement=stored)


def store_replacement(by: User, claim: Claim, text: Secret) -> Code:
    """Seal the new code into the same order. Refused for what is no code, or is held already; WrongEnvironment too."""
    order = claim.code.order
    if not WELL_FORMED.fullmatch(normalise_code(text)):
        raise Refused(
            "The replacement is not a code of 12 letters and digits. Nothing was recorded. Check it and paste it again."
        )
    fresh = take_in(order, (RemoteCode(text, region=""),)).fresh
    if not fresh:
        raise Refused(
            "This code is held already, so it can't be the replacement. Nothing was recorded. Check which code "
            "was sent."
        )
    code = fresh[0]
    # Its seven days run from now, not from the first delivery of the order; it is kept for the customer who waits.
    Code.objects.filter(pk=code.pk).update(available_at=timezone.now(), customer_order=claim.case.customer_order)
    record("code.replacement_stored", by=by, subject=code, last4=code.last4)
    return code


def record_credit(by: User, claim: Claim, note: str, credit_minor: int | None) -> None:
    """Money came back: posted to the supplier account under this claim, so that it is booked once (R72)."""
    policies.check_can_record_credit(by)
    order = claim.code.order
    amount = policies.check_credit(order, credit_minor)
    transition(
        claim,
        "credited",
        by=by,
        machine=CLAIM,
        reason=note,
        facts={"amount": postings.amount_text(amount, order.cost_currency)},
        outcome_at=timezone.now(),
        credit_minor=amount,
    )
    postings.claim_credit(
        account_code=claim.account.code,
        currency=order.cost_currency,
        claim_id=str(claim.pk),
        order_id=str(order.pk),
        label=order.client_order_id,
        amount_minor=amount,
        actor=str(by),
    )


def amount_facts(claim: Claim) -> dict[str, str]:
    if claim.credit_minor is None:
        return {}
    return {"amount": postings.amount_text(claim.credit_minor, claim.code.order.cost_currency)}


def go_on(by: User, claim: Claim, outcome: str) -> None:
    """Move the case on: solved when nobody waits for news, else to do."""
    case = Case.objects.get(pk=claim.case_id)
    if case.state == "todo" or not case.is_open:
        return
    nobody_waits = outcome != "declined" and not case.customer_order
    if nobody_waits:
        transition(case, "solved", by=by, machine=CASE)
    else:
        transition(case, "todo", by=by, machine=CASE, reason=f"The claim was {outcome}")
