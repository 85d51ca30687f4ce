"""A link makes one account usable, once, for 72 hours, by a password that nobody else chose."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import Missing, NotAllowed, Refused
from procurement.people.invitations import accept, fingerprint_of, invite, renew_link, withdraw_invitation
from procurement.people.models import Invitation, Proposal
from procurement.staff.models import User
from tests.at_desk import Desk

pytestmark = pytest.mark.django_db
PASSWORD = "four walls and a roof"
NORA = {"username": "nora", "name": "Nora New", "email": "nora@cards.example"}


def token_in(link: str) -> str:
    return link.rstrip("/").rpartition("/")[2]


def invited(by: User) -> tuple[User, str]:
    made, link = invite(by=by, **NORA)
    return made.person, token_in(link)


def join(visitor: Client, token: str, password: str, again: str = "") -> Any:
    sent = {"token": token, "password": password, "again": again or password}
    return visitor.post(reverse("people:invitation_accept"), sent)


def events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("action", flat=True))


def test_an_invited_person_sets_their_own_password_and_signs_in(admin: User) -> None:
    person, token = invited(admin)
    assert (person.is_active, person.has_usable_password(), person.role_names) == (False, False, ())
    visitor = Client()
    page = visitor.get(reverse("people:invitation_open", args=[token])).content.decode()
    assert "Welcome, Nora New" in page
    assert f'value="{token}"' in page

    answer = join(visitor, token, PASSWORD)

    assert (answer.status_code, answer["Location"]) == (303, reverse("login"))
    assert visitor.login(username="nora", password=PASSWORD)
    assert events() == ["user.invited", "invitation.made", "invitation.accepted"]
    assert AuditEvent.objects.get(action="invitation.accepted").actor == person


def test_the_link_is_kept_nowhere(admin: User) -> None:
    _, token = invited(admin)

    assert Invitation.objects.get().token_sha256 == fingerprint_of(token)
    kept = [str(list(model.objects.values())) for model in (Invitation, AuditEvent, User)]
    assert [text for text in kept if token in text] == []


def test_a_link_works_once(admin: User) -> None:
    _, token = invited(admin)
    accept(token=token, password=PASSWORD)

    with pytest.raises(Missing, match="leads nowhere any more"):
        accept(token=token, password="another one, longer")

    assert User.objects.get(username="nora").check_password(PASSWORD)


@pytest.mark.parametrize("over", ["late", "replaced", "void", "never made"])
def test_a_link_that_is_over_sets_no_password(admin: User, over: str) -> None:
    person, token = invited(admin)
    later = timedelta(hours=72, seconds=1) if over == "late" else timedelta()
    if over == "replaced":
        renew_link(by=admin, person=person)
    if over == "void":
        withdraw_invitation(by=admin, person=person)
    if over == "never made":
        token = "x" * 43

    with time_machine.travel(timezone.now() + later):
        answer = join(Client(), token, PASSWORD)

    assert answer.status_code == 404
    assert "This link leads nowhere any more" in answer.content.decode()
    person.refresh_from_db()
    assert (person.is_active, person.has_usable_password()) == (False, False)


def test_no_log_line_holds_a_link_that_works(admin: User, caplog: pytest.LogCaptureFixture) -> None:
    _, token = invited(admin)
    Client().get(reverse("people:invitation_open", args=[token]))

    assert join(Client(), token, "short").status_code == 422

    assert "Unprocessable Entity" in caplog.text
    assert token not in caplog.text


def test_a_link_works_to_the_end_of_its_72_hours(admin: User) -> None:
    _, token = invited(admin)

    with time_machine.travel(timezone.now() + timedelta(hours=71, minutes=59)):
        accept(token=token, password=PASSWORD)

    assert User.objects.get(username="nora").is_active


@pytest.mark.parametrize(
    ("password", "again", "said"),
    [
        ("short", "short", "too short"),
        (PASSWORD, PASSWORD + "x", "differ"),
        ("password1234", "password1234", "anybody would try"),
    ],
)
def test_a_weak_or_mistyped_password_is_not_set(admin: User, password: str, again: str, said: str) -> None:
    person, token = invited(admin)

    answer = join(Client(), token, password, again)

    text = answer.content.decode()
    assert answer.status_code == 422
    assert said in text
    assert f'value="{password}"' not in text
    person.refresh_from_db()
    assert not person.has_usable_password()
    assert Invitation.objects.get().state == "open"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"email": "BEN@cards.example"}, "has an account already"),
        ({"email": "ben+2@cards.example"}, "without a “\\+”"),
        ({"email": "no address"}, "e-mail address"),
        ({"username": "ben"}, "sign-in name already"),
        ({"username": "N O"}, "2 to 30 small letters"),
        ({"name": "  "}, "Write the name"),
    ],
)
def test_a_second_account_of_one_person_is_not_made(admin: User, changed: dict[str, str], said: str) -> None:
    User.objects.create(username="ben", display_name="Ben", email="ben@cards.example")

    with pytest.raises(Refused, match=f"{said}.*Nobody was invited"):
        invite(by=admin, **{**NORA, **changed})

    assert User.objects.count() == 2
    assert events() == []


def test_only_administrators_invite(manager: User, person: Callable[..., User]) -> None:
    with pytest.raises(NotAllowed, match="This is for: Administrator"):
        invite(by=manager, **NORA)

    assert not Invitation.objects.exists()


def test_no_new_link_for_somebody_who_joined(admin: User) -> None:
    person, token = invited(admin)
    accept(token=token, password=PASSWORD)

    with pytest.raises(Refused, match="waits for no link"):
        renew_link(by=admin, person=person)

    assert Invitation.objects.count() == 1


def test_the_page_shows_the_link_once_and_proposes_the_roles(admin: User) -> None:
    desk = Desk(admin)
    form = desk.open("people:person_invite").form(reverse("people:person_invite"))

    shown = desk.send(form, status=200, **NORA, roles=["buyer"])

    link = re.search(r"http[^<\s\"]+/join/[\w-]{43}/", shown.html)
    assert link is not None
    assert "No mail was sent" in shown.text
    person = User.objects.get(username="nora")
    assert person.role_names == ()
    assert Proposal.objects.get().after == {"roles": ["buyer"]}
    assert "/join/" not in desk.open("people:person_detail", person.pk).html
    desk.send(form, status=409, **NORA)
    assert Invitation.objects.count() == 1


def test_two_roles_that_exclude_each_other_invite_nobody(admin: User) -> None:
    desk = Desk(admin)
    form = desk.open("people:person_invite").form(reverse("people:person_invite"))

    refused = desk.send(form, status=422, **NORA, roles=["buyer", "manager"])

    assert "One person is never both Buyer and Manager" in refused.text
    assert not User.objects.filter(username="nora").exists()
    assert events() == []


def test_the_link_goes_by_mail_where_mail_is_set_up(admin: User, settings: Any) -> None:
    settings.MAIL_IS_SET_UP, settings.DEFAULT_FROM_EMAIL = True, "desk@cards.example"
    desk = Desk(admin)

    shown = desk.send(desk.open("people:person_invite").form(reverse("people:person_invite")), status=200, **NORA)

    assert "It was sent to nora@cards.example." in shown.text
    [sent] = mail.outbox
    assert sent.to == ["nora@cards.example"]
    assert "/join/" in sent.body


def test_without_a_mail_server_the_link_is_there_all_the_same(admin: User, settings: Any) -> None:
    settings.MAIL_IS_SET_UP = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    desk = Desk(admin)

    shown = desk.send(desk.open("people:person_invite").form(reverse("people:person_invite")), status=200, **NORA)

    assert "No mail was sent" in shown.text
    assert "/join/" in shown.html
