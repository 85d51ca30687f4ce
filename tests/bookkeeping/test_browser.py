"""A deposit in a real browser: announced and sent by finance, confirmed by a manager."""

from __future__ import annotations

from typing import Any

import pytest

from procurement.bookkeeping import postings
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.browser import axe, expect, screenshot, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.requirement("R83")
def test_a_deposit_is_announced_sent_and_booked_by_two(
    live_server: Any, page: Any, account: SupplierAccount, finance: User, manager: User
) -> None:
    sign_in(page, live_server, finance)
    page.goto(f"{live_server.url}/ledger/deposits/")
    page.get_by_role("link", name="Announce deposit").click()
    page.get_by_label("Amount to be credited").fill("2,000.00")
    page.get_by_label("Supplier's invoice number").fill("INV-2026-11-0042")
    screenshot(page, "deposit-new")
    axe(page)
    page.get_by_role("button", name="Announce deposit").click()
    page.get_by_label("Transaction id").fill("ab" * 32)
    page.get_by_role("button", name="It is sent").click()
    page.get_by_role("button", name="The network confirmed it").click()
    expect(page.get_by_text("one of these confirms it: Mia Manager")).to_be_visible()
    sign_in(page, live_server, manager)
    page.set_viewport_size({"width": 360, "height": 900})
    page.goto(f"{live_server.url}/ledger/deposits/")
    page.get_by_role("link", name="INV-2026-11-0042").click()
    screenshot(page, "deposit-narrow")
    assert page.evaluate("document.documentElement.scrollWidth <= 360")
    axe(page)
    page.get_by_role("button", name="Book what was credited").click()
    expect(page.get_by_text("The deposit is on the ledger.")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 900})
    axe(page)
    screenshot(page, "deposit-credited")
    assert postings.free_balance("alpha", "USD") == 200_000
