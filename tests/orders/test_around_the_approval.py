"""Attacks on four eyes that leave the approval alone: past it, after it, before it, or with another one; nothing happens."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import time_machine
from django.apps import apps
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest, ApprovalRule
from procurement.bookkeeping import postings
from procurement.errors import StaleState
from procurement.orders.models import Attempt, Order, Resolution
from procurement.orders.services.approving import approve_order
from procurement.orders.services.drafting import submit_order, withdraw_order
from procurement.orders.services.placing import release_for_placing
from procurement.people.proposals import confirm, propose
from procurement.staff.models import RoleGrant, User
from tests.at_desk import Desk
from tests.conftest import make_newcomer, make_person
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


@pytest.mark.parametrize("who", ["newcomer", "former", "manager", "nobody"])
def test_26_by_confirming_an_outcome_without_a_settled_role(mine: Order, support: User, who: str) -> None:
    row = Resolution.objects.create(order=mine, verdict="not_placed", reason="x", proposed_by=support)
    person = make_newcomer("new", "finance") if who == "newcomer" else make_person("old", "finance")
    if who == "former":
        RoleGrant.objects.filter(user=person).update(revoked_at=timezone.now())
    if who == "manager":
        person = make_person("max_manager", "manager")

    def confirms(by: User | None) -> None:
        sql(
            "UPDATE orders_resolution SET state = 'confirmed', decided_by_id = %s, decided_at = %s WHERE id = %s",
            *(by and by.pk, timezone.now(), row.pk),
        )

    refused_by_the_database(
        lambda: confirms(None if who == "nobody" else person),
        "only a settled role confirms",
    )
    row.refresh_from_db()
    assert (row.state, row.decided_by) == ("open", None)
    assert_nothing_happened(mine)

    confirms(make_person("fay_finance", "finance"))
    row.refresh_from_db()
    assert row.state == "confirmed"
