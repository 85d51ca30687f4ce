"""Working a case: open, take, note what the customer says, write, overrule, solve, close, open again."""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.claims import policies
from procurement.claims.facts import rule_of
from procurement.claims.messages import MESSAGES
from procurement.claims.models import Case
from procurement.claims.states import CASE, OPEN_CASE, OPEN_CLAIM
from procurement.errors import Refused, StaleState
from procurement.orders.models import Code, Order
from procurement.orders.states import CODE
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition


def open_case(
    *,
    by: User,
    order: Order,
    code: Code | None = None,
    customer_order: str = "",
    error_text: str = "",
    account_region: str = "",
) -> Case:
    """Open a case for one code, or for an order without codes; one open case for each code.

    Code-like runs in the error text are masked. Whoever works cases owns what they open. Raises NotAllowed or Refused.
    """
    policies.check_can_open(by)
    policies.check_belongs(order, code)
    try:
        with transaction.atomic():
            case = Case.objects.create(
                order=order,
                code=code,
                customer_order=" ".join(customer_order.split())[:100] or (code.customer_order if code else ""),
                error_text=policies.clean_text(error_text, "The error text"),
                account_region=policies.clean_region(account_region) if account_region.strip() else "",
                owner=by if may(by, Permission.CASE_WORK) else None,
                opened_by=by,
            )
            record("case.opened", by=by, subject=case, order=str(order))
    except IntegrityError:
        raise Refused(
            f"There is an open case for {code} already. No second case was opened. Work in the open one."
        ) from None
    return case


def take_case(*, by: User, case: Case) -> None:
    """Make the case one's own; taking over from a colleague is allowed and recorded."""
    policies.check_can_work(by)
    policies.check_open(case)
    if case.owner_id == by.pk:
        return
    before = str(case.owner) if case.owner else ""
    change(case, by, "case.taken", owner=by, facts={"before": before})


def set_account_region(*, by: User, case: Case, region: str) -> None:
    """Note the country the customer says the account shows; a case that waited for it is to do again (N11)."""
    policies.check_can_work(by)
    policies.check_open(case)
    region = policies.clean_region(region)
    with transaction.atomic():
        change(case, by, "case.account_region_set", account_region=region, facts={"region": region})
        if case.state == "waiting_customer":
            transition(case, "todo", by=by, machine=CASE, reason="The customer answered")


def set_error_text(*, by: User, case: Case, text: str) -> None:
    """Note the exact error the customer sees, codes masked."""
    policies.check_can_work(by)
    policies.check_open(case)
    change(case, by, "case.error_noted", error_text=policies.clean_text(text, "The error text"))


def note_message_copied(*, by: User, case: Case, message: str) -> None:
    """Record that a message was copied for the customer; a case to do then waits for the customer.

    A case that waits for the supplier keeps waiting for the supplier. With "replacement ready" the replacement
    counts as handed over, so that it is not given to anybody else.
    """
    policies.check_can_work(by)
    if message not in MESSAGES:
        raise Refused("There is no such message. Nothing was recorded.")
    with transaction.atomic():
        change(case, by, "case.message_copied", facts={"message": MESSAGES[message].label})
        if message == "replacement_ready":
            hand_over_replacements(by, case)
        if case.state == "todo":
            transition(case, "waiting_customer", by=by, machine=CASE)


def hand_over_replacements(by: User, case: Case) -> None:
    codes = Code.objects.filter(pk__in=case.claims.values("replacement"), state="stored")
    for code in codes:
        facts = {"customer_order": case.customer_order or str(case)}
        transition(code, "handed_over", by=by, machine=CODE, facts=facts, handed_over_at=timezone.now(), **facts)


def overrule_verdict(*, by: User, case: Case, verdict: str, reason: str) -> None:
    """Choose another row of the table, or with "" go back to its own; the rule overruled is recorded, to be counted."""
    policies.check_open(case)
    reason = policies.clean_reason(reason)
    if verdict:
        policies.check_can_overrule(by, verdict)
    else:
        policies.check_can_work(by)
    rule = rule_of(case)
    words = policies.TABLE[verdict].owner_words if verdict else "back to the rule"
    facts = {"verdict": f"{verdict or rule.key} ({words})", "rule": rule.key}
    change(
        case,
        by,
        "case.overruled",
        reason=reason,
        facts=facts,
        overruled=verdict,
        overruled_reason=reason if verdict else "",
    )


def solve_case(*, by: User, case: Case, note: str = "") -> None:
    """The customer is served. Refused while a claim for it is on its way."""
    policies.check_can_work(by)
    check_no_open_claim(case)
    transition(case, "solved", by=by, machine=CASE, reason=policies.clean_text(note, "The note"))


def close_case(*, by: User, case: Case, reason: str) -> None:
    """End a case without a solution, with the reason."""
    policies.check_can_work(by)
    check_no_open_claim(case)
    transition(case, "closed", by=by, machine=CASE, reason=policies.clean_reason(reason))


def reopen_case(*, by: User, case: Case, reason: str = "") -> None:
    """Take a waiting, solved or closed case up again; nothing recorded before is lost (N21)."""
    policies.check_can_work(by)
    if case.code_id and not case.is_open and Case.objects.filter(code_id=case.code_id, state__in=OPEN_CASE).exists():
        raise Refused("There is another open case for this code. Nothing was changed. Work in that one.")
    transition(case, "todo", by=by, machine=CASE, reason=policies.clean_text(reason, "The reason"))


def check_no_open_claim(case: Case) -> None:
    if case.claims.filter(state__in=OPEN_CLAIM).exists():
        raise Refused("A claim of this case is not decided yet. Nothing was changed. Record its outcome first.")


def change(
    case: Case, by: User, event: str, *, reason: str = "", facts: dict[str, Any] | None = None, **values: Any
) -> None:
    """Write `values` under the version the person saw, with its audit event; StaleState if somebody was faster."""
    with transaction.atomic():
        written = Case.objects.filter(pk=case.pk, version=case.version).update(version=case.version + 1, **values)
        if written != 1:
            raise StaleState(
                f"{case} was changed by someone else meanwhile. Nothing was done. Look at it again before you act."
            )
        case.version += 1
        for name, value in values.items():
            setattr(case, name, value)
        record(event, by=by, subject=case, reason=reason, **(facts or {}))
