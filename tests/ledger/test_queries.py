"""Reading: balances, pages, sums by kind and exports agree with each other."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ledger import queries
from ledger.errors import UnknownAccount
from ledger.models import Entry, first_id
from ledger.services import Posted, credit, debit, hold, open_account, post, release, settle
from tests.ledger.conftest import deposit, usd

pytestmark = pytest.mark.django_db
DAY = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def history(books: Callable[..., Posted]) -> None:
    """One step an hour from DAY: deposit 100.00, hold 30.00, settle 28.00, hold 10.00, release it, deposit 5.00."""
    spend = [credit("alpha:funds", usd(3000)), debit("alpha:cost", usd(3000))]
    true_cost = [credit("alpha:funds", usd(2800)), debit("alpha:cost", usd(2800))]
    small = [credit("alpha:funds", usd(1000)), debit("alpha:cost", usd(1000))]
    steps: list[Callable[[], Posted]] = [
        lambda: deposit(10_000, "d1"),
        lambda: hold(key="h1", lines=spend, reference=("order", "1")),
        lambda: settle(key="s1", hold_key="h1", lines=true_cost),
        lambda: hold(key="h2", lines=small, reference=("order", "2")),
        lambda: release(key="r2", hold_key="h2", memo="Out of stock."),
        lambda: deposit(500, "d2"),
    ]
    for hour, step in enumerate(steps):
        with time_machine.travel(DAY + timedelta(hours=hour), tick=False):
            step()


@pytest.mark.requirement("R85")
def test_balance_now(history: None) -> None:
    now = queries.balance("alpha:funds")
    assert (now.settled, now.held, now.free, now.currency, now.seq) == (7_700, 0, 7_700, "USD", 7)


@pytest.mark.requirement("R85")
def test_a_stretch_of_time_is_a_range_of_ids(history: None) -> None:
    for start, end in ((-1, 1), (1, 3), (0, 6), (5, 99)):
        first, last = (DAY + timedelta(hours=hours) for hours in (start, end))
        by_time = Entry.objects.filter(recorded_at__gte=first, recorded_at__lt=last).order_by("recorded_at")
        by_id = Entry.objects.filter(id__gte=first_id(first), id__lt=first_id(last)).order_by("id")
        assert [one.key for one in by_id] == [one.key for one in by_time]


def test_unknown_account(history: None) -> None:
    with pytest.raises(UnknownAccount):
        queries.balance("beta:funds")


@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (-1, (0, 0)), (0, (10_000, 0)), (0.5, (10_000, 0)), (1, (10_000, -3_000)),
        (2, (7_200, 0)), (3.9, (7_200, -1_000)), (99, (7_700, 0)),
    ],
)  # fmt: skip
def test_balance_as_recorded_at_an_instant(history: None, hours: float, expected: tuple[int, int]) -> None:
    then = queries.balance_at("alpha:funds", DAY + timedelta(hours=hours))
    assert (then.settled, then.held) == expected


@pytest.mark.requirement("R83")
def test_statement_shows_each_line_with_the_balance_after_it(history: None) -> None:
    page = queries.statement("alpha:funds")
    assert [(line.kind, line.amount, line.free_after) for line in page.lines] == [
        ("deposit", 500, 7_700),
        ("release", 1_000, 7_200),
        ("hold", -1_000, 6_200),
        ("settlement", -2_800, 7_200),
        ("settlement", 3_000, 10_000),
        ("hold", -3_000, 7_000),
        ("deposit", 10_000, 10_000),
    ]
    assert (page.before, page.after, page.last_seq) == (None, None, 7)


def test_pages_go_back_and_forth_without_gap(history: None) -> None:
    seen, page = [], queries.statement("alpha:funds", limit=3)
    while True:
        seen += [line.seq for line in page.lines]
        if page.before is None:
            break
        page = queries.statement("alpha:funds", limit=3, before_seq=page.before)
    assert seen == [7, 6, 5, 4, 3, 2, 1]
    assert page.after is not None
    newer = queries.statement("alpha:funds", limit=3, after_seq=page.after)
    assert [line.seq for line in newer.lines] == [4, 3, 2]
    assert (newer.before, newer.after) == (2, 4)


def test_statement_filters(history: None) -> None:
    def kinds(**filters: object) -> list[str]:
        return [line.kind for line in queries.statement("alpha:funds", **filters).lines]  # type: ignore[arg-type]

    assert kinds(kinds={"deposit"}) == ["deposit", "deposit"]
    assert kinds(reference=("order", "2")) == ["release", "hold"]
    assert kinds(since=DAY + timedelta(hours=3), until=DAY + timedelta(hours=5)) == ["release", "hold"]


def test_a_page_is_three_queries(history: None) -> None:
    with CaptureQueriesContext(connection) as asked:
        queries.statement("alpha:funds", before_seq=5)
    assert len(asked) <= 3


@pytest.mark.requirement("R93")
def test_opening_and_sums_by_kind_make_the_closing(history: None) -> None:
    moved = queries.movement_sums("alpha:funds", DAY + timedelta(hours=1), DAY + timedelta(hours=5))
    assert (moved.opening.settled, moved.opening.held) == (10_000, 0)
    assert [(kind.kind, kind.settled, kind.held, kind.lines) for kind in moved.kinds] == [
        ("hold", 0, -4_000, 2),
        ("release", 0, 1_000, 1),
        ("settlement", -2_800, 3_000, 2),
    ]
    assert moved.closing.settled == moved.opening.settled + sum(kind.settled for kind in moved.kinds)
    assert moved.closing.held == moved.opening.held + sum(kind.held for kind in moved.kinds)


@pytest.mark.requirement("R92")
def test_trial_balance_is_even_in_each_currency(history: None) -> None:
    open_account(code="alpha:eur", name="Alpha euro", currency="EUR", role="funds")
    rows = queries.trial_balance("USD")
    assert [row.code for row in rows] == ["alpha:cost", "alpha:external", "alpha:funds"]
    assert sum(row.debit for row in rows) == sum(row.credit for row in rows) == 10_500
    assert sum(row.held for row in rows) == 0


def test_entries_of_one_order(history: None) -> None:
    assert [entry.kind for entry in queries.entries_for("order", "1")] == ["hold", "settlement"]
    found = queries.entry_by_key("r2")
    assert found is not None
    assert found.memo == "Out of stock."
    assert queries.entry_by_key("nothing") is None


def test_export_streams_every_line_once(history: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "CHUNK", 2)
    assert [line.seq for line in queries.iter_statement("alpha:funds")] == [1, 2, 3, 4, 5, 6, 7]
    assert [line.key for line in queries.iter_statement("alpha:funds", kinds={"deposit"})] == ["d1", "d2"]


def test_accounts_by_owner_and_role(history: None) -> None:
    assert [account.code for account in queries.accounts(owner="alpha", role="funds")] == ["alpha:funds"]
    assert queries.accounts(currency="EUR").count() == 0


def test_the_balance_at_any_instant_is_that_of_a_replay(books: Callable[..., Posted]) -> None:
    """Backdated entries too: what counts is when a line was recorded."""
    draw = random.Random(7)
    recorded: list[tuple[datetime, int]] = []
    for number in range(40):
        at = DAY + timedelta(seconds=sum(draw.choice((0, 1, 7)) for _ in range(number)))
        with time_machine.travel(at, tick=False):
            lines = [debit("alpha:funds", usd(number + 1)), credit("alpha:external", usd(number + 1))]
            day = draw.choice((None, DAY.date() - timedelta(days=400)))
            entry = post(key=f"d{number}", kind="deposit", lines=lines, effective_on=day).entry
        recorded.append((entry.recorded_at, number + 1))
    for _ in range(250):
        at = draw.choice(recorded)[0] + timedelta(microseconds=draw.choice((-1, 0, 1)))
        assert queries.balance_at("alpha:funds", at).settled == sum(minor for when, minor in recorded if when <= at)


def test_the_balance_on_any_day_is_that_of_a_replay_by_day(books: Callable[..., Posted]) -> None:
    """Dated back, ahead or not at all, on either side of midnight: what counts is the day for which an entry is booked."""
    draw = random.Random(11)
    dated: list[tuple[date, str, int]] = []
    for number in range(60):
        with time_machine.travel(DAY + timedelta(hours=7 * number), tick=False):
            today = datetime.now(UTC).date()
            day = draw.choice((None, None, today - timedelta(days=draw.randrange(30)), today + timedelta(days=2)))
            lines = [debit("alpha:funds", usd(number + 1)), credit("alpha:external", usd(number + 1))]
            layer, do = draw.choice((("settled", post), ("held", hold)))
            do(key=f"d{number}", kind="x", lines=lines, effective_on=day)
        dated.append((day or today, layer, number + 1))
    for _ in range(200):
        day = DAY.date() + timedelta(days=draw.randrange(-40, 40))
        found = queries.balance_on("alpha:funds", day)
        for layer, stored in (("settled", found.settled), ("held", found.held)):
            assert stored == sum(minor for when, of, minor in dated if when <= day and of == layer), day
