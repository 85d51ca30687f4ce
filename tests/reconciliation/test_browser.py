"""Signing a day off in a real browser, as finance and as a manager."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.reconciliation.models import Day, SignOff
from procurement.staff.models import User
from tests.browser import axe, expect, screenshot, sign_in
from tests.reconciliation.conftest import NOON, Scene

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGE = "/reconciliation/alpha/USD/2026-11-20/"


@pytest.fixture
def differing(scene: Scene) -> Day:
    scene.buy("ORD-1")
    ghost = scene.order("ORD-2", 900)
    scene.book(ghost, 900, NOON)
    return scene.run()


@pytest.mark.requirement("R93", "R98")
def test_a_planted_difference_is_explained_accepted_and_the_day_signed(
    live_server: Any, page: Any, differing: Day, finance: User, manager: User
) -> None:
    sign_in(page, live_server, finance)
    page.goto(live_server.url + PAGE)
    page.get_by_text("Explain it", exact=True).click()
    page.get_by_label("Cause").select_option("supplier_error")
    page.get_by_label("How do you know?").fill("Their support confirmed the loss, ticket 4711")
    screenshot(page, "signing-explain")
    page.get_by_role("button", name="Note the cause").click()
    expect(page.get_by_text("The supplier’s error, reported.")).to_be_visible()
    sign_in(page, live_server, manager)
    page.goto(live_server.url + PAGE)
    page.get_by_role("button", name="Accept this explanation").click()
    sign_in(page, live_server, finance)
    page.goto(live_server.url + PAGE)
    attach(page, "their-support-on-ticket-4711-and-the-order-that-never-reached-them-with-all-enclosures.pdf")
    page.get_by_role("button", name="Prepare 20 Nov for signing").click()
    sign_in(page, live_server, manager)
    page.goto(live_server.url + PAGE)
    screenshot(page, "signing-sign")
    axe(page)
    page.get_by_role("button", name="Sign off 20 Nov").click()
    expect(page.get_by_text("Signed off").first).to_be_visible()
    attach(page, "invoice-that-came-later.pdf")
    expect(page.get_by_text("added after what was signed")).to_have_count(1)
    screenshot(page, "signing-documents")
    page.get_by_role("link", name="The signed report").click()
    screenshot(page, "signing-report")
    expect(
        page.get_by_text("their-support-on-ticket-4711-and-the-order-that-never-reached-them-with-all-enclosures.pdf")
    ).to_be_visible()
    expect(page.get_by_text("invoice-that-came-later.pdf")).to_have_count(0)
    axe(page)
    page.set_viewport_size({"width": 360, "height": 800})
    screenshot(page, "signing-report-narrow")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert SignOff.objects.get().state == "signed"


def attach(page: Any, name: str) -> None:
    page.get_by_label("Add a document").set_input_files(
        {"name": name, "mimeType": "application/pdf", "buffer": f"%PDF-1.7 {name}".encode()}
    )
    page.get_by_role("button", name="Keep it").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()
