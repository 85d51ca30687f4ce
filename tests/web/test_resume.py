"""A form sent after the session ended is not lost, and never sent by itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from procurement.staff.models import User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


@pytest.fixture
def ana(shell_urls: None, person: Any) -> User:
    user: User = person("ana", "buyer")
    user.set_password(PASSWORD)
    user.save()
    return user


def sign_in(client: Client) -> None:
    client.post("/login/", {"username": "ana", "password": PASSWORD})


def test_the_fields_wait_for_the_person_and_nothing_is_saved(ana: User) -> None:
    client = Client()
    response = client.post("/save/?from=list", {"note": "weekend stock", "once": "abc"})

    assert response["Location"] == "/login/?next=%2Fresume%2F"
    sign_in(client)
    page = client.get("/resume/").content.decode()
    assert "You were signed out while sending this form" in page
    assert 'action="/save/?from=list"' in page
    assert 'name="note" value="weekend stock"' in page
    ana.refresh_from_db()
    assert ana.display_name == "Ana"


def test_discarding_forgets_the_fields(ana: User) -> None:
    client = Client()
    client.post("/save/", {"note": "weekend stock"})
    sign_in(client)
    client.post("/resume/")

    assert client.get("/resume/")["Location"] == "/"


def test_fields_are_offered_for_an_hour(ana: User) -> None:
    client = Client()
    with time_machine.travel(datetime.now(UTC) - timedelta(minutes=61)):
        client.post("/save/", {"note": "weekend stock"})
    sign_in(client)

    assert client.get("/resume/").status_code == 302


def test_views_of_passwords_keys_and_codes_keep_nothing(ana: User) -> None:
    client = Client()
    response = client.post("/keys/", {"note": "live-key-1234"})

    assert response["Location"] == "/login/?next=/keys/"
    assert "kept_form" not in client.session


@pytest.mark.parametrize("fields", [{"new_password": "x"}, {"note": "x" * 70_000}, {}])
def test_passwords_and_big_forms_are_not_kept(ana: User, fields: dict[str, str]) -> None:
    client = Client()
    client.post("/save/", fields)

    assert "kept_form" not in client.session


def test_files_are_not_kept_and_the_page_says_so(ana: User) -> None:
    client = Client()
    client.post("/save/", {"note": "broken code", "evidence": SimpleUploadedFile("a.png", b"bytes")})
    sign_in(client)
    page = client.get("/resume/").content.decode()

    assert "The attached files were not kept" in page
    assert "Send it now" not in page


def test_htmx_is_sent_to_sign_in_as_a_whole_page(ana: User) -> None:
    headers = {"HX-Request": "true", "HX-Current-URL": "http://testserver/orders/?region=US"}
    response = Client().get("/ledger/", headers=headers)

    assert response["HX-Redirect"] == "/login/?next=%2Forders%2F%3Fregion%3DUS"
    assert response.content == b""


def test_pages_open_to_all_are_left_alone(shell_urls: None) -> None:
    assert Client().post("/public/", {"note": "x"}).content == b"public"


def test_staying_signed_in_moves_the_end_of_the_session(ana: User, settings: Any) -> None:
    client, began = Client(), datetime.now(UTC)
    with time_machine.travel(began, tick=False) as clock:
        sign_in(client)
        clock.move_to(began + timedelta(minutes=29))
        assert client.post("/stay/").status_code == 204
        clock.move_to(began + timedelta(minutes=58))
        assert int(session_end_of(client)) == settings.SESSION_COOKIE_AGE


def test_the_page_knows_when_the_session_ends_whatever_happens(ana: User, settings: Any) -> None:
    client, began = Client(), datetime.now(UTC)
    with time_machine.travel(began, tick=False) as clock:
        sign_in(client)
        for minutes in range(20, 600, 20):
            clock.move_to(began + timedelta(minutes=minutes))
            client.post("/stay/")
        assert int(session_end_of(client)) == 20 * 60


def session_end_of(client: Client) -> str:
    page = client.get("/").content.decode()
    return page.split('data-session="', 1)[1].split('"', 1)[0]
