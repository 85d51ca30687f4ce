"""Every page in a real browser, light and dark, wide and narrow; and the clicks that matter most."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.staff.models import User
from tests.browser import axe, expect, screenshot, sign_in
from tests.conftest import make_person
from tests.orders.conftest import Shop, run_until_settled
from tests.test_url_walk import ADDRESSES, url_of
from tests.world import World, build_world

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
# Tables that stick out of their panel instead of scrolling in it.
OUT_OF_PANEL = """[...document.querySelectorAll('.table-region')]
    .filter(region => getComputedStyle(region).overflowX === 'visible' && region.scrollWidth > region.clientWidth + 1)
    .map(region => region.getAttribute('aria-labelledby'))"""
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 360, "height": 800}
# Addresses that are no page of their own: actions, parts, and those other tests look at. Downloads are known by their header.
NO_PAGES = re.compile(
    r"(logout|resume|stay|preferences|gallery|login|livez|readyz|metrics|suppliers:hook|orders:order_status"
    r"|onboarding:probe_products)$"
)
GROUPS = {
    "orders": ("approvals", "orders", "", "staff"),
    "cases": ("claims",),
    "catalogue": ("catalog", "audit"),
    "money": ("bookkeeping", "reconciliation"),
    "system": ("suppliers", "terms", "onboarding"),
    "people": ("people", "custody"),
}


@pytest.fixture
def world(shop: Shop, buyer: User, support: User) -> World:
    return build_world(shop, buyer, support, make_person("dora_drafter", "buyer"))


def pages_of(world: World, group: str, client: Any) -> list[tuple[str, str]]:
    """The addresses of a group that show a page, by name."""
    found = []
    for name, arguments in ADDRESSES:
        namespace = name.rpartition(":")[0]
        if namespace in GROUPS[group] and not NO_PAGES.match(name):
            url = url_of(world, name, arguments)
            answer = client.get(url)
            if answer.status_code == 200 and not answer.has_header("Content-Disposition"):
                found.append((name, url))
    return found


@pytest.mark.any_database
@pytest.mark.parametrize("group", list(GROUPS))
def test_every_page_is_accessible_and_fits_a_phone(
    world: World,
    client: Any,
    all_roles: User,
    new_page: Callable[..., Any],
    live_server: Any,
    group: str,
) -> None:
    client.force_login(all_roles)
    page = new_page(viewport=WIDE)
    sign_in(page, live_server, all_roles)
    too_wide: list[str] = []
    for name, url in pages_of(world, group, client):
        page.set_viewport_size(WIDE)
        page.emulate_media(color_scheme="light")
        page.goto(live_server.url + url)
        axe(page)
        too_wide += [f"{name} {part}" for part in page.evaluate(OUT_OF_PANEL)]
        screenshot(page, f"light-1280-{name.replace(':', '-')}")
        # The dark page differs in nothing but its colours.
        page.emulate_media(color_scheme="dark")
        axe(page, None, "color-contrast")
        page.set_viewport_size(NARROW)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            too_wide.append(name)
        screenshot(page, f"dark-360-{name.replace(':', '-')}")
    assert too_wide == []


@pytest.fixture
def stored(shop: Shop, buyer: User) -> Order:
    """A delivered order with two codes."""
    return run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 2)))


@pytest.mark.requirement("R35")
@pytest.mark.parametrize("scripts", [True, False])
def test_an_order_is_placed_by_clicking(
    new_page: Callable[..., Any], live_server: Any, shop: Shop, buyer: User, scripts: bool
) -> None:
    page = new_page(java_script_enabled=scripts, viewport=WIDE)
    sign_in(page, live_server, buyer)
    page.goto(live_server.url + reverse("orders:order_list"))
    page.get_by_role("link", name="New order").first.click()
    page.get_by_label("SKU").fill("us-50")
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Check order").click()
    expect(page.locator("h1")).to_contain_text("Check order")
    if scripts:
        axe(page)
        screenshot(page, "journey-check-order")
    page.get_by_role("button", name="Place order").click()

    expect(page.locator(".badge").first).to_contain_text("Approved")
    assert Order.objects.get().state == "approved"


@pytest.mark.requirement("R35")
def test_an_order_is_approved_by_clicking(page: Any, live_server: Any, shop: Shop, buyer: User, manager: User) -> None:
    order = drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 20))
    sign_in(page, live_server, manager)
    page.goto(live_server.url + reverse("overview"))
    page.get_by_role("link", name=re.compile("^Decide")).click()
    page.get_by_role("link", name=str(order)).click()
    expect(page.locator("#decision")).to_be_visible()
    page.get_by_role("button", name=re.compile("^Approve")).click()

    expect(page.locator("#messages")).to_contain_text(f"Approved {order}")
    order.refresh_from_db()
    assert order.state == "approved"


def test_slash_searches_for_the_last_four(page: Any, live_server: Any, stored: Order, support: User) -> None:
    code = stored.codes.order_by("position")[0]
    sign_in(page, live_server, support)
    page.goto(live_server.url + reverse("overview"))
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type(code.last4.lower())
    page.keyboard.press("Enter")

    expect(page.locator("h1")).to_contain_text(str(stored))
    expect(page.locator(f"#code-{code.pk}")).to_be_visible()
    assert code.last4 not in page.url.replace(f"last4={code.last4}", "")
