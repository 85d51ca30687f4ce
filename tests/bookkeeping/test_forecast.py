"""How long the free balance lasts, and who is told when it does not last long."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from procurement.bookkeeping import deposits, forecast
from procurement.bookkeeping.forecast import Cover
from procurement.desk.metrics import exposition
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.bookkeeping.conftest import UsdBooks

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


@pytest.fixture
def spent(books: UsdBooks) -> UsdBooks:
    """1,000.00 came, and 70.00 went on each of five of the last days, and on today."""
    with time_machine.travel(NOW - timedelta(days=30), tick=False):
        books.fund(100_000)
        books.purchase("old", 9_000)
    for back in (14, 9, 5, 2, 1, 0):
        with time_machine.travel(NOW - timedelta(days=back), tick=False):
            books.purchase(str(back), 7_000)
    return books


def cover(account: SupplierAccount) -> Cover:
    with time_machine.travel(NOW, tick=False):
        return next(one for one in forecast.covers() if one.book.account == account)


def test_cover_is_what_is_free_at_the_spending_of_the_last_whole_days(spent: UsdBooks) -> None:
    found = cover(spent.account)
    assert (found.free, sum(found.spent), found.spent[0], found.spent[-1]) == (49_000, 35_000, 7_000, 7_000)
    assert (found.a_day, found.days, found.is_low) == (2_500, 19, False)
    assert found.sentence == "At 25.00 USD a day, as in the last 14 days, the free balance lasts 19 days, to 10 Dec."
    assert found.points[:2] == [("21 Nov", 490.0), ("22 Nov", 465.0)]


def test_what_is_held_does_not_last(spent: UsdBooks) -> None:
    spent.hold("x", 44_000)
    found = cover(spent.account)
    assert (found.free, found.days, found.is_low) == (5_000, 2, True)
    spent.hold("y", 5_000)
    assert "does not last another day" in cover(spent.account).sentence


def test_without_spending_nothing_is_foretold(books: UsdBooks) -> None:
    books.fund(5)
    found = cover(books.account)
    assert (found.days, found.is_low, found.points) == (None, False, [])
    assert "Nothing was spent" in found.sentence


def test_the_limit_is_the_accounts_own_and_money_on_its_way_is_named(spent: UsdBooks, finance: User) -> None:
    spent.account.settings = {"cover_days": 20}
    spent.account.save()
    deposits.announce_deposit(
        by=finance, account=spent.account, amount_minor=500, currency="USD", way="USDT/TRC-20", reference="INV-1"
    )
    found = cover(spent.account)
    assert found.is_low
    assert found.sentence.endswith("5.00 USD is announced and not credited yet.")


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.content.decode()))


def test_a_low_balance_is_on_the_overview_the_ledger_and_in_the_metrics(
    client: Client, spent: UsdBooks, finance: User, auditor: User
) -> None:
    said = "At 25.00 USD a day, as in the last 14 days, the free balance lasts 2 days, to 23 Nov."
    spent.hold("x", 44_000)
    with time_machine.travel(NOW, tick=False):
        client.force_login(finance)
        assert f"Alpha · USD: {said}" in words(client.get("/"))
        page = client.get("/ledger/")
        assert f"The free balance is low. {said}" in words(page)
        assert 'class="chart lines"' in page.content.decode()
        assert 'countersign_cover_days{account="alpha",currency="USD"} 2' in exposition()
        client.force_login(auditor)
        assert said not in words(client.get("/"))
