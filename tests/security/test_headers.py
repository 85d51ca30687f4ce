"""Every answer tells the browser to run nothing that is not ours; tests/test_url_walk.py holds every address to it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import reverse

from procurement.web.exports import file_response
from tests.security.pages import complaints, inline_code, missing_headers

pytestmark = pytest.mark.django_db
SIGN_IN = "/sign-in/"
ROOT = Path(django_settings.ROOT)


@pytest.mark.requirement("R63")
@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/", 302),
        (SIGN_IN, 200),
        ("/nowhere/", 404),
        ("/livez", 200),
        ("/hooks/unknown/", 405),
        ("/static/css/countersign.css", 200),
        ("/static/js/countersign.js", 200),
        ("/static/nothing.js", 404),
    ],
)
def test_every_kind_of_answer_carries_the_headers(address: str, status: int) -> None:
    answer: Any = Client().get(address)

    assert answer.status_code == status
    assert complaints(answer, stored=address.startswith("/static/")) == ""


def test_a_refused_host_and_a_refused_form_carry_them_too() -> None:
    for answer in (
        Client().get(SIGN_IN, headers={"host": "evil.example"}),
        Client(enforce_csrf_checks=True).post(reverse("login"), {"username": "x"}),
        Client().post("/preferences/", {"next": "\x00"}),
    ):
        assert answer.status_code in {400, 403}
        assert complaints(answer) == ""


def test_a_crash_carries_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    from procurement.desk import health

    monkeypatch.setattr(health, "exposition", lambda: 1 / 0)
    client = Client(raise_request_exception=False)
    answer = client.get("/metrics")

    assert answer.status_code == 500
    assert complaints(answer) == ""


def test_https_answers_bind_the_browser_to_it(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True

    redirected = Client().get(SIGN_IN)
    answer = Client().get(SIGN_IN, secure=True)

    assert (redirected.status_code, complaints(redirected)) == (301, "Cache-Control: absent")
    assert answer["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_a_view_cannot_make_its_answer_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.http import HttpResponse

    from procurement.web.middleware import NeverStoredMiddleware

    stored = HttpResponse("x", headers={"Cache-Control": "public, max-age=3600"})
    answer = NeverStoredMiddleware(lambda request: stored)(Client().get("/livez").wsgi_request)

    assert answer["Cache-Control"] == "no-store, private"


def test_htmx_evaluates_nothing_and_keeps_no_page() -> None:
    html = Client().get(SIGN_IN).content.decode()
    config = json.loads(re.findall(r"<meta name=\"htmx-config\" content='([^']+)'", html)[0])

    assert [config[name] for name in ("allowEval", "allowScriptTags", "includeIndicatorStyles")] == [False] * 3
    assert (config["selfRequestsOnly"], config["historyCacheSize"]) == (True, 0)


def test_our_own_script_makes_no_code_out_of_text() -> None:
    script = (ROOT / "static" / "js" / "countersign.js").read_text(encoding="utf-8")

    assert (
        re.findall(
            r"\beval\(|new Function|document\.write|setTimeout\(\s*[\"'`]|localStorage|sessionStorage"
            r"|\.innerHTML|\.outerHTML|insertAdjacentHTML|postMessage|Object\.assign|JSON\.parse|__proto__",
            script,
        )
        == []
    )


@pytest.mark.parametrize("length", [6 * 1024 * 1024 + 1, 10**15])
def test_a_body_larger_than_any_form_is_refused_unread(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.http import HttpRequest

    monkeypatch.setattr(HttpRequest, "read", lambda *args: pytest.fail("it was read"))
    answer = Client().post(SIGN_IN, {"username": "x"}, CONTENT_LENGTH=length)

    assert (answer.status_code, complaints(answer)) == (413, "")
    assert "Nothing was read or changed" in answer.content.decode()


def test_an_uploaded_file_comes_back_as_a_download_that_runs_nothing() -> None:
    answer = file_response(b"<script>alert(1)</script>", name='a"\r\nX: y.html', media_type="text/html")

    assert answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    assert answer["Content-Disposition"].startswith("attachment; filename")
    assert "\n" not in answer["Content-Disposition"]


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ("<script>alert(1)</script>", ["<script> without src", "code in <script>"]),
        ("<script src='/x.js'>alert(1)</script>", ["code in <script>"]),
        ("<script src='https://cdn.example/x.js'></script>", ["src=https://cdn.example/x.js"]),
        ("<link rel=stylesheet href='//cdn.example/x.css'>", ["href=//cdn.example/x.css"]),
        ("<style>p{}</style>", ["<style>"]),
        ("<p style='color:red'>", ["style="]),
        ("<p OnClick='x()'>", ["onclick="]),
        ("<p hx-on:click='x()'>", ["hx-on:click="]),
        ("<p hx-vals='js:{a: 1}'>", ["hx-vals=js:{a: 1}"]),
        ("<a href=' java\nscript:x()'>", ["href=java\nscript:x()"]),
        ("<img src='data:image/png;base64,AA=='>", ["src=data:image/png;base64,AA=="]),
        ("<iframe src='/x'></iframe>", ["<iframe>"]),
        ("<base href='/x'>", ["<base>"]),
        ("<meta http-equiv='refresh' content='0'>", ["<meta>"]),
        ("<svg><rect onload='x()'/></svg>", ["onload="]),
        ("<a href='https://elsewhere.example/'>a link</a><script src='/x.js'></script>", []),
    ],
)
def test_inline_code_would_be_found(html: str, found: list[str]) -> None:
    assert inline_code(html) == found


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Content-Security-Policy", "default-src 'self'"),
        ("Content-Security-Policy", "default-src 'none'; script-src 'self' 'unsafe-inline'"),
        ("X-Content-Type-Options", ""),
        ("Referrer-Policy", "unsafe-url"),
        ("Cache-Control", "private"),
    ],
)
def test_a_weak_header_would_be_found(name: str, value: str) -> None:
    answer: Any = Client().get(SIGN_IN)
    answer[name] = value

    assert missing_headers(answer)[0].startswith(name)
