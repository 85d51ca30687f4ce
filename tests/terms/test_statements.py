"""What was agreed: recorded by one person, confirmed by another, held only while it holds."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.audit.queries import sentence_of
from procurement.claims.window import CLAIM_WINDOW
from procurement.errors import DomainError, NotAllowed, Refused, StaleState
from procurement.orders.evidence import PATIENCE
from procurement.orders.policies import MAX_QUANTITY
from procurement.staff.models import User
from procurement.suppliers import budget
from procurement.suppliers.key_window import DEFAULT_HOURS
from procurement.suppliers.models import SupplierAccount
from procurement.terms import kinds
from procurement.terms.models import Statement
from procurement.terms.queries import line_of, standing
from procurement.terms.services import confirm_statement, contradict_statement, record_statement
from tests.states_guarded import states_guarded
from tests.suppliers.conftest import make_account
from tests.terms.conftest import said, today

pytestmark = pytest.mark.django_db


@pytest.mark.requirement("R12", "R13")
def test_a_term_holds_once_a_second_person_confirmed_it(
    alpha: SupplierAccount, admin: User, second_admin: User
) -> None:
    with states_guarded():
        made = record_statement(by=admin, account=alpha, kind="delivery_target", said=said())
        assert line_of(alpha, "delivery_target").words == "not confirmed"
        confirm_statement(by=second_admin, statement=made)

    line = line_of(alpha, "delivery_target")
    assert (line.holds, line.words) == (True, "15 minutes")
    kept = Statement.objects.get()
    assert (kept.source, kept.reference, kept.stated_on) == ("contract", "Contract 7, page 2", today())
    assert (kept.expires_on, kept.confirmed_by) == (today() + timedelta(days=30), second_admin)
    told = [sentence_of(event) for event in AuditEvent.objects.filter(action__startswith="statement.").order_by("id")]
    assert told == ["Ada Admin recorded delivery target: 15 minutes", "Abe Admin confirmed: 15 minutes"]


def test_nobody_confirms_what_they_recorded(recorded: Statement, admin: User) -> None:
    with pytest.raises(NotAllowed, match="another administrator"):
        confirm_statement(by=admin, statement=recorded)
    with pytest.raises(IntegrityError), transaction.atomic():
        Statement.objects.update(state="confirmed", confirmed_by=admin)

    assert not line_of(recorded.account, "delivery_target").holds
    assert not AuditEvent.objects.filter(action="statement.confirmed").exists()


@pytest.mark.parametrize("role", ["buyer", "manager", "finance", "auditor", "support"])
def test_only_administrators_record_confirm_and_contradict(recorded: Statement, person: object, role: str) -> None:
    other = person("other", role)  # type: ignore[operator]
    acts = (
        lambda: record_statement(by=other, account=recorded.account, kind="price", said=said("2 % off")),
        lambda: confirm_statement(by=other, statement=recorded),
        lambda: contradict_statement(by=other, statement=recorded, reason="They told me otherwise"),
    )
    for act in acts:
        with pytest.raises(NotAllowed, match="Administrator"):
            act()

    assert [row.state for row in Statement.objects.all()] == ["not_confirmed"]


@pytest.mark.requirement("R12", "R13")
def test_a_term_holds_to_the_end_of_its_last_day(confirmed: Statement) -> None:
    last = timezone.now().replace(hour=23, minute=59, second=59) + timedelta(days=30)
    with time_machine.travel(last, tick=False):
        assert line_of(confirmed.account, "delivery_target").words == "15 minutes"
    with time_machine.travel(last + timedelta(seconds=1), tick=False):
        line = line_of(confirmed.account, "delivery_target")
        assert (line.holds, line.words) == (False, "not confirmed")
        assert line.statement is not None
        assert line.statement.status.label == "Expired"


def test_what_is_over_is_not_confirmed(recorded: Statement, second_admin: User) -> None:
    with (
        time_machine.travel(timezone.now() + timedelta(days=31), tick=False),
        pytest.raises(Refused, match="last day is over"),
    ):
        confirm_statement(by=second_admin, statement=recorded)

    assert Statement.objects.get().state == "not_confirmed"


@pytest.mark.requirement("R13")
def test_a_later_statement_ends_the_one_before_until_it_is_confirmed(
    confirmed: Statement, admin: User, second_admin: User
) -> None:
    later = record_statement(by=admin, account=confirmed.account, kind="delivery_target", said=said("45"))

    assert not line_of(confirmed.account, "delivery_target").holds
    confirmed.refresh_from_db()
    assert confirmed.state == "superseded"
    with pytest.raises(DomainError, match="cannot become"):
        confirm_statement(by=second_admin, statement=confirmed)
    confirm_statement(by=second_admin, statement=later)
    assert line_of(confirmed.account, "delivery_target").words == "45 minutes"


@pytest.mark.requirement("R13")
def test_a_contradicted_term_holds_no_more(confirmed: Statement, admin: User) -> None:
    with pytest.raises(Refused, match="10 characters"):
        contradict_statement(by=admin, statement=confirmed, reason="No")
    assert line_of(confirmed.account, "delivery_target").holds

    contradict_statement(by=admin, statement=confirmed, reason="Three orders took an hour each")

    assert not line_of(confirmed.account, "delivery_target").holds
    assert AuditEvent.objects.get(action="statement.contradicted").reason == "Three orders took an hour each"


def test_of_two_who_confirm_and_contradict_at_once_one_is_told(
    recorded: Statement, admin: User, second_admin: User
) -> None:
    seen_before = Statement.objects.get()
    contradict_statement(by=admin, statement=recorded, reason="The contract says 45 minutes")

    with pytest.raises(StaleState):
        confirm_statement(by=second_admin, statement=seen_before)
    assert Statement.objects.get().state == "contradicted"


@pytest.mark.requirement("R113")
@pytest.mark.parametrize(("kind", "value"), [("delivery_target", "15"), ("support_response", "24")])
def test_a_public_page_confirms_no_delivery_target_and_no_support_window(
    alpha: SupplierAccount, admin: User, second_admin: User, kind: str, value: str
) -> None:
    made = record_statement(by=admin, account=alpha, kind=kind, said=said(value, source="page"))
    with pytest.raises(Refused, match="A public page confirms no term of a quote"):
        confirm_statement(by=second_admin, statement=made)
    with pytest.raises(IntegrityError), transaction.atomic():
        Statement.objects.update(state="confirmed", confirmed_by=second_admin)

    assert line_of(alpha, kind).words == "not confirmed"


@pytest.mark.requirement("R11")
def test_facts_of_identity_stand_in_a_register_of_their_own(
    alpha: SupplierAccount, admin: User, second_admin: User
) -> None:
    fact = record_statement(by=admin, account=alpha, kind="legal_name", said=said("Alpha Trading Ltd", days=None))
    record_statement(by=admin, account=alpha, kind="price", said=said("4 % under face value"))
    confirm_statement(by=second_admin, statement=fact)

    by_register = {row.register: row.words for row in Statement.objects.all()}
    assert by_register == {"identity": "Alpha Trading Ltd", "quote": "4 % under face value"}
    # A new quote does not touch who they are.
    record_statement(by=admin, account=alpha, kind="price", said=said("5 % under face value"))
    assert line_of(alpha, "legal_name").words == "Alpha Trading Ltd"


@pytest.mark.parametrize(
    ("kind", "change", "sentence"),
    [
        ("delivery_target", {"value": "soon"}, "Write a whole number of minutes."),
        ("largest_quantity", {"value": "-5"}, "Write a whole number."),
        ("lookup", {"value": "maybe"}, "Write yes or no."),
        ("price", {"value": " "}, "Write what was said."),
        ("price", {"reference": " "}, "Say where it was said"),
        ("price", {"source": "hearsay"}, "Say where it was said"),
        ("price", {"expires_on": None}, "A term of a quote has a last day."),
        ("price", {"stated_on": "tomorrow"}, "still to come"),
        ("price", {"expires_on": "yesterday"}, "before the day it was said"),
        ("order_list", {"value": "GET /orders"}, "There is nothing called"),
        ("horoscope", {"value": "Leo"}, "There is nothing called"),
    ],
)
def test_what_could_not_be_looked_up_later_is_not_recorded(
    alpha: SupplierAccount, admin: User, kind: str, change: dict[str, object], sentence: str
) -> None:
    days = {"tomorrow": today() + timedelta(days=1), "yesterday": today() - timedelta(days=1)}
    fields = {name: days.get(value, value) if isinstance(value, str) else value for name, value in change.items()}
    with pytest.raises(Refused, match=sentence) as refusal:
        record_statement(by=admin, account=alpha, kind=kind, said=replace(said(), **fields))  # type: ignore[arg-type]

    assert refusal.value.sentence.endswith("Nothing was recorded.")
    assert not Statement.objects.exists()


@pytest.mark.requirement("R12")
def test_the_register_lists_every_kind_of_its_supplier(alpha: SupplierAccount, confirmed: Statement) -> None:
    lines = standing(alpha)

    labels = {line.kind.label for line in lines}
    assert {"Price", "Live stock", "Delivery target", "Approval criteria", "Support scope"} <= labels
    assert {line.kind.key: line.words for line in lines if line.holds} == {"delivery_target": "15 minutes"}
    assert {line.words for line in lines if not line.holds} == {"not confirmed"}
    at_psnb2b = {line.kind.key for line in standing(make_account("psnb2b"))}
    assert "balance_lag" in at_psnb2b
    assert "key_length" not in at_psnb2b


def test_kinds_are_told_apart_and_say_what_holds_meanwhile() -> None:
    assert len(kinds.KINDS) == len(kinds.ALL)
    assert {kind.register for kind in kinds.ALL} == set(kinds.REGISTERS)
    assert all(kind.until.endswith(".") for kind in kinds.ALL)
    assert (kinds.KINDS["claim_window"].words("1"), kinds.KINDS["claim_window"].words("7")) == ("1 day", "7 days")


def test_what_holds_meanwhile_is_what_the_program_does() -> None:
    told = {kind.key: kind.until for kind in kinds.ALL}

    assert f"{budget.DEFAULTS[budget.ALL].calls} in any 60 seconds" in told["calls_a_minute"]
    assert f"{budget.DEFAULTS[budget.ORDERS].calls} in any 60 seconds" in told["orders_a_minute"]
    assert f"{MAX_QUANTITY:,} codes" in told["largest_quantity"]
    assert (CLAIM_WINDOW.days, told["claim_window"][:10]) == (7, "Seven days")
    assert (DEFAULT_HOURS, "six hours" in told["key_retention"]) == (6, True)
    assert f"{PATIENCE.seconds // 60} minutes" in told["balance_lag"]
