"""Attacks on four eyes, each by somebody who wants their own purchase to go out; every one ends with nothing having happened."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest, ApprovalRule
from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.guards import RULES as ORDER_RULES
from procurement.orders.models import Attempt, Order, Resolution
from procurement.orders.services.approving import approve_order
from procurement.orders.services.drafting import submit_order, withdraw_order
from procurement.orders.services.placing import release_for_placing
from procurement.people.guards import RULES as PEOPLE_RULES
from procurement.people.invitations import invite
from procurement.people.proposals import confirm, propose
from procurement.staff.models import RoleGrant, User
from procurement.triggers import name_of
from procurement.work.models import DueWork
from tests.at_desk import Desk, Form
from tests.conftest import SETTLED, make_person
from tests.orders.conftest import Shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R35")]
OTHER_ROLE = "UPDATE staff_rolegrant SET role = 'manager' WHERE user_id = %s"


def in_database(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex if connection.vendor == "sqlite" else value
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [in_database(value) for value in values])


def refused_by_the_database(attack: Callable[[], object], says: str | None = None) -> None:
    with pytest.raises(IntegrityError, match=says), transaction.atomic():
        attack()


@pytest.fixture
def mine(shop: Shop, buyer: User) -> Order:
    """A purchase over the limit that its buyer would like to approve."""
    return submit_order(by=buyer, order=shop.order(buyer, "alpha", 20))


@pytest.fixture
def managers_own(shop: Shop, manager: User) -> Order:
    """The same, asked for by somebody who may approve other people's."""
    return submit_order(by=manager, order=shop.order(manager, "alpha", 20))


@pytest.fixture(autouse=True)
def admins(request: pytest.FixtureRequest, transactional_db: None) -> tuple[User, User]:
    return make_person("ida_admin", "admin"), make_person("udo_admin", "admin")


def question_of(order: Order) -> ApprovalRequest:
    return ApprovalRequest.objects.get(subject_id=str(order.pk))


def assert_nothing_happened(order: Order) -> None:
    """It waits as it did: nobody decided, no money is held, nothing is stored for sending, nothing is due."""
    now, question = Order.objects.get(pk=order.pk), question_of(order)
    assert (now.state, now.quantity, now.requested_by) == ("pending_approval", 20, order.requested_by)
    assert (question.state, question.decided_by, question.requested_by) == ("open", None, order.requested_by)
    assert question.content_hash == getattr(order.approval, "content_hash", None)
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert not Attempt.objects.filter(order=order).exists()
    assert not DueWork.objects.filter(kind="order.place", ref=str(order.pk)).exists()


def decides(by: User, order: Order) -> Callable[[], object]:
    """The decision as it is written in the end, past every service."""
    return lambda: ApprovalRequest.objects.filter(subject_id=str(order.pk)).update(
        state="approved", decided_by=by, decided_at=timezone.now()
    )


def test_every_rule_is_in_the_database() -> None:
    rules = (*ORDER_RULES, *PEOPLE_RULES)
    where = "sqlite_master WHERE type = 'trigger'" if connection.vendor == "sqlite" else "pg_trigger"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {'name' if connection.vendor == 'sqlite' else 'tgname'} FROM {where}")
        there = {name for (name,) in cursor.fetchall()}

    assert {name_of(rule.table, rule.event) for rule in rules} <= there


# As oneself


def test_01_by_the_page_and_by_a_form_of_ones_own(managers_own: Order, manager: User) -> None:
    question, desk = question_of(managers_own), Desk(manager)
    assert 'value="approve"' not in desk.open("approvals:request_detail", question.pk).html
    url = reverse("approvals:request_decide", args=[question.pk])
    form = Form(url, "post", fields={"once": uuid.uuid4().hex, "shown": question.content_hash})

    desk.send(form, status=403, decision="approve")

    assert_nothing_happened(managers_own)


def test_02_by_the_shell(managers_own: Order, manager: User) -> None:
    with pytest.raises(NotAllowed):
        approve_order(by=manager, order=managers_own, shown_hash=question_of(managers_own).content_hash)
    refused_by_the_database(decides(manager, managers_own))

    assert_nothing_happened(managers_own)


