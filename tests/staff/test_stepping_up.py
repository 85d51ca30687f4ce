"""Before codes are opened or keys changed, a person proves again who they are; this holds for five minutes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.staff.models import User
from tests.at_desk import Desk
from tests.staff.apps_of_people import PASSWORD, with_password, with_phone
from tests.staff.urls import DONE

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.staff.urls")]
LATER = timedelta(minutes=5, seconds=1)


@pytest.fixture(autouse=True)
def done() -> list[str]:
    DONE.clear()
    return DONE


def test_in_a_sandbox_the_password_of_the_sign_in_counts_for_five_minutes(support: User, done: list[str]) -> None:
    desk = Desk(with_password(support))
    desk.open("/guarded/")
    assert done == ["GET"]

    with time_machine.travel(timezone.now() + LATER):
        asked = desk.open(desk.open("/guarded/", status=303).location)
        wrong = desk.send(asked.form("confirm"), status=422, proof="not my password")
        assert "This is not your password" in wrong.text
        assert done == ["GET"]
        desk.send(asked.form("confirm"), proof=PASSWORD)

    assert done == ["GET", "GET"]
    events = AuditEvent.objects.filter(action__startswith="user.step").order_by("id").values_list("action", flat=True)
    assert list(events) == ["user.step_up_failed", "user.stepped_up"]


def test_who_has_a_factor_is_asked_for_it_and_not_for_the_password(support: User, done: list[str]) -> None:
    phone = with_phone(with_password(support))
    desk = Desk(support)

    asked = desk.open(desk.open("/guarded/", status=303).location)
    desk.send(asked.form("confirm"), status=422, proof=PASSWORD)
    assert done == []

    assert desk.send(asked.form("confirm"), proof=phone.code()).text == "done"


def test_where_a_factor_is_demanded_a_password_never_counts(support: User, settings: Any, done: list[str]) -> None:
    desk = Desk(with_password(support))
    settings.FACTOR_REQUIRED = True
    asked = desk.open("staff:step_up")

    desk.send(asked.form("confirm"), status=303, proof=PASSWORD, next="/me/factor/")

    assert desk.open("/guarded/", status=303).location == "/me/factor/"
    assert done == []


def test_the_session_gets_a_new_key_and_the_other_one_is_as_old_as_before(support: User, done: list[str]) -> None:
    phone = with_phone(support)
    here, there = Desk(support), Desk(support)
    before = here.client.session.session_key

    asked = here.open(here.open("/guarded/", status=303).location)
    here.send(asked.form("confirm"), proof=phone.code())

    assert here.client.session.session_key != before
    there.open("/guarded/", status=303)
    assert done == ["GET"]


def test_a_form_sent_too_late_waits_and_is_not_sent_by_itself(support: User, done: list[str]) -> None:
    phone = with_phone(support)
    desk = Desk(support)

    away = desk.client.post("/guarded/", {"reason": "The customer asks"})
    waits = desk.send(desk.open(away["Location"]).form("confirm"), proof=phone.code())

    assert "This form waits to be sent" in waits.text
    assert "The customer asks" in waits.text
    assert done == []
    assert desk.send(waits.form("guarded"), status=200).text == "done"
    assert done == ["The customer asks"]


def test_a_form_that_may_hold_a_code_is_not_kept_and_the_way_back_is_its_page(support: User, done: list[str]) -> None:
    with_phone(support)
    desk = Desk(support)

    away = desk.client.post("/with-a-code/", {"reason": "CANARY"}, headers={"referer": "http://testserver/cases/?q=1"})

    assert away["Location"] == "/me/confirm/?next=%2Fcases%2F%3Fq%3D1"
    assert "CANARY" not in str(dict(desk.client.session.items()))
    assert done == []


def test_htmx_is_sent_to_the_page_as_a_whole(support: User, done: list[str]) -> None:
    with_phone(support)
    desk = Desk(support)

    answer = desk.client.post(
        "/guarded/",
        {"reason": "x"},
        headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/orders/?state=done"},
    )

    assert answer["HX-Redirect"] == "/me/confirm/?next=%2Forders%2F%3Fstate%3Ddone"
    assert done == []


def test_whoever_may_not_is_refused_before_being_asked(auditor: User, done: list[str]) -> None:
    with_phone(auditor)

    Desk(auditor).open("/guarded/", status=403)

    assert done == []


def test_the_way_back_never_leaves_the_site(support: User) -> None:
    desk = Desk(with_password(support))
    asked = desk.open("staff:step_up", next="https://evil.example/")

    assert desk.send(asked.form("confirm"), proof=PASSWORD).response.wsgi_request.path == "/"
