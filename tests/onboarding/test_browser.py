"""A probe and the checklist in a real browser, as an administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from procurement.onboarding.models import ChecklistTick, ProbeRun
from procurement.staff.models import User
from tests.browser import axe, expect, screenshot, sign_in
from tests.onboarding.conftest import probed, work_probe
from tests.orders.conftest import Shop

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.requirement("R106")
def test_a_probe_is_watched_from_its_start_to_what_it_found(
    live_server: Any, page: Any, shop: Shop, admin: User
) -> None:
    shop.sandbox.arm("psnb2b", "html_502", where="read")
    probed(shop, "psnb2b", read_only=True)
    sign_in(page, live_server, admin)
    page.goto(f"{live_server.url}/accounts/{shop.accounts['psnb2b'].pk}/")
    page.get_by_role("link", name="Contract and probes").click()
    page.get_by_role("button", name="Probe everything").click()
    expect(page.get_by_text("Running.")).to_be_visible()
    screenshot(page, "probe-running")
    axe(page)

    work_probe(shop, ProbeRun.objects.get(state="running"))

    expect(page.locator("#probe-badge")).to_have_text("Passed")
    expect(page.get_by_role("heading", name="Clauses")).to_be_visible()
    screenshot(page, "probe-ended")
    axe(page)
    page.get_by_label("Breadcrumb").get_by_text("Contract").click()
    expect(page.get_by_role("link", name="Contradicted")).to_be_visible()
    screenshot(page, "contract")
    axe(page)


@pytest.mark.requirement("R114")
def test_the_checklist_is_ticked_on_a_small_dark_screen_without_javascript(
    live_server: Any, new_page: Callable[..., Any], shop: Shop, admin: User
) -> None:
    page = new_page(viewport={"width": 360, "height": 740}, color_scheme="dark", java_script_enabled=False)
    sign_in(page, live_server, admin)
    page.goto(f"{live_server.url}/accounts/{shop.accounts['alpha'].pk}/checklist/")
    page.get_by_label("How you know: Exchanging the key was tried once").fill("Done on Friday")
    page.get_by_role("button", name="Tick Exchanging the key was tried once").click()
    expect(page.get_by_text("Ada Admin: Done on Friday")).to_be_visible()
    screenshot(page, "checklist-small")
    assert ChecklistTick.objects.get().line == "rotation"
    for address in ("checklist", "contract"):
        page.goto(f"{live_server.url}/accounts/{shop.accounts['alpha'].pk}/{address}/")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        screenshot(page, f"{address}-360")
