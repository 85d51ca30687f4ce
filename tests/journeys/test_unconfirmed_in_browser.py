"""A lost answer in a real browser: from the banner over the evidence to the verdict of two people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse

from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.staff.models import User
from procurement.suppliers.services import read_balance
from procurement.work.runner import run_due
from tests.browser import axe, expect, sign_in
from tests.orders.conftest import Shop

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.django_db(transaction=True),
]
PHONE = {"width": 360, "height": 800}
TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"


def test_the_list_of_orders_shows_each_status_on_a_phone(
    new_page: Callable[..., Any], live_server: Any, shop: Shop, buyer: User
) -> None:
    for name in ("ORDER-1001", "STOREFRONT-2026-11-000123", "X" * 64):
        drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 20 if name.startswith("X") else 1, name))
    page = new_page(viewport=PHONE)
    sign_in(page, live_server, buyer)

    page.goto(live_server.url + reverse("orders:order_list"))

    boxes = [badge.bounding_box() for badge in page.locator("tbody .badge").all()]
    assert len(boxes) == 3
    assert [box for box in boxes if box["x"] + box["width"] > PHONE["width"]] == []


@pytest.fixture
def lost(shop: Shop, buyer: User) -> Order:
    """An order at PSN:B2B whose answer was lost, and one that waits behind it."""
    shop.sandbox.arm("psnb2b", "answer_lost")
    order = drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b"))
    run_due(kinds=["order.place"])
    drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b", 1))
    read_balance(order.account)
    order.refresh_from_db()
    assert order.state == "unknown"
    return order


@pytest.mark.requirement("R26", "R31")
@pytest.mark.parametrize("scripts", [True, False])
def test_from_the_banner_to_the_verdict_of_two_people(
    new_page: Callable[..., Any],
    live_server: Any,
    shop: Shop,
    lost: Order,
    support: User,
    finance: User,
    scripts: bool,
) -> None:
    remote_id = str(shop.sandbox.orders(supplier="psnb2b")[0]["order_id"])
    first = new_page(java_script_enabled=scripts, viewport=PHONE)
    sign_in(first, live_server, support)
    first.goto(live_server.url + reverse("orders:order_list"))
    banner = first.locator(".lane")
    expect(banner).to_contain_text("PSN:B2B USD takes no new orders since")
    expect(banner).to_contain_text("1 unconfirmed order. 1 order waits.")
    banner.get_by_role("link", name="Decide it").click()
    expect(first.locator("h1")).to_contain_text("was it placed?")
    assert not first.evaluate(TOO_WIDE)
    first.get_by_role("radio", name="The supplier took it, under this order id").check()
    first.get_by_label("Supplier's order id").fill(remote_id)
    first.get_by_label("What proves it?").fill("Their support names it in ticket T-881")
    first.get_by_role("button", name="Propose", exact=True).click()
    expect(first.locator("#verdict")).to_contain_text(f"Sam Support proposes: the supplier took it as {remote_id}")
    expect(first.get_by_role("button", name="Confirm")).to_have_count(0)
    expect(first.locator("#verdict")).to_contain_text("Fay Finance can confirm this.")

    second = new_page(java_script_enabled=scripts)
    sign_in(second, live_server, finance)
    second.goto(live_server.url + reverse("overview"))
    second.get_by_role("link", name="Unconfirmed 1").click()
    second.get_by_role("link", name=str(lost), exact=True).click()
    second.get_by_role("button", name="Confirm").click()

    expect(second.locator(".lead")).to_contain_text("Decided: it is “Waiting for supplier” now.")
    expect(second.locator(".lane")).to_have_count(0)
    lost.refresh_from_db()
    assert (lost.state, lost.remote_id) == ("placed", remote_id)
    assert len(shop.sandbox.orders(supplier="psnb2b")) == 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("who", ["support", "finance", "buyer", "manager"])
def test_the_desk_is_accessible_to_everybody_who_reads_it(
    new_page: Callable[..., Any], live_server: Any, lost: Order, request: pytest.FixtureRequest, theme: str, who: str
) -> None:
    page = new_page(color_scheme=theme)
    sign_in(page, live_server, request.getfixturevalue(who))

    for url in (
        reverse("orders:unconfirmed_list"),
        reverse("orders:unconfirmed_order", args=[lost.pk]),
        reverse("orders:order_detail", args=[lost.pk]),
    ):
        page.set_viewport_size({"width": 1280, "height": 900})
        page.goto(live_server.url + url)
        axe(page)
        page.set_viewport_size(PHONE)
        assert not page.evaluate(TOO_WIDE)
