"""What is asked of a supplier: buyers' questions, price lists, access to the API."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.terms import asking
from procurement.terms.models import AccessRequest, PriceList, Question
from procurement.terms.queries import questions_left
from tests.states_guarded import states_guarded
from tests.terms.conftest import today
from tests.world import ACCESS

pytestmark = pytest.mark.django_db
ANSWER = {"answer": "The supplier pays it back as a credit.", "control": "One test order in each region first."}


@pytest.fixture
def question(alpha: SupplierAccount, buyer: User) -> Question:
    return asking.ask_question(by=buyer, account=alpha, before="money", question="Who pays for a wrong region?")


@pytest.mark.requirement("R17")
def test_a_buyers_question_is_answered_and_checked_by_two(
    alpha: SupplierAccount, question: Question, admin: User, second_admin: User
) -> None:
    with states_guarded():
        asking.answer_question(by=admin, question=question, **ANSWER)
        assert questions_left(alpha, "money") == 1
        asking.check_question(by=second_admin, question=question)

    kept = Question.objects.get()
    assert (kept.before, kept.question, kept.status.label) == ("money", "Who pays for a wrong region?", "Checked")
    assert {"answer": kept.answer, "control": kept.control} == ANSWER
    assert (questions_left(alpha, "money"), questions_left(alpha)) == (0, 0)
    told = AuditEvent.objects.filter(action__startswith="question.").order_by("id")
    assert [event.action for event in told] == ["question.asked", "question.answered", "question.checked"]


@pytest.mark.requirement("R17")
def test_another_answer_is_to_be_checked_again(question: Question, admin: User, second_admin: User) -> None:
    asking.answer_question(by=admin, question=question, **ANSWER)
    asking.check_question(by=second_admin, question=question)
    asking.answer_question(by=second_admin, question=question, answer="They replace the code.", control="Count them.")

    with pytest.raises(NotAllowed, match="yourself"):
        asking.check_question(by=second_admin, question=question)
    with pytest.raises(IntegrityError), transaction.atomic():
        Question.objects.update(state="checked", checked_by=second_admin)
    assert questions_left(question.account) == 1


def test_a_question_without_answer_and_control_stays_open(question: Question, admin: User, buyer: User) -> None:
    with pytest.raises(Refused, match="Nothing was changed"):
        asking.answer_question(by=admin, question=question, answer="They do.", control=" ")
    with pytest.raises(Refused, match="stands already"):
        asking.ask_question(by=buyer, account=question.account, before="promise", question=question.question)
    with pytest.raises(NotAllowed, match="Administrator"):
        asking.answer_question(by=buyer, question=question, **ANSWER)

    assert [row.state for row in Question.objects.all()] == ["open"]


@pytest.mark.requirement("R16")
def test_a_price_list_is_asked_for_and_kept_as_it_came(alpha: SupplierAccount, admin: User, finance: User) -> None:
    text = asking.price_list_text(alpha)
    assert "current wholesale price list" in text
    with states_guarded():
        asked = asking.ask_for_price_list(by=admin, account=alpha, how="Ticket 4711")
        asking.receive_price_list(
            by=admin, price_list=asked, file_name="prices.csv", content=b"US,10.00,9.40\n", valid_until=today()
        )

    kept = PriceList.objects.get()
    assert (kept.asked_how, kept.file_name, bytes(kept.content)) == ("Ticket 4711", "prices.csv", b"US,10.00,9.40\n")
    assert kept.sha256 == hashlib.sha256(b"US,10.00,9.40\n").hexdigest()
    assert set(AuditEvent.objects.filter(action__startswith="price_list.").values_list("action", flat=True)) == {
        "price_list.asked",
        "price_list.received",
    }
    with pytest.raises(Refused, match="cannot become"):
        asking.receive_price_list(by=admin, price_list=kept, file_name="b.csv", content=b"b", valid_until=None)
    with pytest.raises(NotAllowed, match="Administrator"):
        asking.ask_for_price_list(by=finance, account=alpha, how="Ticket 1")
    assert PriceList.objects.get().file_name == "prices.csv"


@pytest.mark.parametrize(
    ("content", "days"), [(b"", 1), (b"x" * (asking.LARGEST_LIST + 1), 1), (b"US,10.00,9.40\n", -1)]
)
def test_a_list_that_is_empty_too_large_or_over_is_not_kept(
    alpha: SupplierAccount, admin: User, content: bytes, days: int
) -> None:
    asked = asking.ask_for_price_list(by=admin, account=alpha, how="Ticket 4711")
    with pytest.raises(Refused, match="Nothing was stored"):
        asking.receive_price_list(
            by=admin,
            price_list=asked,
            file_name="prices.csv",
            content=content,
            valid_until=today() + timedelta(days=days),
        )

    assert [(row.state, bytes(row.content)) for row in PriceList.objects.all()] == [("asked", b"")]


@pytest.mark.requirement("R110", "R111", "R112")
def test_the_ticket_holds_every_field_under_the_topic_the_supplier_asks_for(
    alpha: SupplierAccount, admin: User
) -> None:
    text = asking.access_text(asking.prepare_access_request(by=admin, account=alpha, fields=ACCESS))

    assert text.startswith("Topic: API Access Request\n")
    for label, value in (
        ("Company", "Cards Ltd"),
        ("Company details", "HRB 1234, Hafenstr. 1, 20457 Hamburg"),
        ("Business account", "desk@cards.example"),
        ("Buyer type", "Retailer"),
        ("Regions", "US, GB, DE"),
        ("Expected volume", "200 codes a week, about 6,000 USD"),
        ("Monthly volume", "25,000 USD"),
        ("Payment preference", "USDT"),
        ("Delivery", "API"),
        ("Integration use case", "Codes for the orders of our storefront"),
    ):
        assert f"\n{label}: {value}\n" in text
    assert "KYC" in text


@pytest.mark.requirement("R109")
@pytest.mark.parametrize("outcome", ["issued", "refused"])
def test_access_is_requested_reviewed_and_decided(alpha: SupplierAccount, admin: User, outcome: str) -> None:
    request = asking.prepare_access_request(by=admin, account=alpha, fields=ACCESS)
    seen = [request.status.label]
    with states_guarded():
        asking.send_access_request(by=admin, request=request, ticket="4711")
        seen.append(request.status.label)
        for state in ("in_review", outcome):
            asking.note_access(by=admin, request=request, state=state, answer=f"They say: {state}")
            seen.append(request.status.label)

    assert seen == ["Not sent yet", "Requested", "In review", outcome.capitalize()]
    kept = AccessRequest.objects.get()
    assert (kept.ticket, kept.answer, kept.is_decided) == ("4711", f"They say: {outcome}", True)
    assert asking.prepare_access_request(by=admin, account=alpha, fields=ACCESS).pk != kept.pk


@pytest.mark.requirement("R109")
def test_no_step_of_the_review_is_skipped_or_done_by_others(alpha: SupplierAccount, admin: User, buyer: User) -> None:
    request = asking.prepare_access_request(by=admin, account=alpha, fields=ACCESS)
    with pytest.raises(Refused, match="under way already"):
        asking.prepare_access_request(by=admin, account=alpha, fields=ACCESS)
    with pytest.raises(Refused, match="number of the ticket"):
        asking.send_access_request(by=admin, request=request, ticket=" ")
    with pytest.raises(Refused, match="cannot become"):
        asking.note_access(by=admin, request=request, state="issued", answer="Here you are")
    with pytest.raises(Refused, match="what the supplier answered"):
        asking.note_access(by=admin, request=request, state="prepared", answer="Again")
    with pytest.raises(NotAllowed, match="Administrator"):
        asking.send_access_request(by=buyer, request=request, ticket="4711")

    assert [row.state for row in AccessRequest.objects.all()] == ["prepared"]
