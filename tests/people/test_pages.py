"""The pages of people, proposals and limits: by clicking, with before and after, and refused in words."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.orders.services.drafting import submit_order
from procurement.people.models import Proposal
from procurement.people.proposals import propose
from procurement.staff.factor import has_factor
from procurement.staff.models import User
from tests.at_desk import Desk, Form
from tests.conftest import make_person
from tests.orders.conftest import Shop, sandbox_server, shop
from tests.staff.apps_of_people import with_phone

__all__ = ["sandbox_server", "shop"]
pytestmark = pytest.mark.django_db
WHY = "Moves to another team"


def proposed(by: User, person: User, *names: str) -> Proposal:
    return propose(by=by, kind="roles", about=str(person.pk), after={"roles": list(names)}, reason=WHY)


def decision(proposal: Proposal, **fields: str) -> Form:
    """A form the page did not offer."""
    url = reverse("people:proposal_decide", args=[proposal.pk])
    return Form(url, "post", fields={"once": uuid.uuid4().hex, **fields})


def test_a_change_of_roles_by_clicking(buyer: User, admin: User, second_admin: User) -> None:
    desk, url = Desk(admin), reverse("people:person_roles", args=[buyer.pk])
    page = desk.open("people:person_detail", buyer.pk)
    page = desk.send(page.form(url), roles=["manager"], reason=WHY)
    assert "Nothing changes until another administrator confirms it." in page.text
    assert "Ada Admin proposed a change" in page.text
    proposal = Proposal.objects.get()
    mine = desk.open("people:proposal_detail", proposal.pk)
    assert "You proposed this; it needs another administrator: Abe Admin. Nothing was changed." in mine.text
    assert 'value="confirm"' not in mine.html

    other = Desk(second_admin)
    assert "1 proposal" in other.open("people:person_list").text
    page = other.open("people:proposal_detail", proposal.pk)
    assert "Roles Buyer Manager" in " ".join(page.text.split())
    done = other.send(page.form(reverse("people:proposal_decide", args=[proposal.pk])), decision="confirm")

    assert "Confirmed, and done." in done.text
    assert User.objects.get(pk=buyer.pk).role_names == ("manager",)


def test_a_deactivation_is_proposed_and_declined_by_clicking(buyer: User, admin: User, second_admin: User) -> None:
    desk = Desk(admin)
    page = desk.open("people:person_detail", buyer.pk)
    ending = page.form(reverse("people:person_end", args=[buyer.pk]))
    ending.fields |= {"end-reason": "Left the company", "what": "deactivate"}
    desk.send(ending)
    proposal, other = Proposal.objects.get(), Desk(second_admin)
    form = other.open("people:proposal_detail", proposal.pk).form(reverse("people:proposal_decide", args=[proposal.pk]))
    refused = other.send(form, status=422, decision="decline", reason="")
    assert "Say why in a few words" in refused.text

    done = other.send(form, decision="decline", reason="They stay until May")

    assert "Declined. Nothing changed." in done.text
    assert User.objects.get(pk=buyer.pk).is_active


def test_a_lost_second_factor_is_removed_by_two(buyer: User, admin: User, second_admin: User) -> None:
    with_phone(buyer)
    desk = Desk(admin)
    ending = desk.open("people:person_detail", buyer.pk).form(reverse("people:person_end", args=[buyer.pk]))
    ending.fields |= {"end-reason": "Seen in person, phone stolen", "what": "remove_factor"}
    page = desk.send(ending)
    assert has_factor(buyer)

    proposal = Proposal.objects.get()
    desk.send(decision(proposal), status=403, decision="confirm")
    assert has_factor(buyer)
    Desk(second_admin).send(decision(proposal), decision="confirm")

    assert not has_factor(buyer)
    assert "proposed a change" in page.text
    assert AuditEvent.objects.get(action="user.factor_removed").actor == second_admin


def test_deciding_asks_who_it_is_again_after_five_minutes(buyer: User, admin: User, second_admin: User) -> None:
    proposal, desk = proposed(admin, buyer, "manager"), Desk(second_admin)
    with time_machine.travel(timezone.now() + timedelta(minutes=6)):
        answer = desk.client.post(decision(proposal).action, {**decision(proposal).fields, "decision": "confirm"})

    assert answer["Location"].startswith(reverse("staff:step_up"))
    proposal.refresh_from_db()
    assert (proposal.state, User.objects.get(pk=buyer.pk).role_names) == ("open", ("buyer",))


def test_what_is_wrong_is_said_beside_the_form(buyer: User, admin: User) -> None:
    desk = Desk(admin)
    form = desk.open("people:person_detail", buyer.pk).form(reverse("people:person_roles", args=[buyer.pk]))

    refused = desk.send(form, status=422, roles=["buyer", "manager"], reason=WHY)

    assert "One person is never both Buyer and Manager" in refused.text
    assert not Proposal.objects.exists()


def test_a_page_opened_before_the_decision_decides_nothing_more(buyer: User, admin: User, second_admin: User) -> None:
    proposal = proposed(admin, buyer, "manager")
    third = make_person("tea_admin", "admin")
    url = reverse("people:proposal_decide", args=[proposal.pk])
    stale = Desk(third).open("people:proposal_detail", proposal.pk).form(url)
    Desk(second_admin).send(decision(proposal), decision="decline", reason="Ben stays")

    refused = Desk(third).send(stale, status=409, decision="confirm")

    assert "This is decided or over: declined by Abe Admin. Nothing was changed." in refused.text
    assert User.objects.get(pk=buyer.pk).role_names == ("buyer",)


def test_an_auditor_reads_proposals_and_decides_none(buyer: User, admin: User, auditor: User) -> None:
    proposal = proposed(admin, buyer, "manager")
    desk = Desk(auditor)
    assert "Roles of Ben Buyer" in desk.open("people:proposal_list").text
    assert 'value="confirm"' not in desk.open("people:proposal_detail", proposal.pk).html

    desk.send(decision(proposal), status=403, decision="confirm")

    proposal.refresh_from_db()
    assert proposal.state == "open"


def test_empty_pages_say_what_comes_there(admin: User) -> None:
    desk = Desk(admin)

    assert "There is one administrator only." in desk.open("people:person_list").text
    assert "No proposal waits." in desk.open("people:proposal_list").text
    assert "Nothing is bought yet." in desk.open("people:limits_list").text
    assert "Nobody is here." in desk.open("people:person_list", view="deactivated").text


def test_the_list_asks_as_often_for_many_as_for_one(
    admin: User, person: Callable[..., User], django_assert_max_num_queries: Any
) -> None:
    desk = Desk(admin)
    desk.open("people:person_list")
    with django_assert_max_num_queries(40) as one:
        desk.open("people:person_list")
    for number in range(10):
        proposed(admin, person(f"p{number}", "buyer"), "support")

    with django_assert_max_num_queries(len(one)):
        assert desk.open("people:person_list").text.count("to be confirmed") >= 10


@pytest.mark.requirement("R35")
@pytest.mark.django_db(transaction=True)
def test_other_limits_are_proposed_with_what_they_would_have_meant(
    shop: Shop, buyer: User, admin: User, second_admin: User
) -> None:
    for quantity in (1, 2):
        submit_order(by=buyer, order=shop.order(buyer, "alpha", quantity))
    desk = Desk(admin)
    assert "over 500.00 USD needs a manager" in desk.open("people:limits_list").text
    form = desk.open("people:limits_change", "USD").form(reverse("people:limits_change", args=["USD"]))
    assert (
        "at least that of one order"
        in desk.send(form, status=422, order_limit="60", daily_limit="50", reason="A smaller team").text
    )

    page = desk.send(form, order_limit="60", daily_limit="1,000.00", reason="A smaller team")

    assert "0 orders needed a manager by the limits before; by those after it would have been 1 order." in page.text
    proposal = Proposal.objects.get()
    Desk(second_admin).send(decision(proposal), decision="confirm")
    assert "over 60.00 USD needs a manager" in desk.open("people:limits_list").text
    assert "Set by Abe Admin" in desk.open("people:limits_list").text
