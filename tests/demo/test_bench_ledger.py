"""The bench of postings: what it reckons, and that every way of booking books."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

import pytest
from django.db import connection

from ledger.guards import missing
from ledger.models import Entry
from ledger.queries import balance, iter_statement
from ledger.rows import read_pots
from ledger.verifying import verify
from procurement.demo.bench import ledger, ledger_size, reconciliation
from procurement.demo.bench.books import opened
from procurement.demo.bench.ledger import Rate


@pytest.fixture
def prepared(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(ledger, "BOOKS", 2)
    ledger.prepare()
    yield
    with connection.cursor() as cursor:
        for table in ("header", "line", "balance"):
            cursor.execute(f"DROP TABLE bench_{table}")


def test_every_way_books_and_the_books_verify(prepared: None) -> None:
    before = Entry.objects.count()
    for number in range(2):
        for step in (ledger.bare, ledger.by_ledger, ledger.by_posting_rule):
            step(0, number)
    assert Entry.objects.count() == before + 4
    assert verify().findings == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT settled, seq FROM bench_balance ORDER BY account")
        assert cursor.fetchall() == [(-ledger.COST, 1), (ledger.COST, 1)] * 2


def test_writers_of_their_own_are_counted_together(prepared: None) -> None:
    before = Entry.objects.count()
    found = ledger.run(ledger.by_ledger, writers=2, books=2, seconds=0.5)
    assert found.per_second == 2 * (Entry.objects.count() - before)
    assert 0 < found.p99 < 5_000


@pytest.mark.django_db  # the findings name the server’s version
def test_the_ratio_is_taken_inside_each_round() -> None:
    rounds = [
        {"limit": Rate(100, 1), "post": Rate(50, 2)},
        {"limit": Rate(1000, 1), "post": Rate(900, 3)},
        {"limit": Rate(10, 1), "post": Rate(1, 4)},
    ]
    found = ledger.compared("post", 2, 1, rounds)
    assert (found.ratio, found.rate, found.limit, found.p99) == (0.5, 50, 100, 3)
    lines = ledger.as_markdown([found], 3).splitlines()
    assert "`python3 dev.py bench ledger --requests 3`" in lines[0]
    assert [cell.strip() for cell in lines[-1].split("|")[1:-1]] == [
        "post, one hot account",
        "2",
        "50",
        "100",
        "0.50",
        "3.0 ms",
    ]


@pytest.mark.django_db
def test_a_long_ledger_is_filled_under_every_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_size, "BOOKS", 2)
    codes = [opened(f"bench{book}", name) for book in range(2) for name in ("purchases", "deposits")]
    pots = read_pots(codes)
    ledger_size.fill(pots, 0, 40)
    ledger_size.fill(pots, 40, 60)
    report = verify()
    assert (report.lines, report.findings) == (120, [])
    assert set(ledger_size.ask()) >= {"balance now", "trial balance"}


@pytest.mark.django_db(transaction=True)
def test_lines_that_are_made_up_continue_the_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_size, "BOOKS", 2)
    monkeypatch.setattr(ledger_size, "MADE_AT_ONCE", 15)
    codes = [opened(f"bench{book}", name) for book in range(2) for name in ("purchases", "deposits")]
    pots = read_pots(codes)
    ledger_size.fill(pots, 0, 20)

    ledger_size.make_up(pots, 20, 60)

    for account in codes:
        lines = list(iter_statement(account))
        found = balance(account)
        assert [line.seq for line in lines] == list(range(1, found.seq + 1))
        assert [line.settled_after for line in lines] == list(accumulate(line.amount for line in lines))
        assert (found.settled, found.held) == (lines[-1].settled_after, 0)
        assert lines == sorted(lines, key=lambda line: line.entry_id)
    assert sum(balance(account).seq for account in codes) == 120
    assert missing(connection) == []


@pytest.mark.django_db(transaction=True)
def test_a_day_of_many_orders_names_what_was_planted() -> None:
    window = reconciliation.fill_day(60)
    reconciliation.compare(window)
    before = reconciliation.named()
    assert sorted(row[0] for row in before) == sorted(reconciliation.PLANTED.values())
    assert reconciliation.join(window) == 60
    reconciliation.compare(window)
    assert reconciliation.named() == before
