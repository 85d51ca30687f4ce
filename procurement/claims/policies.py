"""What may be done with a case or a claim: pure checks that raise the sentence the page shows."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from procurement.catalog.regions import NO_REGIONS, canonical, country_of
from procurement.claims.facts import verdict_of
from procurement.claims.models import Case, Claim
from procurement.claims.states import OPEN_CLAIM
from procurement.claims.verdict import TABLE
from procurement.claims.window import check_in_time
from procurement.errors import Refused
from procurement.orders.models import Code, Order
from procurement.orders.states import CODE
from procurement.staff.access import check_can, may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.clients.redaction import mask_code_like

LONGEST_TEXT = 2_000
CLAIMABLE = frozenset(move.source for move in CODE.moves if move.target == "claimed")
REASONS = ("wrong_region", "invalid", "failed")


def check_can_open(user: User) -> None:
    """Support and managers work cases; a buyer may open one for a code to be claimed."""
    check_can(user, Permission.CASE_WORK, Permission.CLAIM_FILE)


def check_can_work(user: User) -> None:
    check_can(user, Permission.CASE_WORK)


def check_belongs(order: Order, code: Code | None) -> None:
    """A case names one code of its own order, or none."""
    if code is not None and code.order_id != order.pk:
        raise Refused(
            f"The code ending {code.last4} does not belong to {order}. Nothing was opened. Choose a code of this order."
        )


def check_open(case: Case) -> None:
    if not case.is_open:
        raise Refused(f"{case} is “{case.status.label}”. Nothing was changed. Open it again first.")


def clean_text(text: str, what: str = "The text") -> str:
    """Free text with every code-like run masked, so that no pasted code stays in the records (R62)."""
    text = mask_code_like(text.replace("\r\n", "\n").replace("\x00", "").strip(), by_hand=True)
    if len(text) > LONGEST_TEXT:
        raise Refused(f"{what} can be at most {LONGEST_TEXT:,} characters. Nothing was saved. Shorten it.")
    return text


def clean_reason(reason: str) -> str:
    """10 to 500 characters that say why; returned in one line, codes masked."""
    reason = mask_code_like(" ".join(reason.split()), by_hand=True)
    if not 10 <= len(reason) <= 500:
        raise Refused("Say why in 10 to 500 characters. Nothing was changed.")
    return reason


def clean_region(text: str) -> str:
    """The two letters of an account's country, UK read as GB. Any country counts: accounts exist in all of them."""
    region = canonical(text)
    if region in NO_REGIONS:
        raise Refused(f"{NO_REGIONS[region]}. Nothing was changed. Ask which country the account shows.")
    country = country_of(text)
    if not country:
        raise Refused("Write the account region in two letters, such as US or TR. Nothing was changed.")
    return country


def check_can_overrule(user: User, key: str) -> None:
    """A person may choose another row of the table, with a reason."""
    check_can(user, Permission.CASE_WORK)
    if key not in TABLE:
        raise Refused("Choose one of the verdicts of the list. Nothing was changed.")


def check_can_file(user: User, case: Case, at: datetime | None = None) -> Code:
    """Everything that must hold before a supplier is asked for one code (R67, R68, R71, R108); returns the code.

    Raises NotAllowed, or Refused with what does not hold.
    """
    check_can(user, Permission.CLAIM_FILE)
    check_open(case)
    code = case.code
    if code is None:
        raise Refused(
            "This case names no code, so there is nothing to claim. No claim was filed. Open a case from the "
            "code itself."
        )
    check_belongs(case.order, code)
    if code.account.environment != settings.ENVIRONMENT:
        raise Refused("This code belongs to the other environment. No claim was filed.")
    if Claim.objects.filter(code=code, state__in=OPEN_CLAIM).exists():
        raise Refused(already_open(code))
    if code.state not in CLAIMABLE:
        raise Refused(f"This code is “{code.status.label}” and can't be claimed. No claim was filed.")
    check_in_time(code, at)
    found = verdict_of(case)
    if found.claim_reason is None:
        raise Refused(
            f"A claim is not offered here: {found.sentence} No claim was filed. If you know better, overrule the "
            "verdict with a reason."
        )
    return code


def why_not_file(user: User, case: Case) -> str:
    """The sentence of the refusal, or "" when a claim can be filed; for the disabled button."""
    try:
        check_can_file(user, case)
    except Refused as refusal:
        return refusal.sentence
    return ""


def already_open(code: Code) -> str:
    return (
        f"There is an open claim for the code ending {code.last4} already. "
        "No second claim was filed; it would look like fraud."
    )


def check_reason_code(reason: str) -> None:
    if reason not in REASONS:
        raise Refused("Choose what is wrong with the code: wrong region, invalid or failed. No claim was filed.")


def check_reference(reference: str) -> str:
    """The supplier's own handle of the claim: 1 to 100 characters."""
    reference = mask_code_like(" ".join(reference.split()))
    if not 1 <= len(reference) <= 100:
        raise Refused("Write the reference the supplier gave, such as a ticket number. Nothing was recorded.")
    return reference


def check_can_record_credit(user: User) -> None:
    """A credit is money: those who see costs, and either file claims or keep the ledger."""
    check_can(user, Permission.COST_VIEW)
    check_can(user, Permission.CLAIM_FILE, Permission.DEPOSIT_RECORD)


def may_record_credit(user: User) -> bool:
    return may(user, Permission.COST_VIEW) and may(user, Permission.CLAIM_FILE, Permission.DEPOSIT_RECORD)


def check_credit(order: Order, amount_minor: int | None) -> int:
    """More than nothing and no more than the code cost; minor units of the order's cost currency."""
    if not amount_minor or amount_minor < 0:
        raise Refused("Write how much the supplier credited. Nothing was recorded.")
    if amount_minor > order.unit_cost_minor:
        raise Refused(
            "The credit is more than this code cost. Nothing was recorded. Check the amount; book anything "
            "beyond it as a deposit."
        )
    return amount_minor


def check_filed(claim: Claim) -> None:
    """An outcome belongs to a claim that reached the supplier."""
    if claim.state != "filed":
        raise Refused(f"This claim is “{claim.status.label}”, so it has no outcome yet. Nothing was recorded.")
