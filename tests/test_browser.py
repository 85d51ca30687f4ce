"""The browser tools themselves: a break of the page, of accessibility or of the policy fails the test that saw it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from procurement.staff.models import User
from tests.browser import SCREENSHOTS, axe, expect, screenshot, sign_in


@pytest.mark.django_db(transaction=True)
def test_a_signed_in_person_sees_a_page_without_violations(
    page: Any, live_server: Any, buyer: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SCREENSHOTS", "1")
    sign_in(page, live_server, buyer)
    page.goto(live_server.url + reverse("overview"))

    expect(page.locator("h1")).to_be_visible()
    axe(page)
    screenshot(page, "smoke")
    assert (SCREENSHOTS / "smoke.png").stat().st_size > 1000


def test_the_database_guard_stays_on(page: Any) -> None:
    page.set_content("<title>Hello</title>")

    assert "DJANGO_ALLOW_ASYNC_UNSAFE" not in os.environ
    assert page.title() == "Hello"
    assert page._thread.submit(threading.get_ident).result() != threading.get_ident()


def test_an_error_in_the_console_is_a_complaint(new_page: Callable[..., Any]) -> None:
    page = new_page()
    page.evaluate("console.error('broken'); setTimeout(() => { throw new Error('thrown') })")
    page.wait_for_timeout(50)
    page.expected_messages.append("broken")

    assert [complaint.splitlines()[0] for complaint in page.close()] == ["Uncaught: thrown"]
    page.expected_messages.append("thrown")


def test_axe_finds_a_picture_without_words(page: Any) -> None:
    picture = '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
    page.set_content(f'<html lang="en"><title>t</title><main><h1>Heading</h1>{picture}</main></html>')

    with pytest.raises(AssertionError, match="image-alt"):
        axe(page)


def test_a_page_waits_for_what_happens_in_it(page: Any) -> None:
    page.set_content("<button>Press</button>")
    page.evaluate("document.querySelector('button').onclick = () => console.log('pressed')")
    with page.expect_console_message() as message:
        page.get_by_role("button").click()

    assert message.value.text == "pressed"
