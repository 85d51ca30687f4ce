"""Supplier pages in a real browser: accessible, and no wider than the window."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.services import read_balance
from tests.browser import axe, screenshot, sign_in
from tests.suppliers.conftest import Script, make_account
from tests.suppliers.test_pages import BALANCE
from tests.suppliers.test_webhooks import post, post_signed, psnb2b_message

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def used(transactional_db: None) -> SupplierAccount:
    account = make_account("psnb2b")
    for amount in ("1250.00", "1100.50", "1320.00"):
        read_balance(account, transport=Script((200, {**BALANCE, "balance": amount})))
    post_signed(account, psnb2b_message())
    post(account, psnb2b_message())
    return account


PAGES = ("account_list", "account_new", "webhook_list")
ACCOUNT_PAGES = ("account_detail", "account_key", "account_settings", "account_pause", "account_webhooks")


def test_pages_are_accessible_and_fit(used: SupplierAccount, admin: Any, page: Any, live_server: Any) -> None:
    sign_in(page, live_server, admin)
    event = WebhookEvent.objects.earliest("received_at")
    addresses = {name: reverse(f"suppliers:{name}") for name in PAGES}
    addresses |= {name: reverse(f"suppliers:{name}", args=[used.pk]) for name in ACCOUNT_PAGES}
    addresses["webhook_detail"] = reverse("suppliers:webhook_detail", args=[event.pk])
    for name, address in addresses.items():
        for width in (360, 1280):
            page.set_viewport_size({"width": width, "height": 900})
            page.goto(live_server.url + address)
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (name, width)
        axe(page)
        screenshot(page, f"suppliers-{name}")
