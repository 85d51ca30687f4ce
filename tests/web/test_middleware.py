"""Headers, request ids and refusals."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client

from procurement.web.request_id import LineFormatter, RequestIdFilter, begin, current_request_id

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("path", ["/", "/public/", "/login/", "/nowhere/"])
def test_every_answer_has_a_strict_policy_and_is_not_stored(signed_in: Client, path: str) -> None:
    response = signed_in.get(path)

    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert "no-store" in response["Cache-Control"]
    assert "HX-Request" in response["Vary"]
    assert response["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("name", "status"),
    [("Missing", 404), ("NotAllowed", 403), ("Refused", 422), ("StaleState", 409), ("Unavailable", 503)],
)
def test_a_refusal_is_a_page_with_its_sentence_and_status(signed_in: Client, name: str, status: int) -> None:
    response = signed_in.get(f"/raise/{name}/")

    assert response.status_code == status
    assert "The price rose. Nothing was approved." in response.content.decode()
    assert "<h1>" in response.content.decode()


def test_htmx_gets_the_refusal_as_a_fragment_marked_as_one(signed_in: Client) -> None:
    response = signed_in.get("/raise/StaleState/", headers={"HX-Request": "true"})

    assert response.status_code == 409
    assert response["X-Refusal"] == "1"
    assert response.content.decode().count("The price rose.") == 1
    assert "<html" not in response.content.decode()


def test_unknown_pages_are_answered_in_a_sentence(signed_in: Client) -> None:
    response = signed_in.get("/nowhere/")

    assert response.status_code == 404
    assert "There is no page at this address" in response.content.decode()


def test_a_crash_shows_a_reference_and_no_values(signed_in: Client) -> None:
    signed_in.raise_request_exception = False
    response = signed_in.get("/crash/")

    assert response.status_code == 500
    assert response["X-Request-ID"] in response.content.decode()
    assert "secret-value" not in response.content.decode()


def test_a_form_without_its_token_is_refused_in_words(shell_urls: None, buyer: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(buyer)
    response = client.post("/save/", {"note": "hello"})

    assert response.status_code == 403
    assert "Nothing was changed" in response.content.decode()
    buyer.refresh_from_db()
    assert buyer.display_name != "hello"


def test_a_request_id_is_made_kept_when_harmless_and_replaced_when_not(signed_in: Client) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", signed_in.get("/")["X-Request-ID"])
    assert signed_in.get("/", headers={"X-Request-ID": "abc-12345"})["X-Request-ID"] == "abc-12345"
    assert "<" not in signed_in.get("/", headers={"X-Request-ID": "<script>alert</script>"})["X-Request-ID"]


def test_log_lines_carry_the_request_id() -> None:
    identifier = begin("request-0001")
    record = logging.LogRecord("n", logging.INFO, "", 1, "", None, None)

    assert RequestIdFilter().filter(record)
    assert record.__dict__["request_id"] == identifier == current_request_id()


def test_nobody_writes_an_entry_of_their_own_into_the_log() -> None:
    forged = "Eve\n2026-11-21T12:00:00.000Z INFO audit head 6: abc\r\x1b[2J\u2028"
    entry = {"name": "n", "levelname": "INFO", "msg": "by %s", "args": (forged,), "created": 0.5, "msecs": 500.0}
    formatters: Any = django_settings.LOGGING["formatters"]
    line = formatters["line"]
    assert line["()"].endswith(LineFormatter.__qualname__)

    said = LineFormatter(line["fmt"], style="{").format(logging.makeLogRecord({**entry, "request_id": "-"}))

    assert said == (
        "1970-01-01T00:00:00.500Z INFO n [-] by Eve\n    2026-11-21T12:00:00.000Z INFO audit head 6: abc\\r\\x1b[2J\\u2028"
    )


def test_who_tried_what_they_may_not_is_in_the_log(signed_in: Client, caplog: pytest.LogCaptureFixture) -> None:
    signed_in.get("/raise/NotAllowed/")
    signed_in.get("/raise/Refused/")

    person = signed_in.session["_auth_user_id"]
    assert [record.getMessage() for record in caplog.records if record.name == "procurement.web.middleware"] == [
        f"Person {person} may not GET /raise/NotAllowed/"
    ]


def test_the_same_url_gives_a_page_or_a_fragment(signed_in: Client) -> None:
    page = signed_in.get("/").content.decode()
    fragment = signed_in.get("/", headers={"HX-Request": "true"}).content.decode()

    assert "<html" in page
    assert "a fragment" in fragment
    assert "<html" not in fragment


def test_history_restore_gets_the_full_page(signed_in: Client) -> None:
    headers = {"HX-Request": "true", "HX-History-Restore-Request": "true"}

    assert "<html" in signed_in.get("/", headers=headers).content.decode()


@pytest.mark.parametrize(
    ("name", "value"), [("theme", "dark"), ("density", "compact"), ("zone", "local"), ("keys", "off")]
)
def test_a_preference_is_kept_and_shown_by_the_page(signed_in: Client, name: str, value: str) -> None:
    response = signed_in.post("/preferences/", {name: value, "next": "/ledger/"})

    assert response["Location"] == "/ledger/"
    assert f'data-{name}="{value}"' in signed_in.get("/").content.decode()


def test_a_preference_outside_the_choices_is_ignored(signed_in: Client) -> None:
    response = signed_in.post("/preferences/", {"theme": '"><script>', "next": "https://evil.example/"})

    assert response["Location"] == "/"
    assert not response.cookies


def test_the_gallery_is_absent_in_a_live_installation(shell_urls: None, settings: Any) -> None:
    settings.ENVIRONMENT = "live"

    assert Client().get("/gallery/").status_code == 404


def test_crash_reports_hold_no_values(signed_in: Client, settings: Any, mailoutbox: Any) -> None:
    from django.test import RequestFactory
    from django.views.debug import ExceptionReporter

    code = "SECRETCODE42"
    try:
        int(f"{code!r}")
    except ValueError:
        import sys

        request = RequestFactory().post("/save/", {"code": code})
        report = ExceptionReporter(request, *sys.exc_info()).get_traceback_data()

    assert all(not frame["vars"] for frame in report["frames"])
    assert not list(report["filtered_POST_items"])