def test_03_by_bulk(managers_own: Order, manager: User) -> None:
    question = question_of(managers_own)
    question.state, question.decided_by, question.decided_at = "approved", manager, timezone.now()

    refused_by_the_database(
        lambda: ApprovalRequest.objects.bulk_update([question], ["state", "decided_by", "decided_at"])
    )

    assert_nothing_happened(managers_own)


def test_04_by_an_approval_that_nobody_asked_for(mine: Order, buyer: User, manager: User) -> None:
    facts = {field.attname: getattr(question_of(mine), field.attname) for field in ApprovalRequest._meta.fields}
    facts |= {"id": uuid.uuid4(), "state": "approved", "decided_by_id": manager.pk, "decided_at": timezone.now()}

    refused_by_the_database(
        lambda: ApprovalRequest.objects.bulk_create([ApprovalRequest(**facts)]), "asked for before it is given"
    )

    assert ApprovalRequest.objects.count() == 1
    assert_nothing_happened(mine)


def test_05_by_raw_sql_in_somebody_elses_name(managers_own: Order, manager: User, second_manager: User) -> None:
    """Who asked is rewritten first, so that the two names differ."""
    refused_by_the_database(
        lambda: sql("UPDATE approvals_approvalrequest SET requested_by_id = %s", second_manager.pk),
        "what was asked never changes",
    )
    refused_by_the_database(
        lambda: sql("UPDATE orders_order SET requested_by_id = %s", second_manager.pk), "who asked for it never changes"
    )

    assert_nothing_happened(managers_own)


def test_06_by_asking_in_somebody_elses_name(shop: Shop, manager: User, second_manager: User) -> None:
    """The question names another requester from the beginning; the record knows whose order it is."""
    order = shop.order(manager, "alpha", 20)
    facts = {"amount_minor": order.max_total_minor, "currency": "USD", "content": {}, "content_hash": "0" * 64}
    question = ApprovalRequest.objects.create(
        subject_kind="orders.order",
        subject_id=str(order.pk),
        requested_by=second_manager,
        expires_at=timezone.now() + timedelta(hours=1),
        **facts,
    )

    refused_by_the_database(decides(manager, order), "nobody approves their own order")

    question.refresh_from_db()
    assert (question.state, Order.objects.get(pk=order.pk).state) == ("open", "draft")


def test_07_by_having_edited_it_only(shop: Shop, manager: User) -> None:
    """An order of the system that a manager repriced is theirs too, for ever."""
    order = shop.order(None, "alpha", 20)
    record("order.quantity_changed", by=manager, subject=order, before=19, after=20)
    ApprovalRequest.objects.create(
        subject_kind="orders.order",
        subject_id=str(order.pk),
        requested_by=make_person("bea_buyer", "buyer"),
        expires_at=timezone.now() + timedelta(hours=1),
        amount_minor=1,
        currency="USD",
        content={},
    )

    refused_by_the_database(decides(manager, order), "what they wrote themselves")

    assert ApprovalRequest.objects.get().state == "open"


# As somebody else


def test_08_by_a_second_account(mine: Order, buyer: User, admins: tuple[User, User]) -> None:
    User.objects.filter(pk=buyer.pk).update(email="ben@cards.example")
    for email in ("BEN@cards.example", "ben+2@cards.example"):
        with pytest.raises(Refused, match="Nobody was invited"):
            invite(by=admins[0], username="ben2", name="Ben Too", email=email)
    refused_by_the_database(
        lambda: User.objects.bulk_create([User(username="ben2", display_name="Ben", email="Ben@Cards.example")])
    )

    assert not User.objects.filter(username="ben2").exists()
    assert_nothing_happened(mine)


