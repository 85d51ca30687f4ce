"""Several writers at once: nothing lost, nothing doubled, never below the floor."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from django.db import OperationalError, connection
from django.db.models import Sum

from ledger.errors import BelowFloor, HoldEnded, KeyConflict
from ledger.models import Balance, Entry, Line
from ledger.queries import balance
from ledger.services import Posted, credit, debit, hold, open_account, post, release, settle
from ledger.verifying import verify
from tests.ledger.conftest import deposit, open_books, usd

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")


def at_once(work: Callable[[int], T], times: int, threads: int = 4) -> list[T | Exception]:
    """Each result, or the exception instead of it."""

    def one(number: int) -> T | Exception:
        try:
            return work(number)
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, range(times)))


def spend(key: str, minor: int) -> Posted:
    return post(key=key, kind="spend", lines=[credit("alpha:funds", usd(minor)), debit("alpha:cost", usd(minor))])


def assert_books_hold() -> None:
    for row in Balance.objects.all():
        lines = Line.objects.filter(account_id=row.pk).order_by("seq")
        assert [line.seq for line in lines] == list(range(1, row.seq + 1))
        assert (lines.aggregate(total=Sum("amount"))["total"] or 0) == row.free
        assert [line.entry_id for line in lines] == sorted(line.entry_id for line in lines)
    assert verify().findings == []


def test_postings_to_one_account_are_exact() -> None:
    open_books()
    results = at_once(lambda number: deposit(100 + number, f"d{number}"), times=40)
    assert [error for error in results if isinstance(error, Exception)] == []
    assert balance("alpha:funds").settled == sum(100 + number for number in range(40))
    assert_books_hold()


def test_opposite_directions_do_not_deadlock() -> None:
    open_books()
    deposit(100_000)

    def either(number: int) -> Posted:
        legs = [credit("alpha:funds", usd(10)), debit("alpha:cost", usd(10))]
        back = [credit("alpha:cost", usd(10)), debit("alpha:funds", usd(10))]
        return post(key=f"k{number}", kind="x", lines=legs if number % 2 else back)

    results = at_once(either, times=40)
    assert [error for error in results if isinstance(error, Exception)] == []
    assert balance("alpha:funds").settled == 100_000
    assert_books_hold()


def test_one_key_is_booked_once() -> None:
    """PostgreSQL takes all callers at once; SQLite has one writer at a time, so fewer queue there."""
    open_books()
    times = 64 if connection.vendor == "postgresql" else 16
    results = at_once(lambda _: deposit(500), times=times, threads=times)
    assert [error for error in results if isinstance(error, Exception)] == []
    assert sorted(posted.created for posted in results if isinstance(posted, Posted)) == [False] * (times - 1) + [True]
    assert balance("alpha:funds").settled == 500
    assert Entry.objects.count() == 1


def test_one_key_on_other_accounts_is_booked_once_and_is_a_conflict() -> None:
    """Twins that wait for no account in common meet at the unique key."""
    open_books()
    for number in range(8):
        open_account(code=f"b{number}:funds", name="b", currency="USD", role="funds")
        open_account(code=f"b{number}:external", name="b", currency="USD", role="external")

    def apart(number: int) -> Posted:
        lines = [debit(f"b{number}:funds", usd(5)), credit(f"b{number}:external", usd(5))]
        return post(key="the same", kind="x", lines=lines)

    results = at_once(apart, times=8, threads=8)
    assert sum(isinstance(result, Posted) for result in results) == 1
    assert sum(isinstance(result, KeyConflict) for result in results) == 7
    assert Entry.objects.count() == 1
    assert_books_hold()


def test_one_key_is_answered_also_when_the_money_is_gone() -> None:
    open_books()
    deposit(500)
    results = at_once(lambda _: spend("the same", 500), times=12, threads=6)
    assert sorted(posted.created for posted in results if isinstance(posted, Posted)) == [False] * 11 + [True]
    assert balance("alpha:funds").settled == 0


@pytest.mark.requirement("R90")
def test_two_buyers_never_spend_the_same_money() -> None:
    open_books()
    deposit(1_000)
    results = at_once(lambda number: spend(f"s{number}", 300), times=12, threads=6)
    assert sum(isinstance(result, Posted) for result in results) == 3
    assert sum(isinstance(result, BelowFloor) for result in results) == 9
    assert balance("alpha:funds").settled == 100
    assert_books_hold()


def test_a_hold_ends_once_whoever_comes_first() -> None:
    open_books()
    deposit(1_000)
    lines = [credit("alpha:funds", usd(300)), debit("alpha:cost", usd(300))]
    hold(key="h", lines=lines)

    def end(number: int) -> Posted:
        if number % 2:
            return release(key=f"r{number}", hold_key="h", memo="late")
        return settle(key=f"s{number}", hold_key="h", lines=lines)

    results = at_once(end, times=8)
    assert sum(isinstance(result, Posted) for result in results) == 1
    assert sum(isinstance(result, HoldEnded) for result in results) == 7
    assert balance("alpha:funds").held == 0
    assert Entry.objects.filter(resolves__key="h").count() == 1
    assert_books_hold()


@pytest.mark.requirement("R84", "R90")
def test_sixteen_writers_on_overlapping_accounts_lose_nothing_and_double_nothing() -> None:
    """Every posting touches two of three accounts, every fourth key comes twice, and the funds don't do for all.

    PostgreSQL runs sixteen at once; SQLite has one writer at a time, so fewer queue there and the busy ones come again.
    """
    open_books()
    deposit(60_000)
    pairs = [("alpha:funds", "alpha:cost"), ("alpha:funds", "alpha:external"), ("alpha:cost", "alpha:external")]
    postgresql = connection.vendor == "postgresql"
    times, threads = (320, 16) if postgresql else (96, 6)

    def one(number: int) -> Posted:
        cause = number - 1 if number % 4 == 3 else number
        source, target = pairs[cause % 3]
        lines = [credit(source, usd(700)), debit(target, usd(700))]
        return post(key=f"n{cause}", kind="x", lines=lines if cause % 2 else lines[::-1])

    def patiently(number: int) -> Posted:
        for _ in range(0 if postgresql else 5):
            try:
                return one(number)
            except OperationalError as busy:
                if "locked" not in str(busy):
                    raise
        return one(number)

    results = at_once(patiently, times, threads)
    wrong = [error for error in results if isinstance(error, Exception) and not isinstance(error, BelowFloor)]
    assert wrong == []
    created = [posted for posted in results if isinstance(posted, Posted) and posted.created]
    entries = Entry.objects.filter(kind="x")
    assert {posted.entry.key for posted in created} == set(entries.values_list("key", flat=True))
    assert len(created) == entries.count()
    spent = Line.objects.filter(account__code="alpha:funds", entry__kind="x").count()
    assert balance("alpha:funds").settled == 60_000 - 700 * spent >= 0
    refused = sum(isinstance(result, BelowFloor) for result in results)
    assert (refused > 0) is postgresql
    assert Balance.objects.aggregate(total=Sum("settled"))["total"] == 0
    assert_books_hold()
