"""What the supplier decided, and what follows for code, case and money."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.bookkeeping import postings
from procurement.claims.models import Case, Claim
from procurement.claims.services import filing
from procurement.claims.services.cases import note_message_copied
from procurement.claims.services.outcomes import record_outcome
from procurement.errors import DomainError, NotAllowed, Refused, StaleState
from procurement.orders.models import Code
from procurement.orders.services.revealing import Ask, reveal_code
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.vault import Secret
from tests.claims.conftest import CODE, FakeSupplier

NEW_CODE = "TST0-9QWX-AB12"


@pytest.fixture
def claim(support: User, case: Case, supplier: FakeSupplier, money: None, account: SupplierAccount) -> Claim:
    order = case.order
    postings.purchase(
        account_code=account.code,
        currency="USD",
        order_id=str(order.pk),
        label=order.client_order_id,
        amount_minor=13_860,
    )
    filing.file_claim(by=support, case=case, reason="wrong_region")
    return Claim.objects.select_related("code__order__account", "account", "case").get()


def balance(account: SupplierAccount) -> int:
    return postings.free_balance(account.code, "USD")


@pytest.mark.requirement("R72")
def test_a_credit_comes_back_to_the_balance_once(manager: User, claim: Claim) -> None:
    before = balance(claim.account)
    record_outcome(by=manager, claim=claim, outcome="credited", credit_minor=4620, note="By mail")
    assert balance(claim.account) == before + 4620
    claim.refresh_from_db()
    assert (claim.state, claim.credit_minor) == ("credited", 4620)
    assert Code.objects.get(pk=claim.code_id).state == "credited"


@pytest.mark.requirement("R72")
def test_an_outcome_recorded_twice_is_booked_once(manager: User, claim: Claim) -> None:
    seen = Claim.objects.select_related("code__order", "account").get(pk=claim.pk)
    record_outcome(by=manager, claim=claim, outcome="credited", credit_minor=4620)
    after = balance(claim.account)
    with pytest.raises(StaleState):
        record_outcome(by=manager, claim=seen, outcome="credited", credit_minor=4620)
    assert balance(claim.account) == after


@pytest.mark.parametrize("amount", [None, 0, -1, 4621])
def test_a_credit_of_nothing_or_of_more_than_the_cost_is_refused(
    manager: User, claim: Claim, amount: int | None
) -> None:
    before = balance(claim.account)
    with pytest.raises(Refused):
        record_outcome(by=manager, claim=claim, outcome="credited", credit_minor=amount)
    claim.refresh_from_db()
    assert (claim.state, balance(claim.account)) == ("filed", before)


@pytest.mark.parametrize("who", ["support", "admin", "auditor", "outsider"])
def test_a_credit_is_recorded_only_by_those_who_see_costs_and_keep_money_or_claims(
    who: str, claim: Claim, request: pytest.FixtureRequest
) -> None:
    before = balance(claim.account)
    with pytest.raises(NotAllowed):
        record_outcome(by=request.getfixturevalue(who), claim=claim, outcome="credited", credit_minor=4620)
    claim.refresh_from_db()
    assert (claim.state, balance(claim.account)) == ("filed", before)


def test_finance_records_a_credit(finance: User, claim: Claim) -> None:
    record_outcome(by=finance, claim=claim, outcome="credited", credit_minor=100)
    claim.refresh_from_db()
    assert claim.state == "credited"


@pytest.mark.requirement("R72")
def test_a_replacement_is_sealed_into_the_order_with_a_window_of_its_own(support: User, claim: Claim) -> None:
    record_outcome(by=support, claim=claim, outcome="replaced", replacement=Secret(NEW_CODE))
    claim.refresh_from_db()
    stored = claim.replacement
    assert stored is not None
    assert (claim.state, stored.order_id, stored.last4, stored.state) == (
        "replaced",
        claim.code.order_id,
        "AB12",
        "stored",
    )
    assert stored.available_at > claim.code.available_at
    ask = Ask(f"case:{claim.case_id}", "Customer gets the replacement", why="customer")
    opened = reveal_code(by=support, code=stored, ask=ask)
    assert opened.expose() == NEW_CODE.replace("-", "")
    assert Code.objects.get(pk=claim.code_id).state == "replaced"


def test_a_replacement_is_kept_for_its_customer_and_handed_over_with_the_message(support: User, claim: Claim) -> None:
    record_outcome(by=support, claim=claim, outcome="replaced", replacement=Secret(NEW_CODE))
    claim.refresh_from_db()
    assert claim.replacement is not None
    assert (claim.replacement.state, claim.replacement.customer_order) == ("stored", "10421")
    case = Case.objects.get(pk=claim.case_id)
    note_message_copied(by=support, case=case, message="manual_review")
    claim.replacement.refresh_from_db()
    assert claim.replacement.state == "stored"
    note_message_copied(by=support, case=case, message="replacement_ready")
    note_message_copied(by=support, case=case, message="replacement_ready")
    claim.replacement.refresh_from_db()
    assert (claim.replacement.state, claim.replacement.handed_over_at is not None) == ("handed_over", True)


@pytest.mark.parametrize(
    ("pasted", "why"), [("nonsense", "not a code"), (CODE, "held already"), ("AAAA-BBBB-CC12", "is not one")]
)
def test_a_replacement_that_cannot_be_one_is_refused(support: User, claim: Claim, pasted: str, why: str) -> None:
    codes = Code.objects.count()
    with pytest.raises(DomainError, match=why):
        record_outcome(by=support, claim=claim, outcome="replaced", replacement=Secret(pasted))
    claim.refresh_from_db()
    assert (claim.state, Code.objects.count()) == ("filed", codes)


def test_a_replacement_may_come_later(support: User, claim: Claim) -> None:
    record_outcome(by=support, claim=claim, outcome="replaced", note="Comes by mail")
    claim.refresh_from_db()
    assert (claim.state, claim.replacement) == ("replaced", None)


def test_a_declined_claim_leaves_an_invalid_code_and_a_case_to_do(support: User, claim: Claim) -> None:
    record_outcome(by=support, claim=claim, outcome="declined", note="Already redeemed, they say")
    claim.refresh_from_db()
    assert claim.state == "declined"
    assert Code.objects.get(pk=claim.code_id).state == "invalid"
    assert Case.objects.get(pk=claim.case_id).state == "todo"


@pytest.mark.parametrize(
    ("customer", "outcome", "state"),
    [("10421", "replaced", "todo"), ("", "replaced", "solved"), ("", "declined", "todo")],
)
def test_a_case_goes_on_until_everybody_has_heard(
    support: User, claim: Claim, customer: str, outcome: str, state: str
) -> None:
    Case.objects.update(customer_order=customer)
    record_outcome(by=support, claim=claim, outcome=outcome)
    assert Case.objects.get(pk=claim.case_id).state == state


@pytest.mark.parametrize("given", [{"outcome": "lost"}, {"outcome": ""}])
def test_an_outcome_nobody_knows_is_refused(support: User, claim: Claim, given: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="Choose"):
        record_outcome(by=support, claim=claim, **given)
    claim.refresh_from_db()
    assert claim.state == "filed"


def test_a_claim_that_was_not_filed_has_no_outcome(support: User, claim: Claim) -> None:
    Claim.objects.filter(pk=claim.pk).update(state="unconfirmed")
    claim.refresh_from_db()
    with pytest.raises(Refused, match="no outcome"):
        record_outcome(by=support, claim=claim, outcome="replaced")
    assert Code.objects.get(pk=claim.code_id).state == "claimed"
