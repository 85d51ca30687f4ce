"""The navigation as data: groups, entries, who sees them, and counts of what waits for this person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.urls import NoReverseMatch, resolve, reverse
from django.urls.exceptions import Resolver404

Count = Callable[[Any], int]


@dataclass(frozen=True)
class Entry:
    """One line of the navigation; shown when the URL name resolves and the person holds one of the permissions."""

    label: str
    url_name: str
    icon: str
    permissions: tuple[str, ...] = ()
    shortcut: str = ""


@dataclass(frozen=True)
class Group:
    label: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class ShownEntry:
    label: str
    url: str
    icon: str
    shortcut: str
    current: bool
    count: int


@dataclass(frozen=True)
class ShownGroup:
    label: str
    entries: list[ShownEntry]


NAV: tuple[Group, ...] = (
    Group(
        "Work",
        (
            Entry("Overview", "overview", "squares-2x2"),
            Entry("Orders", "orders:order_list", "shopping-cart", ("order:view",), "o"),
            Entry("Unconfirmed", "orders:unconfirmed_list", "question-mark-circle", ("order:view",), "u"),
            Entry("Approvals", "approvals:request_list", "check-badge", ("approval:view",), "a"),
            Entry("Cases", "claims:case_list", "lifebuoy", ("case:view",), "c"),
        ),
    ),
    Group(
        "Catalogue",
        (
            Entry("Products and prices", "catalog:product_list", "tag", ("catalog:view",), "p"),
            Entry("SKU mapping", "catalog:sku_list", "link", ("mapping:view",), "m"),
        ),
    ),
    Group(
        "Money",
        (
            Entry("Ledger", "bookkeeping:ledger", "scale", ("ledger:view",), "l"),
            Entry("Deposits", "bookkeeping:deposit_list", "banknotes", ("ledger:view",)),
            Entry("Reconciliation", "reconciliation:day_list", "arrows-right-left", ("reconciliation:view",), "r"),
        ),
    ),
    Group(
        "System",
        (
            Entry("Supplier accounts", "suppliers:account_list", "building-storefront", ("account:view",)),
            Entry("Webhooks", "suppliers:webhook_list", "bolt", ("webhook:view",), "w"),
            Entry("Unusual reveals", "orders:alert_list", "eye", ("audit:view",)),
            Entry("Keys", "custody:key_list", "key", ("key:view",)),
            Entry("Audit", "audit:event_list", "document-magnifying-glass", ("audit:view",)),
            Entry("People", "people:person_list", "users", ("people:manage",)),
            Entry("Settings", "staff:settings", "cog-6-tooth"),
        ),
    ),
)

_counts: dict[str, Count] = {}


def nav_count(url_name: str) -> Callable[[Count], Count]:
    """Register how many things behind `url_name` wait for a person's own action; zero shows nothing.

    The function gets the user and must be cheap: it runs on every full page.
    """

    def register(count: Count) -> Count:
        _counts[url_name] = count
        return count

    return register


def navigation_for(user: Any, path: str) -> list[ShownGroup]:
    """The groups this person sees, the entry of `path` marked as current; empty groups are left out."""
    current = _current_entry(path)
    shown = [ShownGroup(group.label, _shown_entries(group, user, current)) for group in NAV]
    return [group for group in shown if group.entries]


def _shown_entries(group: Group, user: Any, current: str) -> list[ShownEntry]:
    entries = []
    for entry in group.entries:
        url = _url(entry.url_name)
        if url and _may_see(entry, user):
            count = _counts[entry.url_name](user) if entry.url_name in _counts else 0
            entries.append(ShownEntry(entry.label, url, entry.icon, entry.shortcut, entry.url_name == current, count))
    return entries


def _may_see(entry: Entry, user: Any) -> bool:
    return not entry.permissions or any(user.can(permission) for permission in entry.permissions)


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""


def _current_entry(path: str) -> str:
    """The entry whose list the path belongs to: the longest entry URL that begins it, else the same namespace."""
    entries = [(entry.url_name, _url(entry.url_name)) for group in NAV for entry in group.entries]
    owners = [
        (len(url), name) for name, url in entries if url and (path == url or (url != "/" and path.startswith(url)))
    ]
    if owners:
        return max(owners)[1]
    try:
        namespace = resolve(path).namespace
    except Resolver404:
        return ""
    return next((name for name, url in entries if url and namespace and name.startswith(f"{namespace}:")), "")
