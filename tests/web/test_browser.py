"""The shell in a real browser: looks, keys, clipboard, codes that hide, errors beside the control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from procurement.staff.models import User
from tests.browser import axe, expect, sign_in
from tests.web.urls import CODE

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Open = Callable[..., Any]


@pytest.fixture
def site(settings: Any, live_server: Any) -> str:
    settings.ROOT_URLCONF = "tests.web.urls"
    own = settings.ROOT / "tests" / "web" / "templates"
    settings.TEMPLATES = [{**engine, "DIRS": [*engine["DIRS"], own]} for engine in settings.TEMPLATES]
    return str(live_server.url)


@pytest.fixture
def open_at(site: str, new_page: Open, live_server: Any, buyer: User) -> Open:
    """Open a path signed in: `open_at("/code/", viewport=...)`."""

    def open_path(path: str, **options: Any) -> Any:
        page = new_page(**options)
        sign_in(page, live_server, buyer)
        page.goto(site + path)
        return page

    return open_path


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 360])
def test_every_part_is_accessible_in_both_themes(open_at: Open, scheme: str, width: int) -> None:
    axe(open_at("/gallery/", viewport={"width": width, "height": 900}, color_scheme=scheme))


@pytest.mark.parametrize("width", [320, 360, 768, 1280, 1920])
def test_no_page_scrolls_sideways(open_at: Open, width: int) -> None:
    page = open_at("/gallery/", viewport={"width": width, "height": 900})

    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_targets_are_large_enough(open_at: Open) -> None:
    page = open_at("/gallery/")
    small = page.evaluate(
        """[...document.querySelectorAll('button, .button, select, input:not([type=hidden])')]
        .filter(e => e.checkVisibility() && !e.matches('[type=checkbox],[type=radio],[type=file],.apply'))
        .filter(e => { const r = e.getBoundingClientRect(); return r.height > 1 && (r.height < 24 || r.width < 24) })
        .map(e => e.outerHTML.slice(0, 80))"""
    )

    assert small == []


def test_the_sign_in_page_is_accessible(site: str, page: Any) -> None:
    page.goto(site + "/login/")
    axe(page)
    page.get_by_label("Username").fill("nobody")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text("There is a problem")


def test_a_code_is_copied_without_being_in_the_page(open_at: Open) -> None:
    page = open_at("/code/", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy without showing").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == CODE
    assert "A0BC" not in page.content()


def test_a_revealed_code_takes_focus_and_hides_by_itself(open_at: Open) -> None:
    page = open_at("/code/")
    assert "A0BC" not in page.content()
    page.get_by_role("button", name="Reveal").click()

    expect(page.locator("[data-secret]")).to_have_text(CODE)
    expect(page.locator("#code-7")).to_be_focused()
    expect(page.locator("#status")).to_have_text("Code revealed")
    expect(page.locator("#code-7")).to_contain_text("••••-••••-ZZ42", timeout=5000)
    assert "A0BC" not in page.content()


@pytest.mark.parametrize("leave", ["pagehide", "beforeprint"])
def test_a_revealed_code_hides_on_leaving_and_printing(open_at: Open, leave: str) -> None:
    page = open_at("/code/")
    page.get_by_role("button", name="Reveal").click()
    page.locator("[data-secret]").wait_for()
    page.evaluate(f"window.dispatchEvent(new Event({leave!r}))")

    assert "A0BC" not in page.content()


def test_a_revealed_code_is_not_there_after_going_back(open_at: Open) -> None:
    page = open_at("/code/")
    page.get_by_role("button", name="Reveal").click()
    page.locator("[data-secret]").wait_for()
    page.get_by_role("link", name="Elsewhere").click()
    page.go_back()

    assert "A0BC" not in page.content()
    assert "A0BC" not in page.evaluate("JSON.stringify(sessionStorage) + JSON.stringify(localStorage)")


def test_keeping_a_code_shown_and_hiding_it_by_hand(open_at: Open) -> None:
    page = open_at("/code/")
    page.get_by_role("button", name="Reveal").click()
    page.get_by_role("button", name="Keep shown").click()
    page.wait_for_timeout(2500)
    expect(page.locator("[data-secret]")).to_have_text(CODE)
    page.get_by_role("link", name="Hide").click()

    expect(page.get_by_role("button", name="Reveal")).to_be_visible()
    assert "A0BC" not in page.content()


def test_a_form_sent_twice_saves_once(open_at: Open) -> None:
    page = open_at("/forms/")
    page.get_by_label("Note").fill("kept")
    page.evaluate("const b = document.querySelector('#plain button'); b.click(); b.click()")
    page.wait_for_url("**/saved/kept/")

    assert User.objects.filter(display_name="kept", username__startswith="kept").count() == 1


def test_a_refusal_stands_beside_its_control_and_the_page_stays(open_at: Open) -> None:
    page = open_at("/forms/")
    page.expected_messages.append("409")
    page.locator("#refused-go").click()

    expect(page.locator("#refused .request-error")).to_have_text("The price rose. Nothing was approved.")
    expect(page.locator("#refused-go")).to_be_focused()


def test_a_failure_says_what_failed_and_is_not_swapped_in(open_at: Open) -> None:
    page = open_at("/forms/")
    page.expected_messages.append("500")
    page.locator("#failing-go").click()

    expect(page.locator("#failing .request-error")).to_contain_text("We do not know whether it was done.")
    assert page.get_by_text("Internal").count() == 0


def test_a_dialog_opens_with_focus_and_gives_it_back(open_at: Open) -> None:
    page = open_at("/forms/")
    page.locator("#opener").click()
    expect(page.get_by_role("dialog", name="Pause account")).to_be_visible()
    axe(page)
    page.keyboard.press("Escape")

    expect(page.locator("#opener")).to_be_focused()


def test_keys_search_go_and_walk_rows(open_at: Open) -> None:
    page = open_at("/people/")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("jg")
    assert page.input_value("#search") == "jg"
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="ben_buyer")).to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url("**/orders/")


def test_single_keys_can_be_switched_off(open_at: Open) -> None:
    page = open_at("/people/")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Off").click()
    page.reload()
    page.keyboard.press("/")

    assert page.evaluate("document.activeElement.id") != "search"
    page.keyboard.press("Control+k")
    expect(page.locator("#search")).to_be_focused()


def test_filtering_swaps_the_rows_keeps_focus_and_says_the_count(open_at: Open, person: Any) -> None:
    for name in ("anna", "hannah", "zoe"):
        person(name)
    page = open_at("/people/?sort=-name")
    page.get_by_label("Search", exact=True).press_sequentially("ann", delay=20)

    expect(page.locator("#list-count")).to_have_text("2 people")
    expect(page.locator("#status")).to_have_text("2 people")
    expect(page.locator("#f-q")).to_be_focused()
    assert page.url.endswith("/people/?sort=-name&q=ann")
    page.reload()
    expect(page.locator("#list-count")).to_have_text("2 people")
    page.get_by_role("link", name="Remove filter Search: ann").click()
    expect(page.locator("#list-count")).to_have_text("4 people")


def test_lists_work_without_scripts(open_at: Open, person: Any) -> None:
    person("anna")
    page = open_at("/people/", java_script_enabled=False)
    page.get_by_label("Search", exact=True).fill("anna")
    page.get_by_role("button", name="Apply").click()

    expect(page.locator("#list-count")).to_have_text("1 person")
    assert not page.locator(".js-only").first.is_visible()


def test_times_switch_to_the_readers_zone_and_back(open_at: Open, buyer: User) -> None:
    page = open_at("/people/", timezone_id="Asia/Tokyo")
    utc = page.locator("tbody time").first.text_content()
    page.get_by_role("button", name="UTC").click()
    local = page.locator("tbody time").first.text_content()

    assert local != utc
    page.reload()
    expect(page.locator("tbody time").first).to_have_text(local)


def test_the_theme_is_chosen_by_hand_and_remembered(open_at: Open) -> None:
    page = open_at("/people/", color_scheme="light")
    page.locator(".user-menu summary").click()
    page.get_by_role("button", name="Dark").click()
    page.reload()

    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(14, 17, 21)"


def test_a_page_loads_few_and_small_files(open_at: Open) -> None:
    page = open_at("/people/")
    files = page.evaluate("performance.getEntriesByType('resource').map(e => e.name.split('/').pop())")

    assert len(files) <= 4


def test_the_end_of_the_session_is_announced_and_can_be_moved(open_at: Open) -> None:
    page = open_at("/forms/")
    page.clock.install()
    page.reload()
    page.clock.fast_forward("28:30")
    page.clock.run_for(6000)
    expect(page.locator("#session-end")).to_contain_text("You will be signed out in 2 minutes.")
    page.get_by_role("button", name="Stay signed in").click()

    expect(page.locator("#session-end")).to_have_count(0)