def test_09_by_giving_oneself_the_role(mine: Order, buyer: User, admins: tuple[User, User]) -> None:
    now = timezone.now()
    for by in (None, buyer, admins[0]):
        grant = {"user": buyer, "role": "finance", "granted_by": by, "granted_at": SETTLED, "settled_at": SETTLED}
        refused_by_the_database(lambda grant=grant: RoleGrant.objects.create(**grant))  # type: ignore[misc]
    refused_by_the_database(lambda: sql(OTHER_ROLE, buyer.pk), "a grant never changes")
    refused_by_the_database(lambda: RoleGrant.objects.filter(user=buyer).delete(), "stays on record")
    refused_by_the_database(
        lambda: sql(
            "INSERT INTO staff_rolegrant (user_id, role, granted_at, settled_at) VALUES (%s, 'manager', %s, %s)",
            *(buyer.pk, now, SETTLED),
        )
    )

    assert User.objects.get(pk=buyer.pk).role_names == ("buyer",)
    assert_nothing_happened(mine)


def test_10_by_a_change_of_roles_that_two_administrators_agreed_to(
    mine: Order, buyer: User, admins: tuple[User, User]
) -> None:
    """Made a manager in good faith and settled: their own order stays theirs."""
    proposal = propose(
        by=admins[0], kind="roles", about=str(buyer.pk), after={"roles": ["manager"]}, reason="Ben is promoted"
    )
    confirm(by=admins[1], proposal=proposal)
    promoted = User.objects.get(pk=buyer.pk)

    with time_machine.travel(timezone.now() + timedelta(hours=23, minutes=58)):
        with pytest.raises(NotAllowed, match="younger than 24 hours"):
            approve_order(by=promoted, order=mine, shown_hash=question_of(mine).content_hash)
        refused_by_the_database(decides(promoted, mine))
    with (
        time_machine.travel(timezone.now() + timedelta(hours=24, seconds=5)),
        pytest.raises(NotAllowed, match="You asked for this"),
    ):
        approve_order(by=promoted, order=mine, shown_hash=question_of(mine).content_hash)

    assert_nothing_happened(mine)


def test_11_by_a_role_too_young_to_approve_anything(mine: Order, admins: tuple[User, User]) -> None:
    new = User.objects.create(username="new", display_name="New")
    RoleGrant.objects.create(user=new, role="manager")

    with pytest.raises(NotAllowed, match=r"younger than 24 hours.*It may from .* UTC on\. Nothing was changed\."):
        approve_order(by=new, order=mine, shown_hash=question_of(mine).content_hash)
    refused_by_the_database(decides(new, mine), "only a settled role approves")
    refused_by_the_database(
        lambda: RoleGrant.objects.filter(user=new).update(settled_at=SETTLED), "a grant never changes"
    )

    assert_nothing_happened(mine)


def test_12_by_a_role_that_was_taken_away(mine: Order, second_manager: User) -> None:
    RoleGrant.objects.filter(user=second_manager).update(revoked_at=timezone.now())
    former = User.objects.get(pk=second_manager.pk)

    with pytest.raises(NotAllowed):
        approve_order(by=former, order=mine, shown_hash=question_of(mine).content_hash)
    refused_by_the_database(decides(former, mine), "only a settled role approves")
    refused_by_the_database(
        lambda: RoleGrant.objects.filter(user=former).update(revoked_at=None), "a revoked grant never comes back"
    )

    assert_nothing_happened(mine)


def test_13_by_confirming_ones_own_proposal(mine: Order, buyer: User, admins: tuple[User, User]) -> None:
    proposal = propose(
        by=admins[0], kind="roles", about=str(buyer.pk), after={"roles": ["manager"]}, reason="Ben is promoted"
    )
    at = timezone.now()
    with pytest.raises(NotAllowed):
        confirm(by=admins[0], proposal=proposal)
    refused_by_the_database(
        lambda: sql(
            "UPDATE people_proposal SET state = 'confirmed', decided_by_id = %s, decided_at = %s", admins[0].pk, at
        )
    )
    refused_by_the_database(
        lambda: sql("UPDATE people_proposal SET proposed_by_id = %s", admins[1].pk), "what was proposed never changes"
    )
    outsider = make_person("max_manager", "manager")
    refused_by_the_database(
        lambda: sql(
            "UPDATE people_proposal SET state = 'confirmed', decided_by_id = %s, decided_at = %s", outsider.pk, at
        ),
        "only a settled administrator confirms",
    )

    proposal.refresh_from_db()
    assert (proposal.state, User.objects.get(pk=buyer.pk).role_names) == ("open", ("buyer",))
    assert_nothing_happened(mine)


