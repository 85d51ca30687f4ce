"""Balance and tier over time: the database picks the readings, and words say what the picture shows."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from procurement.suppliers import history
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount
from procurement.suppliers.services import read_balance
from tests.suppliers.conftest import Script
from tests.suppliers.test_accounts import BALANCE

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
SPANS = {span.key: span for span in history.SPANS}


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def readings(account: SupplierAccount, first: datetime, every: timedelta, count: int, currency: str = "USD") -> None:
    """One reading each `every`; the amount is its number, in minor units."""
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(
            account=account, currency=currency, available=n, taken_at=first + every * n, request_id=uuid.UUID(int=n)
        )
        for n in range(count)
    )


@pytest.mark.requirement("R86")
def test_the_last_reading_of_each_hour_stands_for_it(psnb2b: SupplierAccount) -> None:
    readings(psnb2b, NOW - timedelta(hours=3), timedelta(minutes=10), 19)
    (line,) = history.balance_lines(psnb2b, SPANS["48h"])
    # 09:30 to 12:30: the last of 9, 10, 11 and 12 o'clock.
    assert [(row.taken_at.strftime("%H:%M"), row.available) for row in line.readings] == [
        ("09:50", 2),
        ("10:50", 8),
        ("11:50", 14),
        ("12:30", 18),
    ]


def test_the_last_reading_of_each_day_stands_for_it(psnb2b: SupplierAccount) -> None:
    readings(psnb2b, NOW - timedelta(days=95), timedelta(hours=6), 95 * 4 + 1)
    (line,) = history.balance_lines(psnb2b, SPANS["90d"])
    assert len(line.readings) == 91
    assert line.readings[-1].available == 95 * 4
    assert {row.taken_at.strftime("%H:%M") for row in line.readings[:-1]} == {"18:30"}


def test_two_weeks_of_hours_are_drawn_with_few_points_and_the_last_reading(psnb2b: SupplierAccount) -> None:
    readings(psnb2b, NOW - timedelta(days=14), timedelta(hours=1), 14 * 24 + 1)
    (line,) = history.balance_lines(psnb2b, SPANS["14d"])
    assert 60 <= len(line.readings) <= history.MOST_POINTS
    assert line.readings[-1].available == 14 * 24


def test_currencies_have_lines_of_their_own_and_other_accounts_none(
    psnb2b: SupplierAccount, alpha: SupplierAccount
) -> None:
    for currency in ("USD", "JPY"):
        readings(psnb2b, NOW - timedelta(minutes=1), timedelta(minutes=1), 2, currency)
    lines = history.balance_lines(psnb2b, SPANS["48h"])
    assert [line.currency for line in lines] == ["JPY", "USD"]
    assert [line.points[-1][1] for line in lines] == [1, 0.01]
    assert history.balance_lines(alpha, SPANS["48h"]) == []


def page(account: SupplierAccount, person: Any, query: str = "") -> str:
    client = Client()
    client.force_login(person)
    answer = client.get(reverse("suppliers:account_detail", args=[account.pk]) + query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.requirement("R86", "R87")
def test_the_page_has_picture_table_and_tier_changes_in_words(
    psnb2b: SupplierAccount, finance: Any, clock: Any
) -> None:
    gold = {**BALANCE, "balance": "900.00", "tier": {"name": "Gold", "discount_percent": "3"}}
    clock.move_to(NOW - timedelta(days=5))
    for answer in (BALANCE, gold):
        read_balance(psnb2b, transport=Script((200, answer)))
    clock.move_to(NOW)
    read_balance(psnb2b, transport=Script((200, gold)))
    two_weeks = page(psnb2b, finance, "?span=14d")
    assert "Tier changed from Silver, 2.5 % to Gold, 3 % on" in two_weeks
    assert "lowest 900.00 on 16 Nov 12:30, highest 900.00" in two_weeks
    assert "Balance in USD over 14 days, newest first" in two_weeks
    for query in ("", "?span=48h", "?span=nonsense"):
        assert "Tier changed" not in page(psnb2b, finance, query)


def test_an_account_never_read_says_so(psnb2b: SupplierAccount, finance: Any) -> None:
    text = page(psnb2b, finance)
    assert "The balance was never read." in text
    assert "No reading yet." in text
    assert "Tier changed" not in text


def test_the_page_asks_as_often_for_many_readings_as_for_few(
    psnb2b: SupplierAccount, finance: Any, django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    readings(psnb2b, NOW - timedelta(hours=1), timedelta(minutes=1), 2)
    page(psnb2b, finance)
    with django_assert_max_num_queries(45) as few:
        page(psnb2b, finance)
    readings(psnb2b, NOW - timedelta(days=90), timedelta(hours=3), 720)
    with django_assert_num_queries(len(few)):
        page(psnb2b, finance, "?span=90d")
