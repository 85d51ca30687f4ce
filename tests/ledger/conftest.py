"""One supplier account's books in USD: funds that may not go below zero, cost, and where the money comes from."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.money import Money
from ledger.services import Posted, credit, debit, open_account, post


def usd(minor: int) -> Money:
    return Money(minor, "USD")


def open_books() -> None:
    open_account(code="alpha:funds", name="Alpha funds", currency="USD", role="funds", owner="alpha", floor=0)
    open_account(code="alpha:cost", name="Alpha cost", currency="USD", role="cost", owner="alpha")
    open_account(code="alpha:external", name="Alpha deposits", currency="USD", role="external", owner="alpha")


def deposit(minor: int, key: str = "deposit:1") -> Posted:
    lines = [debit("alpha:funds", usd(minor)), credit("alpha:external", usd(minor))]
    return post(key=key, kind="deposit", lines=lines, reference=("deposit", key))


@pytest.fixture
def books(db: None) -> Callable[..., Posted]:
    """The three accounts, empty; call it to deposit."""
    open_books()
    return deposit