def test_14_by_a_confirmed_proposal_for_another_role(mine: Order, buyer: User, admins: tuple[User, User]) -> None:
    proposal = propose(
        by=admins[0], kind="roles", about=str(buyer.pk), after={"roles": ["buyer", "support"]}, reason="Helps support"
    )
    confirm(by=admins[1], proposal=proposal)
    proposal.refresh_from_db()
    RoleGrant.objects.filter(user=buyer, role="buyer").update(revoked_at=timezone.now())
    at = proposal.decided_at or timezone.now()

    refused_by_the_database(
        lambda: RoleGrant.objects.create(
            user=buyer, role="manager", granted_by=admins[1], granted_at=at, settled_at=SETTLED
        ),
        "by a confirmed proposal",
    )

    assert User.objects.get(pk=buyer.pk).role_names == ("support",)
    assert_nothing_happened(mine)


# Around the approval


def test_15_by_an_edit_after_the_approval(shop: Shop, mine: Order, manager: User) -> None:
    """What was approved is sent, or nothing: see also tests/orders/test_approved.py."""
    shown = question_of(mine).content_hash
    Order.objects.filter(pk=mine.pk).update(quantity=40)
    changed = Order.objects.select_related("account", "product", "mapping__sku", "approval").get(pk=mine.pk)

    with pytest.raises(StaleState, match="changed since approval was asked"):
        approve_order(by=manager, order=changed, shown_hash=shown)
    refused_by_the_database(
        lambda: sql("UPDATE approvals_approvalrequest SET amount_minor = amount_minor * 2"),
        "what was asked never changes",
    )

    Order.objects.filter(pk=mine.pk).update(quantity=20)
    assert_nothing_happened(mine)


def test_16_by_letting_the_order_out_without_asking(shop: Shop, mine: Order, buyer: User) -> None:
    draft = shop.order(buyer, "alpha", 20)
    for order in (mine, draft):
        refused_by_the_database(
            lambda order=order: Order.objects.filter(pk=order.pk).update(state="approved", approval=None),  # type: ignore[misc]
            "with the approval it needs",
        )
        refused_by_the_database(
            lambda order=order: release_for_placing(by=buyer, order=Order.objects.get(pk=order.pk))  # type: ignore[misc]
        )
    refused_by_the_database(lambda: Order.objects.filter(pk=mine.pk).update(state="placing"), "waits for its approval")

    assert Order.objects.get(pk=draft.pk).state == "draft"
    assert_nothing_happened(mine)


def test_17_by_an_order_born_approved(mine: Order, buyer: User) -> None:
    facts = {field.attname: getattr(mine, field.attname) for field in Order._meta.fields}
    facts |= {"id": uuid.uuid4(), "client_order_id": "ORDER-BORN", "state": "approved", "approval_id": None}

    refused_by_the_database(lambda: Order.objects.bulk_create([Order(**facts)]), "begins as a draft")

    assert not Order.objects.filter(client_order_id="ORDER-BORN").exists()
    assert_nothing_happened(mine)


def test_18_by_swapped_ids(shop: Shop, mine: Order, buyer: User, manager: User) -> None:
    """The approval of another order stands in for one's own."""
    other = submit_order(by=buyer, order=shop.order(buyer, "alpha", 15))
    approve_order(by=manager, order=other, shown_hash=question_of(other).content_hash)
    free = postings.free_balance("alpha", "USD")

    refused_by_the_database(
        lambda: Order.objects.filter(pk=mine.pk).update(state="approved", approval=other.approval),
        "with the approval it needs",
    )

    assert Order.objects.get(pk=mine.pk).state == "pending_approval"
    assert postings.free_balance("alpha", "USD") == free
    assert not Attempt.objects.filter(order=mine).exists()


