"""A revealed code in a real browser: seen for a moment by one person on one page, and nowhere before, beside or after."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Error as PlaywrightError

from procurement.claims.models import Case
from procurement.orders.models import Code, Reveal
from procurement.staff.models import User
from tests.browser import axe, expect, screenshot, sign_in
from tests.claims.conftest import account, case, code_of, make_code, make_order, wrong_code
from tests.orders.revealing import plain

__all__ = ["account", "case", "make_code", "make_order", "wrong_code"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.django_db(transaction=True)]
# Everything a browser keeps for a page, apart from what it shows.
KEPT = """async () => JSON.stringify([
    {...sessionStorage}, {...localStorage}, document.cookie, history.state, location.href, document.title,
    await caches.keys(), (await indexedDB.databases()).map(one => one.name), performance.getEntries().map(one => one.name)])"""


@pytest.fixture
def code(case: Case) -> Code:
    return code_of(case)


@pytest.fixture
def order_page(live_server: Any, code: Code) -> str:
    return str(live_server.url + reverse("orders:order_detail", args=[code.order_id]))


def shows(page: Any, code: Code) -> bool:
    """Whether the code stands anywhere in the page: text, attributes, fields."""
    texts = [page.content(), page.locator("body").inner_text()]
    return any(plain(code) in text.replace("-", "").replace("\n", "") for text in texts)


def ask(page: Any, code: Code) -> None:
    page.locator(f"#code-{code.pk}").get_by_role("link", name="Reveal").click()
    page.get_by_label("Reason").fill("The customer says that it does not work")


def reveal(page: Any, code: Code) -> Any:
    """Open the dialog from the code's row, say why, reveal; the dialog with the code."""
    ask(page, code)
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Reveal").click()
    expect(dialog.locator("[data-secret]")).to_be_visible()
    return dialog


@pytest.mark.requirement("R62", "R63")
def test_a_code_is_shown_for_30_seconds(
    page: Any, live_server: Any, order_page: str, code: Code, support: User
) -> None:
    sign_in(page, live_server, support)
    page.clock.install()
    page.goto(order_page)
    assert not shows(page, code)
    ask(page, code)
    axe(page, "dialog")
    screenshot(page, "reveal-dialog")
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Reveal").click()
    expect(dialog.locator("[data-secret]")).to_be_visible()
    assert shows(page, code)
    axe(page, "dialog")
    page.clock.run_for(15_000)
    assert shows(page, code)

    page.clock.run_for(16_000)

    expect(dialog.locator("[data-secret]")).to_have_count(0)
    assert not shows(page, code)
    assert page.locator("#status").inner_text() != plain(code)
    assert Reveal.objects.get().outcome == "shown"


@pytest.mark.requirement("R62")
def test_back_reload_and_storage_hold_no_code(
    page: Any, live_server: Any, order_page: str, code: Code, support: User
) -> None:
    sign_in(page, live_server, support)
    page.goto(order_page)
    reveal(page, code)
    assert plain(code) not in page.evaluate(KEPT).replace("-", "")

    page.goto(live_server.url + reverse("overview"))
    assert not shows(page, code)
    page.go_back()
    expect(page.locator("h1")).to_be_visible()
    assert not shows(page, code)
    page.go_forward()
    page.go_back()
    page.reload()

    assert not shows(page, code)
    assert plain(code) not in page.evaluate(KEPT).replace("-", "")
    assert Reveal.objects.count() == 1


