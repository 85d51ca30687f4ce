"""Asking a supplier for one code: once, in time, and never blindly again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.claims.models import Case, Claim
from procurement.claims.packets import claim_packet, late_request
from procurement.claims.services import cases, filing
from procurement.claims.tasks import send_claim_task
from procurement.claims.window import window_ends
from procurement.errors import NotAllowed, Refused, Unavailable
from procurement.orders.models import Code, Order
from procurement.staff.models import User
from procurement.suppliers.clients.problems import HttpInTransaction
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.work.models import DueWork
from tests.claims.conftest import CODE, FakeSupplier, code_of

BARE = CODE.replace("-", "")


def file(by: User, case: Case, reason: str = "wrong_region") -> Claim:
    claim = filing.file_claim(by=by, case=case, reason=reason)
    claim.refresh_from_db()
    return claim


@pytest.mark.requirement("R66", "R67", "R70")
def test_a_claim_sends_the_order_the_code_the_reason_and_nothing_of_the_customer(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    claim = file(support, case)
    (call,) = supplier.calls
    assert (call.method, call.url.path) == ("POST", "/api/claims")
    sent = json.loads(call.content)
    assert sent == {
        "order_id": case.order.remote_id,
        "code": BARE,
        "reason": "wrong_region",
        "description": "Not valid in this region",
    }
    assert "10421" not in call.content.decode()
    assert (claim.state, claim.remote_id, claim.method, claim.priority) == ("filed", "clm_81b2", "api", True)
    assert claim.filed_at is not None


def test_a_filed_claim_moves_the_code_and_the_case(support: User, case: Case, supplier: FakeSupplier) -> None:
    file(support, case)
    assert code_of(case).state == "claimed"
    assert Case.objects.get(pk=case.pk).state == "waiting_supplier"
    assert set(AuditEvent.objects.filter(action="claim.filed").values_list("subject_kind", flat=True)) == {
        "claims.claim",
        "orders.code",
    }


@pytest.mark.requirement("R62")
def test_the_code_stays_out_of_logs_records_and_exchange_bodies(
    support: User, case: Case, supplier: FakeSupplier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    supplier.says(201, {"id": "clm_1", "status": "received", "code": CODE})
    file(support, case)
    exchange = Exchange.objects.get(purpose="claims.file")
    kept = [exchange.request_body, exchange.response_body, caplog.text]
    kept += [json.dumps([event.facts, event.reason, event.subject_label]) for event in AuditEvent.objects.all()]
    for text in kept:
        assert BARE not in text
        assert CODE not in text
    assert (exchange.subject_kind, exchange.outcome) == ("claims.claim", "filed")


@pytest.mark.requirement("R68", "R69")
@pytest.mark.parametrize(
    ("after", "filed"), [(timedelta(seconds=-1), True), (timedelta(0), True), (timedelta(seconds=1), False)]
)
def test_a_claim_is_filed_up_to_the_last_moment_and_blocked_after_it(
    support: User, case: Case, supplier: FakeSupplier, after: timedelta, filed: bool
) -> None:
    assert case.code is not None
    with time_machine.travel(window_ends(case.code) + after, tick=False):
        if filed:
            assert file(support, case).state == "filed"
        else:
            with pytest.raises(Refused, match=r"The claim window closed .* No claim was filed"):
                file(support, case)
            assert supplier.calls == []
            assert not Claim.objects.exists()


@pytest.mark.requirement("R68")
def test_a_late_request_is_a_text_to_send_by_hand(case: Case) -> None:
    text = late_request(case)
    assert case.order.remote_id in text
    assert "ZZ42" in text
    assert BARE not in text
    assert CODE not in text
    assert "10421" not in text


@pytest.mark.requirement("R71")
def test_a_second_claim_for_a_code_is_refused_and_nothing_is_sent(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    supplier.says(429, {"error": {"code": "rate_limited", "message": "Wait"}})
    file(support, case)
    with pytest.raises(Refused, match="open claim"):
        file(support, case)
    assert len(supplier.calls) == 1
    assert Claim.objects.count() == 1


@pytest.mark.requirement("R71")
def test_the_database_itself_refuses_the_second_of_two_at_once(
    support: User, case: Case, supplier: FakeSupplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both pass the check before either writes; the constraint decides."""
    file(support, case)
    assert case.code is not None
    monkeypatch.setattr(filing.policies, "check_can_file", lambda by, case: case.code)
    with pytest.raises(Refused, match="open claim"):
        file(support, case)
    assert len(supplier.calls) == 1


