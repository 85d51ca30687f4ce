"""The navigation shows what a person may open and what waits for them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from procurement.web import nav

pytestmark = pytest.mark.django_db


def labels(user: Any, path: str = "/") -> list[str]:
    return [entry.label for group in nav.navigation_for(user, path) for entry in group.entries]


def current(user: Any, path: str) -> list[str]:
    return [entry.label for group in nav.navigation_for(user, path) for entry in group.entries if entry.current]


def test_entries_without_permission_or_page_are_absent(
    shell_urls: None, support: Any, finance: Any, outsider: Any
) -> None:
    assert labels(outsider) == ["Overview"]
    assert labels(support) == ["Overview", "Orders"]
    assert labels(finance) == ["Overview", "Orders", "Ledger"]


def test_groups_without_entries_are_absent(shell_urls: None, support: Any) -> None:
    assert [group.label for group in nav.navigation_for(support, "/")] == ["Work"]


@pytest.mark.parametrize(
    ("path", "entry"), [("/", ["Overview"]), ("/orders/", ["Orders"]), ("/orders/7/", ["Orders"]), ("/resume/", [])]
)
def test_the_current_entry_is_marked(shell_urls: None, buyer: Any, path: str, entry: list[str]) -> None:
    assert current(buyer, path) == entry


def test_a_count_appears_only_when_something_waits(
    shell_urls: None, buyer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nav, "_counts", {})
    waiting = {"number": 3}
    nav.nav_count("orders:order_list")(lambda user: waiting["number"])
    client = Client()
    client.force_login(buyer)

    assert 'class="count">3<' in client.get("/").content.decode()
    waiting["number"] = 0
    assert 'class="count"' not in client.get("/").content.decode()


def test_the_sandbox_is_marked_and_live_is_not(shell_urls: None, buyer: Any, settings: Any) -> None:
    client = Client()
    client.force_login(buyer)

    assert "<title>[Sandbox] " in client.get("/").content.decode()
    settings.ENVIRONMENT = "live"
    assert "Sandbox" not in client.get("/").content.decode()
