"""Working a case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from procurement.audit.models import AuditEvent
from procurement.claims.facts import rule_of, verdict_of
from procurement.claims.models import Case
from procurement.claims.policies import clean_region
from procurement.claims.services import cases
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Code, Order
from procurement.staff.models import User

REASON = "The supplier's mail says otherwise"


def events(case: Case) -> list[str]:
    return list(
        AuditEvent.objects.filter(subject_kind="claims.case", subject_id=str(case.pk))
        .order_by("id")
        .values_list("action", flat=True)
    )


def test_a_case_keeps_what_the_customer_reported(support: User, wrong_code: Code) -> None:
    case = cases.open_case(
        by=support, order=wrong_code.order, code=wrong_code, error_text="It fails", account_region="us"
    )
    assert (case.customer_order, case.account_region, case.owner, case.state) == ("10421", "US", support, "todo")
    assert events(case) == ["case.opened"]


@pytest.mark.requirement("R62")
def test_a_code_pasted_into_the_error_text_is_masked_before_it_is_stored(support: User, wrong_code: Code) -> None:
    case = cases.open_case(
        by=support, order=wrong_code.order, code=wrong_code, error_text="TST0-7K3M-ZZ42 was not valid"
    )
    case.refresh_from_db()
    assert "7K3M" not in case.error_text
    assert "ZZ42 was not valid" in case.error_text


def test_a_second_open_case_for_a_code_is_refused(support: User, case: Case) -> None:
    with pytest.raises(Refused, match="open case"):
        cases.open_case(by=support, order=case.order, code=case.code)
    assert Case.objects.count() == 1


def test_a_code_of_another_order_is_refused(support: User, wrong_code: Code, make_order: Callable[..., Order]) -> None:
    with pytest.raises(Refused, match="does not belong"):
        cases.open_case(by=support, order=make_order(wrong_code.account), code=wrong_code)
    assert not Case.objects.exists()


def test_a_buyer_opens_a_case_for_a_claim_but_does_not_own_it(buyer: User, wrong_code: Code) -> None:
    case = cases.open_case(by=buyer, order=wrong_code.order, code=wrong_code)
    assert case.owner is None


@pytest.mark.parametrize("who", ["finance", "auditor", "admin", "outsider"])
def test_who_does_not_work_cases_opens_none(who: str, wrong_code: Code, request: pytest.FixtureRequest) -> None:
    with pytest.raises(NotAllowed):
        cases.open_case(by=request.getfixturevalue(who), order=wrong_code.order, code=wrong_code)
    assert not Case.objects.exists()


def test_taking_a_case_assigns_it_and_names_who_had_it(manager: User, case: Case) -> None:
    cases.take_case(by=manager, case=case)
    case.refresh_from_db()
    assert case.owner == manager
    assert AuditEvent.objects.get(action="case.taken").facts == {"before": "Sam Support"}


def test_taking_ones_own_case_again_changes_nothing(support: User, case: Case) -> None:
    cases.take_case(by=support, case=case)
    assert events(case) == ["case.opened"]


@pytest.mark.parametrize(("typed", "kept"), [("us", "US"), (" uk ", "GB"), ("NL", "NL")])
def test_an_account_region_is_any_country_in_two_letters(support: User, case: Case, typed: str, kept: str) -> None:
    cases.set_account_region(by=support, case=case, region=typed)
    case.refresh_from_db()
    assert case.account_region == kept


@pytest.mark.parametrize("typed", ["", "EU", "USD", "QQ", "1"])
def test_what_is_no_country_is_refused_as_a_region(support: User, case: Case, typed: str) -> None:
    with pytest.raises(Refused):
        cases.set_account_region(by=support, case=case, region=typed)
    case.refresh_from_db()
    assert case.account_region == ""


def test_an_answer_from_the_customer_puts_the_waiting_case_back_on_the_desk(support: User, case: Case) -> None:
    cases.note_message_copied(by=support, case=case, message="ask_region")
    assert case.state == "waiting_customer"
    cases.set_account_region(by=support, case=case, region="TR")
    case.refresh_from_db()
    assert case.state == "todo"
    assert events(case) == [
        "case.opened",
        "case.message_copied",
        "case.waiting_customer",
        "case.account_region_set",
        "case.reopened",
    ]


def test_a_message_does_not_stop_a_case_from_waiting_for_the_supplier(support: User, case: Case) -> None:
    Case.objects.filter(pk=case.pk).update(state="waiting_supplier")
    case.refresh_from_db()
    cases.note_message_copied(by=support, case=case, message="manual_review")
    case.refresh_from_db()
    assert case.state == "waiting_supplier"


def test_a_stale_page_changes_nothing(support: User, manager: User, case: Case) -> None:
    seen = Case.objects.get(pk=case.pk)
    cases.take_case(by=manager, case=case)
    with pytest.raises(StaleState):
        cases.set_account_region(by=support, case=seen, region="TR")
    with pytest.raises(StaleState):
        cases.close_case(by=support, case=seen, reason=REASON)
    case.refresh_from_db()
    assert (case.account_region, case.state) == ("", "todo")


def test_a_person_may_choose_another_verdict_and_the_rule_overruled_is_counted(support: User, case: Case) -> None:
    assert rule_of(case).key == "supplier_region"
    cases.overrule_verdict(by=support, case=case, verdict="account_region", reason=REASON)
    case.refresh_from_db()
    found = verdict_of(case)
    assert (found.key, found.certainty) == ("account_region", "told")
    assert "another region than ordered" in found.also[0]
    assert AuditEvent.objects.get(action="case.overruled").facts["rule"] == "supplier_region"


def test_an_overruled_verdict_can_be_taken_back(support: User, case: Case) -> None:
    cases.overrule_verdict(by=support, case=case, verdict="account_region", reason=REASON)
    cases.overrule_verdict(by=support, case=case, verdict="", reason="It was the other way round")
    case.refresh_from_db()
    assert verdict_of(case).key == "supplier_region"
    assert case.overruled_reason == ""


@pytest.mark.parametrize(("verdict", "reason"), [("nonsense", REASON), ("account_region", "short")])
def test_an_overrule_without_a_known_verdict_or_a_reason_is_refused(
    support: User, case: Case, verdict: str, reason: str
) -> None:
    with pytest.raises(Refused):
        cases.overrule_verdict(by=support, case=case, verdict=verdict, reason=reason)
    case.refresh_from_db()
    assert case.overruled == ""


def test_a_case_is_solved_closed_and_opened_again(support: User, case: Case) -> None:
    cases.solve_case(by=support, case=case, note="Customer is happy")
    cases.reopen_case(by=support, case=case)
    cases.close_case(by=support, case=case, reason="The customer never answered")
    case.refresh_from_db()
    assert case.state == "closed"
    assert events(case) == ["case.opened", "case.solved", "case.reopened", "case.closed"]


def test_a_closed_case_is_not_changed(support: User, case: Case) -> None:
    cases.close_case(by=support, case=case, reason=REASON)
    for action in (
        lambda: cases.take_case(by=support, case=case),
        lambda: cases.set_account_region(by=support, case=case, region="TR"),
        lambda: cases.overrule_verdict(by=support, case=case, verdict="account_region", reason=REASON),
    ):
        with pytest.raises(Refused, match="Open it again"):
            action()
    assert events(case) == ["case.opened", "case.closed"]


def test_a_case_is_not_opened_again_beside_another_one(support: User, case: Case) -> None:
    cases.close_case(by=support, case=case, reason=REASON)
    cases.open_case(by=support, order=case.order, code=case.code)
    with pytest.raises(Refused, match="another open case"):
        cases.reopen_case(by=support, case=case)
    case.refresh_from_db()
    assert case.state == "closed"


@pytest.mark.parametrize("who", ["buyer", "finance", "auditor", "admin", "outsider"])
def test_only_support_and_managers_work_a_case(who: str, case: Case, request: pytest.FixtureRequest) -> None:
    person: User = request.getfixturevalue(who)
    for action in (
        lambda: cases.take_case(by=person, case=case),
        lambda: cases.set_account_region(by=person, case=case, region="TR"),
        lambda: cases.note_message_copied(by=person, case=case, message="ask_region"),
        lambda: cases.overrule_verdict(by=person, case=case, verdict="account_region", reason=REASON),
        lambda: cases.solve_case(by=person, case=case),
        lambda: cases.close_case(by=person, case=case, reason=REASON),
        lambda: cases.reopen_case(by=person, case=case),
    ):
        with pytest.raises(NotAllowed):
            action()
    assert events(case) == ["case.opened"]


def test_a_case_about_an_order_without_codes_takes_its_message_from_the_order(
    support: User, wrong_code: Code, make_order: Callable[..., Order]
) -> None:
    order = make_order(wrong_code.account, state="supplier_failed")
    case = cases.open_case(by=support, order=order, customer_order="10500")
    found = verdict_of(case)
    assert (found.key, found.message, found.claim_reason) == ("not_delivered", "failed", None)


def test_a_country_may_be_written_by_name_and_be_one_no_card_is_sold_for() -> None:
    assert [clean_region(text) for text in ("Germany", "uk", " au ")] == ["DE", "GB", "AU"]
