"""Signing in, at the pages: the password, then the factor of those who have one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.staff.models import User
from tests.staff.apps_of_people import PASSWORD, with_password, with_phone

pytestmark = pytest.mark.django_db
CODE_PAGE = "/sign-in/code/"


@pytest.fixture
def sam(support: User) -> User:
    return with_password(support)


def give_password(client: Client, user: User, password: str = PASSWORD, **more: str) -> Any:
    return client.post(reverse("login"), {"username": user.username, "password": password, **more})


def is_signed_in(client: Client) -> bool:
    return client.get(reverse("overview")).status_code == 200


def test_without_a_factor_the_password_signs_in(sam: User) -> None:
    client = Client()

    assert give_password(client, sam, next="/cases/")["Location"] == "/cases/"

    assert is_signed_in(client)
    assert AuditEvent.objects.get(action="user.signed_in").facts["how"] == "password"


@pytest.mark.requirement("R63")
def test_with_a_factor_the_password_alone_opens_nothing(sam: User) -> None:
    phone, client = with_phone(sam), Client()

    assert give_password(client, sam, next="/cases/")["Location"] == f"{CODE_PAGE}?next=%2Fcases%2F"
    assert not is_signed_in(client)
    wrong = client.post(CODE_PAGE, {"proof": "000000"})
    assert wrong.status_code == 422
    assert "000000" not in wrong.content.decode()
    assert not is_signed_in(client)
    assert AuditEvent.objects.filter(action="user.sign_in_failed", subject_id=str(sam.pk)).count() == 1

    done = client.post(CODE_PAGE, {"proof": phone.code(), "next": "/cases/"})

    assert done["Location"] == "/cases/"
    assert is_signed_in(client)
    assert AuditEvent.objects.get(action="user.signed_in").facts["how"] == "authenticator app"


def test_a_recovery_code_stands_in_for_the_phone(sam: User) -> None:
    phone, client = with_phone(sam), Client()
    give_password(client, sam)

    client.post(CODE_PAGE, {"proof": phone.recovery[0]})

    assert is_signed_in(client)
    assert AuditEvent.objects.get(action="user.signed_in").facts["how"] == "recovery code"


def test_the_half_signed_in_must_be_quick(sam: User) -> None:
    phone, client = with_phone(sam), Client()
    give_password(client, sam)

    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1)):
        late = client.post(CODE_PAGE, {"proof": phone.code()})

        assert late["Location"] == reverse("login")
        assert not is_signed_in(client)


@pytest.mark.parametrize("change", ["password", "is_active"])
def test_a_half_made_before_a_change_is_none(sam: User, change: str) -> None:
    phone, client = with_phone(sam), Client()
    give_password(client, sam)
    User.objects.filter(pk=sam.pk).update(**{change: "!" if change == "password" else False})

    assert client.post(CODE_PAGE, {"proof": phone.code()})["Location"] == reverse("login")

    assert not is_signed_in(client)


def test_the_session_key_of_before_is_worth_nothing_after(sam: User) -> None:
    phone, client = with_phone(sam), Client()
    client.post(reverse("orders:order_list"), {"kept": "form"})
    keys = [client.session.session_key]
    give_password(client, sam)
    keys.append(client.session.session_key)
    client.post(CODE_PAGE, {"proof": phone.code()})
    keys.append(client.session.session_key)

    assert len(set(keys)) == 3
    assert is_signed_in(client)
