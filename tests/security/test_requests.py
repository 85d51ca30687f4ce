"""What a request may be and what an answer says of itself: methods, cookies, types, addresses, whose parameters count."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from gunicorn.config import Config
from gunicorn.http.errors import InvalidHeader, UnsupportedTransferCoding
from gunicorn.http.parser import RequestParser

from procurement.staff.models import Session, User
from tests.at_desk import Desk
from tests.staff.apps_of_people import PASSWORD, with_password

pytestmark = pytest.mark.django_db
SIGN_IN = "/sign-in/"


@pytest.fixture
def https(settings: Any) -> None:
    """Cookies as settings.py makes them for an https address."""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"


def test_every_cookie_is_bound_to_this_host_and_to_https(https: None, support: User) -> None:
    with_password(support)
    client = Client()
    client.get(SIGN_IN, secure=True)
    client.post(SIGN_IN, {"username": support.username, "password": PASSWORD}, secure=True)
    client.post(reverse("preferences"), {"theme": "dark", "zone": "local"}, secure=True)

    for_scripts = {"__Host-theme", "__Host-zone"}
    assert {*for_scripts, "__Host-session", "__Host-csrf", f"__Host-session-known-{support.pk}"} == set(client.cookies)
    for name, cookie in client.cookies.items():
        assert (cookie["secure"], cookie["path"], cookie["domain"], cookie["samesite"]) == (True, "/", "", "Lax"), name
        assert bool(cookie["httponly"]) is (name not in for_scripts), name
    assert 'data-theme="dark"' in client.get("/settings/", secure=True).content.decode()


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"])
def test_a_method_that_no_page_has_is_refused(method: str, support: User) -> None:
    desk = Desk(support)
    for address in ("/", SIGN_IN, "/orders/", "/livez", "/metrics", "/hooks/unknown/", "/preferences/"):
        answer = desk.client.generic(method, address, b"{}", content_type="application/json")

        assert answer.status_code == 405, address
        assert b"Cookie" not in answer.content


@pytest.mark.parametrize(
    "address",
    [
        "/.git/config",
        "/.env",
        "/manage.py",
        "/procurement/settings.py",
        "/static/",
        "/static/css/",
        "/static/../manage.py",
    ],
)
def test_neither_source_nor_a_list_of_files_is_served(address: str, support: User) -> None:
    assert Desk(support).client.get(address).status_code == 404


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (SIGN_IN, "text/html; charset=utf-8"),
        ("/livez", "text/plain; charset=utf-8"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/static/css/countersign.css", 'text/css; charset="utf-8"'),
        ("/static/js/countersign.js", 'text/javascript; charset="utf-8"'),
        ("/static/img/favicon.svg", "image/svg+xml; charset=utf-8"),
        ("/hooks/unknown/", "application/json"),
    ],
)
def test_an_answer_says_what_it_is_and_in_which_characters(address: str, kind: str) -> None:
    assert Client().get(address)["Content-Type"] == kind


def test_a_field_of_a_form_counts_only_in_the_form(support: User) -> None:
    with_password(support)
    client = Client()
    in_address = f"{SIGN_IN}?username={support.username}&password={PASSWORD.replace(' ', '+')}"

    assert client.post(in_address, {}).status_code == 422
    assert client.get(in_address).status_code == 200

    assert not Session.objects.filter(user=support).exists()


def test_signing_out_ends_the_session_at_the_server_and_clears_the_browser(support: User) -> None:
    desk = Desk(support)
    page = desk.open("staff:settings")
    stolen = desk.client.session.session_key

    answer = desk.client.post(page.form("sign-out").action)

    assert answer["Clear-Site-Data"] == '"cache", "storage"'
    assert not Session.objects.filter(user=support).exists()
    thief = Client()
    thief.cookies["sessionid"] = str(stolen)
    assert thief.get("/settings/").status_code == 302


@pytest.mark.parametrize(
    "headers",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Content-Length: 4\r\nContent-Length: 5",
        b"Content-Length: +4",
        b"Transfer-Encoding: xchunked",
    ],
)
def test_the_web_server_refuses_a_message_with_two_ends(headers: bytes) -> None:
    raw = (
        b"POST /sign-in/ HTTP/1.1\r\nHost: countersign.example\r\n"
        + headers
        + b"\r\n\r\n0\r\n\r\nGET /keys/ HTTP/1.1\r\n\r\n"
    )

    with pytest.raises((InvalidHeader, UnsupportedTransferCoding)):
        next(RequestParser(Config(), io.BytesIO(raw), ("203.0.113.7", 1)))


@pytest.mark.parametrize("address", [SIGN_IN, "/settings/", "/static/js/countersign.js", "/hooks/unknown/", "/metrics"])
def test_no_other_site_may_read_an_answer(address: str, support: User) -> None:
    answer = Desk(support).client.get(address, headers={"origin": "https://evil.example"})

    assert [name for name in answer.headers if name.lower().startswith("access-control-")] == []
