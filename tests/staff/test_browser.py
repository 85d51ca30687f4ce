"""Signing in with a second factor and proving it again, in a real browser: light and dark, wide and narrow."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.staff.models import User
from tests.browser import axe, expect, screenshot
from tests.staff.apps_of_people import PASSWORD, Phone, seed_in, with_password

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NARROW_AND_DARK = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}


@pytest.mark.requirement("R63")
@pytest.mark.parametrize("options", [{}, NARROW_AND_DARK], ids=["wide", "narrow"])
def test_set_up_an_app_sign_in_with_it_and_prove_it_again(
    new_page: Any, live_server: Any, support: User, settings: Any, options: dict[str, Any]
) -> None:
    settings.FACTOR_REQUIRED = True
    with_password(support)
    page, name = new_page(**options), "narrow" if options else "wide"

    def seen(part: str) -> None:
        axe(page)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{part} is wider than the screen"
        screenshot(page, f"sign-in-{part}-{name}")

    def give_password() -> None:
        page.goto(f"{live_server.url}/sign-in/")
        page.get_by_label("Username").fill(support.username)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()

    give_password()
    expect(page.locator("h1")).to_have_text("Second factor")
    page.get_by_role("button", name="Set up an authenticator app").click()
    seen("set-up")
    phone = Phone(seed_in(page.locator(".seed").inner_text()), [])
    page.locator("[name=proof]").fill(phone.code(-1))
    page.get_by_role("button", name="Use this app").click()
    expect(page.locator(".recovery-codes li")).to_have_count(10)
    seen("recovery-codes")

    page.context.clear_cookies()
    give_password()
    expect(page.locator("h1")).to_have_text("Your code")
    page.expected_messages.append("422")
    page.locator("[name=proof]").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator(".problem")).to_contain_text("This code is wrong")
    seen("code")
    page.locator("[name=proof]").fill(phone.code())
    page.get_by_role("button", name="Sign in").click()

    page.goto(f"{live_server.url}/me/sessions/")
    expect(page.locator("tbody tr")).to_have_count(2)
    seen("sessions")
    page.goto(f"{live_server.url}/me/password/")
    seen("password")
    page.goto(f"{live_server.url}/me/confirm/?next=/me/factor/")
    seen("step-up")
    page.locator("[name=proof]").fill(phone.code(1))
    page.get_by_role("button", name="Confirm").click()
    expect(page.locator("h1")).to_have_text("Second factor")
    seen("factor")
