"""Attacks on four eyes, each by somebody who wants their own purchase to go out; every one ends with nothing having happened."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.audit.services import record
from procurement.custody.guards import RULES as CUSTODY_RULES
from procurement.errors import NotAllowed, Refused
from procurement.orders.guards import RULES as ORDER_RULES
from procurement.orders.models import Order
from procurement.orders.services.approving import approve_order
from procurement.people.guards import RULES as PEOPLE_RULES
from procurement.people.invitations import invite
from procurement.people.proposals import confirm, propose
from procurement.staff.models import RoleGrant, User
from procurement.triggers import name_of
from tests.at_desk import Desk, Form
from tests.conftest import SETTLED, make_person
from tests.orders.attacking import (
    admins,
    assert_nothing_happened,
    decides,
    managers_own,
    mine,
    question_of,
    refused_by_the_database,
    sql,
)
from tests.orders.conftest import Shop

__all__ = ["admins", "managers_own", "mine"]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R35")]
OTHER_ROLE = "UPDATE staff_rolegrant SET role = 'manager' WHERE user_id = %s"


def test_every_rule_is_in_the_database() -> None:
    rules = (*ORDER_RULES, *PEOPLE_RULES, *CUSTODY_RULES)
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


def test_an_approval_by_another_manager_still_goes_through(mine: Order, manager: User) -> None:
    """The rules refuse nobody who may."""
    approve_order(by=manager, order=mine, shown_hash=question_of(mine).content_hash)

    assert Order.objects.get(pk=mine.pk).state == "approved"
