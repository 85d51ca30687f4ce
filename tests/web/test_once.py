"""The same form twice does the thing once."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from procurement.staff.models import User
from procurement.web.models import FormToken

pytestmark = pytest.mark.django_db


def form(note: str, token: str | None = None) -> dict[str, str]:
    return {"note": note, "once": token or uuid.uuid4().hex}


def test_a_second_send_shows_the_first_result_and_does_nothing(signed_in: Client) -> None:
    data = form("first")
    first = signed_in.post("/save-once/", data)
    people = User.objects.count()
    second = signed_in.post("/save-once/", {**data, "note": "second"})

    assert first["Location"] == second["Location"] == "/saved/first/"
    assert User.objects.count() == people


def test_a_send_while_the_first_is_handled_is_refused(signed_in: Client, buyer: User) -> None:
    data = form("late")
    FormToken.objects.create(token=uuid.UUID(data["once"]), user=buyer, path="/save-once/")
    response = signed_in.post("/save-once/", data)

    assert response.status_code == 409
    assert not User.objects.filter(display_name="late").exists()


@pytest.mark.parametrize("note", ["", "crash"])
def test_a_refused_form_can_be_corrected_and_sent_again(signed_in: Client, note: str) -> None:
    data = form(note)

    assert signed_in.post("/save-once/", data).status_code == 422
    assert signed_in.post("/save-once/", {**data, "note": "right"})["Location"] == "/saved/right/"


def test_a_form_without_a_mark_is_refused(signed_in: Client) -> None:
    response = signed_in.post("/save-once/", {"note": "forged"})

    assert response.status_code == 422
    assert not User.objects.filter(display_name="forged").exists()


def test_another_person_does_not_see_the_first_result(signed_in: Client, manager: User) -> None:
    data = form("private")
    signed_in.post("/save-once/", data)
    other = Client()
    other.force_login(manager)

    assert other.post("/save-once/", data).status_code == 409


def test_htmx_is_sent_to_the_first_result_too(signed_in: Client) -> None:
    data = form("partial")
    first = signed_in.post("/save-once/", data, headers={"HX-Request": "true"})
    second = signed_in.post("/save-once/", data, headers={"HX-Request": "true"})

    assert first["HX-Redirect"] == second["HX-Redirect"] == "/saved/partial/"


def test_old_marks_are_forgotten(signed_in: Client, buyer: Any) -> None:
    old = FormToken.objects.create(token=uuid.uuid4(), user=buyer, path="/")
    FormToken.objects.update(created_at=timezone.now() - timedelta(days=3))
    signed_in.post("/save-once/", form("new"))

    assert not FormToken.objects.filter(token=old.token).exists()