def test_19_by_a_page_opened_before_it_was_taken_back(shop: Shop, mine: Order, buyer: User, manager: User) -> None:
    question, desk = question_of(mine), Desk(manager)
    url = reverse("approvals:request_decide", args=[question.pk])
    stale = desk.open("approvals:request_detail", question.pk).form(url)
    withdraw_order(by=buyer, order=mine)

    desk.send(stale, status=409, decision="approve")

    assert (Order.objects.get(pk=mine.pk).state, question_of(mine).state) == ("draft", "withdrawn")
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert not Attempt.objects.exists()


def test_20_by_a_replayed_form_of_a_manager(mine: Order, buyer: User, manager: User) -> None:
    """The very bytes a manager sent, under the buyer's session."""
    question, desk = question_of(mine), Desk(manager)
    url = reverse("approvals:request_decide", args=[question.pk])
    form = desk.open("approvals:request_detail", question.pk).form(url)
    sent = {**form.fields, "decision": "approve"}

    thief = Client()
    thief.force_login(buyer)
    assert thief.post(url, sent).status_code == 403
    assert Client().post(url, sent).status_code == 302

    assert_nothing_happened(mine)


def test_21_by_deciding_what_is_decided(mine: Order, manager: User, second_manager: User) -> None:
    """A rejection is turned into an approval by raw SQL, or opened again."""
    sql(
        "UPDATE approvals_approvalrequest SET state = 'rejected', decided_by_id = %s, decided_at = %s",
        *(manager.pk, timezone.now()),
    )

    refused_by_the_database(decides(second_manager, mine), "a decision is final")
    refused_by_the_database(
        lambda: sql("UPDATE approvals_approvalrequest SET state = 'open', decided_by_id = NULL, decided_at = NULL")
    )
    refused_by_the_database(lambda: ApprovalRequest.objects.all().delete())

    assert question_of(mine).state == "rejected"
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert not Attempt.objects.exists()


def test_22_by_raising_the_limit(mine: Order, buyer: User, admins: tuple[User, User]) -> None:
    wide = {"order_limit_minor": 10**9, "daily_limit_minor": 10**9}
    refused_by_the_database(lambda: ApprovalRule.objects.create(currency="USD", **wide), "by a confirmed proposal")
    refused_by_the_database(
        lambda: ApprovalRule.objects.create(currency="USD", changed_by=admins[0], **wide), "by a confirmed proposal"
    )
    after = {"order_limit_minor": 600_00, "daily_limit_minor": 3_000_00}
    proposal = propose(by=admins[0], kind="approval_rule", about="USD", after=after, reason="A larger team")
    confirm(by=admins[1], proposal=proposal)
    refused_by_the_database(lambda: ApprovalRule.objects.update(**wide), "by a confirmed proposal")
    refused_by_the_database(lambda: ApprovalRule.objects.all().delete(), "stays on record")

    assert ApprovalRule.objects.get().order_limit_minor == 600_00
    assert_nothing_happened(mine)


def test_23_by_an_approval_that_expired(mine: Order, manager: User) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        refused_by_the_database(decides(manager, mine), "it has expired")

    assert_nothing_happened(mine)


def test_24_by_djangos_admin() -> None:
    assert not apps.is_installed("django.contrib.admin")
    assert Client().get("/admin/").status_code == 404


def test_25_by_an_outcome_that_one_person_wrote_alone(mine: Order, manager: User, support: User) -> None:
    facts = {"order": mine, "verdict": "not_placed", "reason": "x", "proposed_by": support}
    refused_by_the_database(
        lambda: Resolution.objects.bulk_create(
            [Resolution(**facts, state="confirmed", decided_by=manager, decided_at=timezone.now())]
        ),
        "proposed before it is confirmed",
    )
    Resolution.objects.create(**facts)
    refused_by_the_database(lambda: Resolution.objects.update(proposed_by=manager), "what was proposed never changes")

    assert Resolution.objects.get().proposed_by == support
    assert_nothing_happened(mine)


def test_an_approval_by_another_manager_still_goes_through(mine: Order, manager: User) -> None:
    """The rules refuse nobody who may."""
    approve_order(by=manager, order=mine, shown_hash=question_of(mine).content_hash)

    assert Order.objects.get(pk=mine.pk).state == "approved"
