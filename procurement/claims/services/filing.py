"""Asking a supplier for one code: draft first, then the call outside any transaction, then what came of it.

A claim counts as filed only when the supplier took it. What surely did not arrive is sent again by the work loop; what
may have arrived is never repeated by itself (R67, R71).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.claims import policies
from procurement.claims.models import Case, Claim
from procurement.claims.states import CASE, CLAIM
from procurement.claims.window import is_open, window_ends
from procurement.errors import Refused, Unavailable
from procurement.faultpoints import faultpoint
from procurement.orders.models import Code
from procurement.orders.states import CODE
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.problems import SupplierProblem
from procurement.suppliers.clients.types import ClaimReceipt, ClaimRefused, ClaimUnknown, ClaimVerdict
from procurement.suppliers.models import Exchange
from procurement.vault import KeyUnavailable, Purpose, SealBroken, open_sealed
from procurement.work.services import make_due

API, MANUAL = "api", "manual"
SEND = "claim.send"
# The work loop looks after a claim whose sender died; longer than a call can take.
SAFETY_NET = timedelta(minutes=3)
TRY_AGAIN = timedelta(minutes=5)

SENTENCES = {
    "claim_window_closed": "The supplier says its 7 days for this code are over. No claim was filed. Copy the "
    "late request and ask by hand.",
    "already_claimed": (
        "The supplier holds a claim for this code already. No second claim was filed. Ask its support for the "
        "reference and the outcome."
    ),
    "unknown_code": "The supplier says that this order delivered no such code. No claim was filed. Ask its "
    "support, naming the order id.",
}


def file_claim(*, by: User, case: Case, reason: str, description: str = "") -> Claim:
    """Draft a claim for the case's code and send it; where the API takes none, prepare it for sending by hand.

    Call it outside any transaction. The claim's state says what came of it: filed; refused; unconfirmed (it may have
    arrived and is never repeated by itself); draft (it surely did not arrive and is sent again by the work loop, or it
    waits for a person's hand). Raises NotAllowed or Refused before anything is sent.
    """
    code = policies.check_can_file(by, case)
    policies.check_reason_code(reason)
    description = policies.clean_text(description or case.error_text, "The description")
    method = API if client_for(code.account).takes_claims else MANUAL
    claim = draft_claim(by, case, code, reason, description, method)
    if method == API:
        send_claim(claim, by=by)
    return claim


def draft_claim(by: User, case: Case, code: Code, reason: str, description: str, method: str) -> Claim:
    """Write the claim down before anything is sent; the database refuses a second open one for the code (R71)."""
    try:
        with transaction.atomic(durable=True):
            claim = Claim.objects.create(
                case=case,
                code=code,
                account=code.account,
                reason=reason,
                description=description,
                method=method,
                priority=method == API,
                window_ends=window_ends(code),
                drafted_by=by,
            )
            record("claim.drafted", by=by, subject=claim, method=claim.get_method_display())
            if method == API:
                make_due(SEND, str(claim.pk), at=timezone.now() + SAFETY_NET)
    except IntegrityError:
        raise Refused(policies.already_open(code)) from None
    faultpoint("claim.drafted")
    return claim


def send_claim(claim: Claim, *, by: User | None) -> datetime | None:
    """Send a drafted claim unless it may have been sent before or the window closed; when to try again, or None.

    Raises Unavailable when the code can't be opened; the claim then stays a draft and is tried again.
    """
    if may_have_arrived(claim):
        unknown = ClaimUnknown("interrupted", "Sending was interrupted. Nobody knows whether the claim arrived.")
        return settle(claim, unknown, by=by)
    if not is_open(claim.window_ends):
        sentence = (
            "The window closed before the supplier could be reached. No claim was filed. "
            "Copy the late request and ask by hand."
        )
        return settle(claim, ClaimRefused("claim_window_closed_here", sentence, True), by=by)
    outcome = ask_supplier(claim)
    faultpoint("claim.answered")
    return settle(claim, outcome, by=by)


def may_have_arrived(claim: Claim) -> bool:
    """Whether an earlier sending left a trace that does not prove the opposite; a call under way leaves one too."""
    sent = Exchange.objects.filter(subject_kind="claims.claim", subject_id=str(claim.pk))
    return sent.exclude(outcome="not filed").exists()


def ask_supplier(claim: Claim) -> ClaimVerdict:
    """Open the code and hand it to the client: the only lines here that touch the code. Nothing is kept of it."""
    code = claim.code
    try:
        opened = open_sealed(code.sealed, purpose=Purpose.CODE, context=code.context())
    except (KeyUnavailable, SealBroken) as error:
        raise Unavailable(
            "The code could not be opened, so no claim was filed. It is tried again. Tell an administrator."
        ) from error
    try:
        return client_for(claim.account).file_claim(
            code.order.remote_id, opened, claim.reason, claim.description, ("claims.claim", str(claim.pk))
        )
    except SupplierProblem as problem:
        return ClaimRefused("not_sent", problem.sentence, False, problem.retry_at)


def settle(claim: Claim, outcome: ClaimVerdict, *, by: User | None) -> datetime | None:
    """Write down what came of sending; when to try again, or None. Somebody who was faster is not overwritten."""
    with transaction.atomic():
        claim.refresh_from_db(fields=["state", "version"])
        if claim.state not in {"draft", "unconfirmed"}:
            return None
        if isinstance(outcome, ClaimReceipt):
            mark_filed(claim, by=by, reference=outcome.claim_id)
        elif isinstance(outcome, ClaimUnknown):
            if claim.state == "draft":
                transition(claim, "unconfirmed", by=by, machine=CLAIM, source="supplier", answer=outcome.sentence[:500])
        elif outcome.permanent:
            mark_refused(claim, by=by, why=SENTENCES.get(outcome.reason_code, outcome.sentence), source="supplier")
        else:
            return queue(claim, outcome)
    return None


def queue(claim: Claim, outcome: ClaimRefused) -> datetime:
    """Surely not arrived: keep the draft, say why, and let the work loop send it again."""
    again = outcome.retry_at or timezone.now() + TRY_AGAIN
    Claim.objects.filter(pk=claim.pk).update(answer=outcome.sentence[:500])
    claim.answer = outcome.sentence[:500]
    record("claim.queued", by=None, subject=claim, why=outcome.sentence)
    make_due(SEND, str(claim.pk), at=again)
    return again


def mark_filed(claim: Claim, *, by: User | None, reference: str) -> None:
    """The supplier has it: claim filed, code claimed, case waiting for the supplier, in one transaction."""
    facts = {"method": claim.get_method_display(), "reference": reference}
    with transaction.atomic():
        transition(
            claim, "filed", by=by, machine=CLAIM, facts=facts, remote_id=reference, filed_at=timezone.now(), answer=""
        )
        code = Code.objects.get(pk=claim.code_id)
        if code.state != "claimed":
            transition(code, "claimed", by=by, machine=CODE, facts=facts)
        case = Case.objects.get(pk=claim.case_id)
        if case.state in {"todo", "waiting_customer"}:
            transition(case, "waiting_supplier", by=by, machine=CASE)


def mark_refused(claim: Claim, *, by: User | None, why: str, source: str = "") -> None:
    """The supplier has no claim of it; the case stays where it is, for a person to go on."""
    transition(
        claim,
        "refused",
        by=by,
        machine=CLAIM,
        source=source,
        facts={"why": why},
        answer=why[:500],
        outcome_at=timezone.now(),
    )


def record_manual_filing(*, by: User, claim: Claim, reference: str) -> None:
    """A person sent the claim, or learned that an unconfirmed one arrived, and has the supplier's reference."""
    check_can(by, Permission.CLAIM_FILE)
    if not (claim.state == "unconfirmed" or (claim.state == "draft" and claim.is_by_hand)):
        raise Refused(
            f"This claim is “{claim.status.label}”. Nothing was recorded; only a claim sent by hand gets its "
            "reference here."
        )
    mark_filed(claim, by=by, reference=policies.check_reference(reference))


def record_not_arrived(*, by: User, claim: Claim, why: str) -> None:
    """A person decided not to send a claim by hand, or learned that an unconfirmed one did not arrive."""
    check_can(by, Permission.CLAIM_FILE)
    if not (claim.state == "unconfirmed" or (claim.state == "draft" and claim.is_by_hand)):
        raise Refused(f"This claim is “{claim.status.label}”. Nothing was recorded.")
    mark_refused(claim, by=by, why=policies.clean_reason(why))


def switch_to_hand(*, by: User, claim: Claim) -> None:
    """Take a claim out of the queue to send it by hand, as long as it surely did not arrive."""
    check_can(by, Permission.CLAIM_FILE)
    if claim.state != "draft" or claim.is_by_hand or may_have_arrived(claim):
        raise Refused(f"This claim is “{claim.status.label}” and can't be taken out of the queue. Nothing was changed.")
    with transaction.atomic():
        mine = Claim.objects.filter(pk=claim.pk, state="draft", method=API, version=claim.version)
        if mine.update(method=MANUAL, priority=False, version=claim.version + 1) != 1:
            raise Refused("This claim was changed by someone else meanwhile. Nothing was done. Look at it again.")
        claim.method, claim.version = MANUAL, claim.version + 1
        record("claim.by_hand", by=by, subject=claim)
