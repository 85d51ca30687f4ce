"""One administrator proposes, another confirms: roles, deactivations, limits; nothing changes before, or twice."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRule
from procurement.approvals.services import limits_for
from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.people.invitations import invite
from procurement.people.models import Proposal
from procurement.people.proposals import confirm, decline, propose, withdraw
from procurement.staff.models import RoleGrant, User
from tests.conftest import make_person

pytestmark = pytest.mark.django_db
WHY = "Moves to another team"


def roles(by: User, person: User, *names: str) -> Proposal:
    return propose(by=by, kind="roles", about=str(person.pk), after={"roles": list(names)}, reason=WHY)


def ending(by: User, person: User) -> Proposal:
    return propose(by=by, kind="deactivation", about=str(person.pk), after={"active": False, "roles": []}, reason=WHY)


def limits(by: User, order: int = 100_00, day: int = 200_00) -> Proposal:
    after = {"order_limit_minor": order, "daily_limit_minor": day}
    return propose(by=by, kind="approval_rule", about="USD", after=after, reason="Smaller team")


def fresh(person: User) -> User:
    return User.objects.get(pk=person.pk)


def picture() -> list[Any]:
    """Everything a proposal could change."""
    return [
        list(model._default_manager.order_by("pk").values())
        for model in (User, RoleGrant, ApprovalRule, Proposal, AuditEvent)
    ]


def test_roles_change_when_a_second_administrator_confirms(buyer: User, admin: User, second_admin: User) -> None:
    proposal = roles(admin, buyer, "manager", "finance")
    assert fresh(buyer).role_names == ("buyer",)

    confirm(by=second_admin, proposal=proposal)

    assert fresh(buyer).role_names == ("manager", "finance")
    given = RoleGrant.objects.get(user=buyer, role="manager")
    assert (given.granted_by, given.settled_at - given.granted_at) == (second_admin, timedelta(hours=24))
    assert RoleGrant.objects.get(user=buyer, role="buyer").revoked_by == second_admin
    assert list(AuditEvent.objects.order_by("id").values_list("action", "actor__username")) == [
        ("proposal.proposed", "ada_admin"),
        ("proposal.confirmed", "abe_admin"),
        ("user.role_revoked", "abe_admin"),
        ("user.role_granted", "abe_admin"),
        ("user.role_granted", "abe_admin"),
    ]
    [said] = AuditEvent.objects.filter(action="proposal.proposed").values_list("facts__what", flat=True)
    assert said == "Change of roles of Ben Buyer: roles Buyer → Manager, Finance"


def test_a_deactivated_person_is_out_at_once_and_holds_no_role(buyer: User, admin: User, second_admin: User) -> None:
    at_work = Client()
    at_work.force_login(buyer)
    proposal = ending(admin, buyer)
    assert at_work.get(reverse("overview")).status_code == 200

    confirm(by=second_admin, proposal=proposal)

    assert at_work.get(reverse("overview")).status_code == 302
    assert (fresh(buyer).is_active, fresh(buyer).role_names) == (False, ())


def test_whose_roles_change_signs_in_anew(buyer: User, admin: User, second_admin: User) -> None:
    at_work = Client()
    at_work.force_login(buyer)

    confirm(by=second_admin, proposal=roles(admin, buyer, "support"))

    assert at_work.get(reverse("overview")).status_code == 302


@pytest.mark.requirement("R35")
def test_limits_change_when_a_second_administrator_confirms(admin: User, second_admin: User) -> None:
    proposal = limits(admin)
    assert limits_for("USD") == (500_00, 2_000_00)

    confirm(by=second_admin, proposal=proposal)

    assert limits_for("USD") == (100_00, 200_00)
    assert AuditEvent.objects.get(action="approval_rule.changed").facts == {
        "before": "500.00 and 2,000.00",
        "after": "100.00 and 200.00",
    }


def test_nobody_confirms_or_declines_their_own_proposal_or_what_is_about_them(
    buyer: User, admin: User, second_admin: User
) -> None:
    make_person("tea_admin", "admin"), make_person("tom_admin", "admin")
    own, about = roles(admin, buyer, "manager"), ending(admin, second_admin)
    before = picture()

    for by, proposal in ((admin, own), (second_admin, about)):
        with pytest.raises(NotAllowed, match=r"needs another administrator: .*Nothing was changed"):
            confirm(by=by, proposal=proposal)
        with pytest.raises(NotAllowed):
            decline(by=by, proposal=proposal, reason="Not me")

    assert picture() == before


@pytest.mark.parametrize("role", ["buyer", "manager", "support", "finance", "auditor", ""])
def test_only_administrators_propose_and_decide(buyer: User, admin: User, role: str) -> None:
    other = make_person("other", *([role] if role else []))
    proposal = roles(admin, buyer, "support")
    before = picture()

    for act in (
        lambda: confirm(by=other, proposal=proposal),
        lambda: decline(by=other, proposal=proposal, reason="No"),
        lambda: withdraw(by=other, proposal=proposal),
        lambda: roles(other, buyer, "manager"),
    ):
        with pytest.raises(NotAllowed, match="Nothing was changed"):
            act()

    assert picture() == before


def test_a_declined_or_withdrawn_proposal_changes_nothing_and_is_not_confirmed_later(
    buyer: User, admin: User, second_admin: User
) -> None:
    declined = roles(admin, buyer, "manager")
    decline(by=second_admin, proposal=declined, reason="Ben stays")
    taken_back = roles(admin, buyer, "manager")
    withdraw(by=admin, proposal=taken_back)
    before = picture()

    for proposal in (declined, taken_back):
        with pytest.raises(StaleState, match="decided or over"):
            confirm(by=second_admin, proposal=proposal)

    assert picture() == before
    assert fresh(buyer).role_names == ("buyer",)


def test_a_proposal_expires_and_makes_room_for_another(buyer: User, admin: User, second_admin: User) -> None:
    old = roles(admin, buyer, "manager")
    with time_machine.travel(timezone.now() + timedelta(hours=72, seconds=1)):
        with pytest.raises(StaleState, match="expired"):
            confirm(by=second_admin, proposal=old)
        assert fresh(buyer).role_names == ("buyer",)

        confirm(by=second_admin, proposal=roles(admin, buyer, "support"))

    old.refresh_from_db()
    assert (old.state, fresh(buyer).role_names) == ("expired", ("support",))


def test_the_same_thing_is_proposed_once_at_a_time(buyer: User, admin: User, second_admin: User) -> None:
    roles(admin, buyer, "manager")
    before = picture()

    with pytest.raises(StaleState, match="proposed already"):
        roles(second_admin, buyer, "support")

    assert picture() == before


def test_what_changed_meanwhile_is_not_overwritten(buyer: User, admin: User, second_admin: User) -> None:
    make_person("tea_admin", "admin")
    stale = roles(admin, buyer, "buyer", "support")
    confirm(by=second_admin, proposal=ending(admin, buyer))
    before = picture()

    with pytest.raises(StaleState, match="changed since it was proposed"):
        confirm(by=second_admin, proposal=stale)

    assert picture() == before


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("buyer", "manager"), "never both Buyer and Manager"),
        (("admin", "auditor"), "never both Administrator and Auditor"),
        (("buyer",), "so already"),
        (("king",), "no such role"),
    ],
)
def test_what_may_not_be_is_not_even_proposed(buyer: User, admin: User, names: tuple[str, ...], said: str) -> None:
    before = picture()

    with pytest.raises(Refused, match=said):
        roles(admin, buyer, *names)

    assert picture() == before


def test_two_administrators_stay(admin: User, second_admin: User) -> None:
    third = make_person("tea_admin", "admin")
    confirm(by=second_admin, proposal=ending(admin, third))
    before = picture()

    for act in (ending, lambda by, person: roles(by, person, "manager")):
        with pytest.raises(Refused, match="fewer than two administrators"):
            act(admin, second_admin)

    assert picture() == before


def test_a_deactivated_person_gets_no_role_and_an_invited_one_does(
    buyer: User, admin: User, second_admin: User
) -> None:
    confirm(by=second_admin, proposal=ending(admin, buyer))
    with pytest.raises(Refused, match="is deactivated"):
        roles(admin, buyer, "manager")
    made, _ = invite(by=admin, username="nora", name="Nora New", email="nora@cards.example")

    confirm(by=second_admin, proposal=roles(admin, made.person, "manager"))

    assert fresh(made.person).role_names == ("manager",)


def test_a_reason_is_given(buyer: User, admin: User, second_admin: User) -> None:
    with pytest.raises(Refused, match="at least 10 characters"):
        propose(by=admin, kind="roles", about=str(buyer.pk), after={"roles": []}, reason="because")
    proposal = roles(admin, buyer)
    before = picture()
    with pytest.raises(Refused, match="Say why"):
        decline(by=second_admin, proposal=proposal, reason=" ")

    assert picture() == before


def test_the_database_refuses_a_confirmation_by_the_wrong_person(buyer: User, admin: User, second_admin: User) -> None:
    make_person("tea_admin", "admin")
    own, about = roles(admin, buyer, "manager"), ending(admin, second_admin)
    late = limits(admin)
    before = picture()

    for proposal, by, at in ((own, admin, None), (about, second_admin, None), (late, second_admin, late.expires_at)):
        with pytest.raises(IntegrityError), transaction.atomic():
            Proposal.objects.filter(pk=proposal.pk).update(
                state="confirmed", decided_by=by, decided_at=(at or timezone.now()) + timedelta(seconds=1)
            )

    assert picture() == before