@pytest.mark.parametrize("who", ["finance", "auditor", "admin", "outsider"])
def test_who_may_not_claim_sends_nothing(
    who: str, case: Case, supplier: FakeSupplier, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(NotAllowed):
        file(request.getfixturevalue(who), case)
    assert supplier.calls == []
    assert not Claim.objects.exists()


def test_a_claim_the_verdict_does_not_offer_needs_an_overrule(
    support: User,
    account: SupplierAccount,
    make_order: Callable[..., Order],
    make_code: Callable[..., Code],
    supplier: FakeSupplier,
) -> None:
    code = make_code(make_order(account, region="TR"), region="TR")
    ours = cases.open_case(by=support, order=code.order, code=code)
    with pytest.raises(Refused, match="not offered"):
        file(support, ours)
    assert supplier.calls == []
    cases.overrule_verdict(
        by=support, case=ours, verdict="supplier_region", reason="The supplier confirmed its mistake by mail"
    )
    assert file(support, ours).state == "filed"


@pytest.mark.requirement("R108")
def test_a_code_of_the_other_environment_is_not_claimed(support: User, case: Case, supplier: FakeSupplier) -> None:
    SupplierAccount.objects.update(environment="live")
    with pytest.raises(Refused, match="other environment"):
        file(support, Case.objects.get(pk=case.pk))
    assert supplier.calls == []


def test_a_case_without_a_code_has_nothing_to_claim(support: User, wrong_code: Code, supplier: FakeSupplier) -> None:
    without = cases.open_case(by=support, order=wrong_code.order)
    with pytest.raises(Refused, match="names no code"):
        file(support, without)
    assert supplier.calls == []


@pytest.mark.parametrize("code", ["claim_window_closed", "already_claimed", "unknown_code"])
def test_a_refusal_of_the_supplier_is_a_sentence_and_leaves_the_code_as_it_was(
    support: User, case: Case, supplier: FakeSupplier, code: str
) -> None:
    supplier.refuses(code)
    claim = file(support, case)
    assert (claim.state, claim.answer) == ("refused", filing.SENTENCES[code])
    assert code_of(case).state == "handed_over"
    assert Case.objects.get(pk=case.pk).state == "todo"


@pytest.mark.parametrize("error", [httpx.ReadTimeout, httpx.RemoteProtocolError])
def test_a_lost_answer_leaves_the_claim_unconfirmed_and_it_is_never_sent_again(
    support: User, case: Case, supplier: FakeSupplier, error: type[httpx.HTTPError]
) -> None:
    supplier.fails(error)
    claim = file(support, case)
    assert claim.state == "unconfirmed"
    assert code_of(case).state == "handed_over"
    assert send_claim_task(str(claim.pk)) is None
    with pytest.raises(Refused, match="open claim"):
        file(support, case)
    assert len(supplier.calls) == 1


def test_a_claim_that_surely_did_not_arrive_waits_and_is_sent_again(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    supplier.fails(httpx.ConnectError)
    claim = file(support, case)
    assert claim.state == "draft"
    assert "could not be reached" in claim.answer
    assert DueWork.objects.filter(kind="claim.send", ref=str(claim.pk)).exists()
    supplier.says(201, {"id": "clm_9", "status": "received"})
    assert send_claim_task(str(claim.pk)) is None
    claim.refresh_from_db()
    assert (claim.state, claim.remote_id, claim.answer) == ("filed", "clm_9", "")
    assert Case.objects.get(pk=case.pk).state == "waiting_supplier"


def test_a_waiting_claim_is_due_again_when_the_supplier_said(support: User, case: Case, supplier: FakeSupplier) -> None:
    supplier.fails(httpx.ConnectError)
    claim = file(support, case)
    again = send_claim_task(str(claim.pk))
    assert again is not None
    assert again > timezone.now()


@pytest.mark.requirement("R68")
def test_a_waiting_claim_is_not_sent_after_the_window(support: User, case: Case, supplier: FakeSupplier) -> None:
    supplier.fails(httpx.ConnectError)
    claim = file(support, case)
    with time_machine.travel(claim.window_ends + timedelta(seconds=1), tick=False):
        assert send_claim_task(str(claim.pk)) is None
    claim.refresh_from_db()
    assert claim.state == "refused"
    assert "before the supplier could be reached" in claim.answer
    assert len(supplier.calls) == 1


def test_a_sender_that_died_in_the_call_is_not_repeated(support: User, case: Case, supplier: FakeSupplier) -> None:
    """The process ended between sending and writing the outcome: the exchange log still shows a call under way."""
    supplier.fails(httpx.ConnectError)
    claim = file(support, case)
    Exchange.objects.filter(subject_id=str(claim.pk)).update(outcome="under way", sent=None)
    assert send_claim_task(str(claim.pk)) is None
    claim.refresh_from_db()
    assert claim.state == "unconfirmed"
    assert len(supplier.calls) == 1


def test_a_code_that_does_not_open_sends_nothing_and_keeps_the_draft(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    Code.objects.filter(pk=code_of(case).pk).update(sealed=b"\x01" * 60)
    with pytest.raises(Unavailable, match="no claim was filed"):
        file(support, Case.objects.get(pk=case.pk))
    assert supplier.calls == []
    assert Claim.objects.get().state == "draft"


@pytest.mark.django_db(transaction=True)
def test_filing_inside_a_transaction_is_a_programming_error(support: User, case: Case, supplier: FakeSupplier) -> None:
    with pytest.raises((RuntimeError, HttpInTransaction)), transaction.atomic():
        file(support, case)
    assert supplier.calls == []
    assert not Claim.objects.exists()


# By hand


@pytest.fixture
def hand_case(
    support: User, by_hand: SupplierAccount, make_order: Callable[..., Order], make_code: Callable[..., Code]
) -> Case:
    code = make_code(make_order(by_hand), region="TR", state="handed_over", customer_order="10421")
    return cases.open_case(by=support, order=code.order, code=code, error_text="Not valid here")


def test_a_supplier_without_a_claims_api_gets_a_text_and_no_call(
    support: User, hand_case: Case, supplier: FakeSupplier
) -> None:
    claim = file(support, hand_case)
    assert (claim.state, claim.method, claim.priority) == ("draft", "manual", False)
    assert supplier.calls == []
    assert not DueWork.objects.filter(kind="claim.send").exists()
    text = claim_packet(claim)
    for fact in (hand_case.order.remote_id, "ZZ42", "TR", "Wrong region", "Not valid here"):
        assert fact in text
    assert BARE not in text
    assert "10421" not in text


def test_a_claim_sent_by_hand_counts_as_filed_with_its_reference(support: User, hand_case: Case) -> None:
    claim = file(support, hand_case)
    filing.record_manual_filing(by=support, claim=claim, reference=" T-77 ")
    claim.refresh_from_db()
    assert (claim.state, claim.remote_id) == ("filed", "T-77")
    assert code_of(hand_case).state == "claimed"
    assert Case.objects.get(pk=hand_case.pk).state == "waiting_supplier"


def test_a_reference_is_needed_and_is_recorded_once(support: User, hand_case: Case) -> None:
    claim = file(support, hand_case)
    with pytest.raises(Refused, match="reference"):
        filing.record_manual_filing(by=support, claim=claim, reference="  ")
    filing.record_manual_filing(by=support, claim=claim, reference="T-77")
    with pytest.raises(Refused, match="Filed"):
        filing.record_manual_filing(by=support, claim=claim, reference="T-78")
    claim.refresh_from_db()
    assert claim.remote_id == "T-77"


def test_an_unconfirmed_claim_is_settled_by_a_person_who_asked(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    supplier.fails(httpx.ReadTimeout)
    claim = file(support, case)
    filing.record_manual_filing(by=support, claim=claim, reference="clm_found")
    claim.refresh_from_db()
    assert (claim.state, claim.remote_id) == ("filed", "clm_found")


def test_an_unconfirmed_claim_that_did_not_arrive_frees_the_code_for_a_new_one(
    support: User, case: Case, supplier: FakeSupplier
) -> None:
    supplier.fails(httpx.ReadTimeout)
    claim = file(support, case)
    filing.record_not_arrived(by=support, claim=claim, why="Their support has no such claim")
    supplier.says(201, {"id": "clm_2", "status": "received"})
    assert file(support, Case.objects.get(pk=case.pk)).state == "filed"


def test_a_waiting_claim_can_be_sent_by_hand_instead(support: User, case: Case, supplier: FakeSupplier) -> None:
    supplier.fails(httpx.ConnectError)
    claim = file(support, case)
    filing.switch_to_hand(by=support, claim=claim)
    claim.refresh_from_db()
    assert claim.method == "manual"
    supplier.says(201, {"id": "clm_2", "status": "received"})
    assert send_claim_task(str(claim.pk)) is None
    assert len(supplier.calls) == 1


def test_an_api_claim_in_the_queue_gets_no_reference_by_hand(support: User, case: Case, supplier: FakeSupplier) -> None:
    supplier.fails(httpx.ConnectError)
    claim = file(support, case)
    with pytest.raises(Refused):
        filing.record_manual_filing(by=support, claim=claim, reference="T-1")
    claim.refresh_from_db()
    assert claim.state == "draft"


@pytest.mark.parametrize("who", ["finance", "auditor", "admin", "outsider"])
def test_who_may_not_claim_records_nothing(
    who: str, support: User, hand_case: Case, request: pytest.FixtureRequest
) -> None:
    claim = file(support, hand_case)
    person = request.getfixturevalue(who)
    with pytest.raises(NotAllowed):
        filing.record_manual_filing(by=person, claim=claim, reference="T-1")
    with pytest.raises(NotAllowed):
        filing.record_not_arrived(by=person, claim=claim, why="They have no such claim")
    claim.refresh_from_db()
    assert claim.state == "draft"
