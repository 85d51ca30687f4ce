"""What is asked of people who sign in, and what is not."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.errors import Refused
from procurement.people.invitations import invite
from procurement.staff.models import RoleGrant, User
from tests.at_desk import Desk, Reader
from tests.people.test_invitations import token_in
from tests.staff.apps_of_people import PASSWORD, with_password, with_phone

pytestmark = pytest.mark.django_db
SIGN_IN = "/sign-in/"


def inputs(html: str) -> dict[str, str]:
    """Each field that a person fills, with the tag as the page has it."""
    tags = [f"<input{part.partition('>')[0]}>" for part in html.split("<input")[1:]]
    named = {tag.partition('name="')[2].partition('"')[0]: tag for tag in tags if 'type="hidden"' not in tag}
    return {name: tag for name, tag in named.items() if name not in {"", "q"}}


def test_a_new_database_has_nobody() -> None:
    assert not User.objects.exists()
    assert not RoleGrant.objects.exists()


def test_nothing_but_password_and_factor_is_asked_and_password_managers_may_fill_it(support: User, admin: User) -> None:
    with_phone(with_password(support))
    half = Client()
    half.post(SIGN_IN, {"username": support.username, "password": PASSWORD})
    _, link = invite(by=admin, username="nora", name="Nora New", email="nora@cards.example")
    desk = Desk(support)

    name_and_password = inputs(Client().get(SIGN_IN).content.decode())
    code = inputs(half.get(reverse("login_code")).content.decode())
    opened = Client().get(reverse("people:invitation_open", args=[token_in(link)]))
    first = inputs(opened.content.decode())
    change = inputs(desk.client.get(reverse("staff:password")).content.decode())

    assert set(name_and_password) == {"username", "password"}
    assert set(code) == {"proof"}
    assert set(change) == {"old_password", "new_password1", "new_password2"}
    passwords = [name_and_password["password"], *change.values(), *first.values()]
    assert set(first) == {"password", "again"}
    for tag in passwords:
        assert 'type="password"' in tag
        assert 'autocomplete="current-password"' in tag or 'autocomplete="new-password"' in tag
        assert "maxlength" not in tag
        assert "paste" not in tag


def test_a_password_has_no_last_day(support: User) -> None:
    with_password(support)

    with time_machine.travel(timezone.now() + timedelta(days=1000)):
        assert Client().post(SIGN_IN, {"username": support.username, "password": PASSWORD})["Location"] == "/"


@pytest.mark.parametrize("address", ["/", "/settings/", "/cases/", "/nowhere/", "/ledger/"])
def test_every_page_offers_to_sign_out(address: str, support: User) -> None:
    page = Reader(Desk(support).client.get(address).content.decode())

    assert [form.method for form in page.forms if form.action == reverse("logout")] == ["post"]


@pytest.mark.parametrize("email", ["nora@cards.example\nBcc: eve@evil.example", "nora@cards.example, eve@evil.example"])
def test_no_address_carries_another_line_or_reader_into_a_mail(email: str, admin: User) -> None:
    with pytest.raises(Refused, match="Nobody was invited"):
        invite(by=admin, username="nora", name="Nora New", email=email)

    assert mail.outbox == []
    assert not User.objects.filter(username="nora").exists()