@pytest.mark.requirement("R62")
@pytest.mark.parametrize("leave", ["hide", "print", "tab"])
def test_a_code_goes_when_it_is_hidden_printed_or_left(
    page: Any, live_server: Any, order_page: str, code: Code, support: User, leave: str
) -> None:
    sign_in(page, live_server, support)
    page.clock.install()
    page.goto(order_page)
    dialog = reveal(page, code)

    if leave == "hide":
        dialog.locator("[data-hide]").click()
    elif leave == "print":
        page.emulate_media(media="print")
        assert dialog.locator("[data-secret]").evaluate("box => getComputedStyle(box).visibility") == "hidden"
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
    else:
        page.evaluate(
            "Object.defineProperty(document, 'hidden', {get: () => true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        page.clock.run_for(11_000)

    expect(dialog.locator("[data-secret]")).to_have_count(0)
    assert not shows(page, code)


@pytest.mark.requirement("R62")
def test_another_tab_shows_nothing(page: Any, live_server: Any, order_page: str, code: Code, support: User) -> None:
    sign_in(page, live_server, support)
    page.goto(order_page)
    reveal(page, code)
    other = page.context.new_page()
    for address in (order_page, live_server.url + reverse("orders:code_reveal", args=[code.pk])):
        other.goto(address)
        assert not shows(other, code)
        assert plain(code) not in other.evaluate(KEPT).replace("-", "")
    assert shows(page, code)


@pytest.mark.requirement("R62")
def test_after_signing_out_going_back_shows_no_code(
    page: Any, live_server: Any, order_page: str, code: Code, support: User
) -> None:
    sign_in(page, live_server, support)
    page.goto(order_page)
    dialog = reveal(page, code)
    dialog.get_by_role("button", name="Close").click()
    page.evaluate("document.querySelector('form[action*=logout], form[action*=sign-out]').submit()")
    expect(page.locator("input[type=password]")).to_be_visible()
    assert not shows(page, code)

    page.go_back()

    assert not shows(page, code)
    assert plain(code) not in page.evaluate(KEPT).replace("-", "")


@pytest.mark.requirement("R62")
def test_without_scripts_the_code_has_a_page_that_is_shown_once(
    new_page: Callable[..., Any], live_server: Any, order_page: str, code: Code, support: User
) -> None:
    page = new_page(java_script_enabled=False)
    page.expected_messages.append("409")
    sign_in(page, live_server, support)
    page.goto(order_page)
    ask(page, code)
    page.get_by_role("button", name="Reveal").click()
    expect(page.locator("h1")).to_have_text(f"Code ending {code.last4}")
    assert shows(page, code)

    page.reload()
    expect(page.locator("body")).to_contain_text("not shown again")
    assert not shows(page, code)
    page.goto(order_page)
    # The browser would have to send the form again, and says so instead.
    with pytest.raises(PlaywrightError, match="ERR_CACHE_MISS"):
        page.go_back()
    assert Reveal.objects.filter(outcome="shown").count() == 1


@pytest.mark.requirement("R62")
def test_a_code_is_copied_without_being_shown(
    new_page: Callable[..., Any], live_server: Any, case: Case, code: Code, support: User
) -> None:
    page = new_page(permissions=["clipboard-read", "clipboard-write"])
    sign_in(page, live_server, support)
    page.goto(live_server.url + reverse("claims:case_detail", args=[case.pk]))
    page.evaluate(
        "window.seen = []; new MutationObserver(() => seen.push(document.body.innerText))"
        ".observe(document.body, {subtree: true, childList: true, characterData: true})"
    )

    page.get_by_role("button", name="Copy without showing").first.click()
    expect(page.locator("#status")).to_contain_text("Copied")

    assert page.evaluate("navigator.clipboard.readText()").replace("-", "") == plain(code)
    assert plain(code) not in "".join(page.evaluate("window.seen")).replace("-", "")
    assert not shows(page, code)
    assert Reveal.objects.get().how == "copied"


@pytest.mark.requirement("R62")
def test_in_a_case_one_click_reveals_and_the_same_page_reveals_again(
    page: Any, live_server: Any, case: Case, code: Code, support: User
) -> None:
    sign_in(page, live_server, support)
    page.goto(live_server.url + reverse("claims:case_detail", args=[case.pk]))
    for times in (1, 2):
        page.locator("#code").get_by_role("button", name="Reveal").click()
        expect(page.locator("#code [data-secret]")).to_be_visible()
        assert shows(page, code)
        page.locator("#code [data-hide]").click()
        expect(page.locator("#code").get_by_role("button", name="Reveal")).to_be_visible()
        assert not shows(page, code)
        assert Reveal.objects.filter(outcome="shown").count() == times
