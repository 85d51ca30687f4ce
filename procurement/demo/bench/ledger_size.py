"""Reading a ledger of many lines: the same questions at ten thousand lines and at as many as asked for, in one run.

Half of all entries are on one book; it is that book's funds that are read. Lines are written in bulk and in order, and every
rule of the database judges them as ever.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from django.db import connection, transaction

from ledger import queries
from ledger.checkpoints import checkpoint
from ledger.drafts import Leg
from ledger.models import new_id
from ledger.money import Money
from ledger.rows import Header, Pot, insert_headers, insert_lines, lines_of, move_balances, pots_by_code, pots_sql
from ledger.sending import run
from procurement.bookkeeping import postings
from procurement.demo.bench.books import opened
from procurement.demo.bench.filling import do_not_wait_for_the_disk
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database

SMALL, AT_ONCE, CALLS, EXPORTED, RARE = 10_000, 1_000, 21, 2_500, 500
BOOKS = 10
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
URLCONF = "procurement.demo.bench.urls"


@dataclass(frozen=True)
class Sizes:
    """Milliseconds of each question at both sizes, bytes of a line with its half of an entry, and lines written a second."""

    lines: int
    small: dict[str, float]
    large: dict[str, float]
    bytes_a_line: float
    written_a_second: float


def measure_size(lines: int) -> Sizes:
    """Fill to ten thousand lines, ask, fill to `lines`, ask again; BenchFailed for fewer lines than twice the first."""
    if lines < 2 * SMALL:
        raise BenchFailed(f"Compare at least {2 * SMALL:,} lines.")
    with bench_settings(URLCONF), scratch_database():
        do_not_wait_for_the_disk()
        with connection.cursor() as cursor:
            codes = [opened(f"bench{book}", name) for book in range(BOOKS) for name in ("purchases", "deposits")]
            pots = pots_by_code(run(cursor, [pots_sql(codes)])[0])
        empty = stored_bytes()
        fill(pots, 0, SMALL // 2)
        settle()
        small = ask()
        began = time.monotonic()
        fill(pots, SMALL // 2, lines // 2)
        written = (lines - SMALL) / (time.monotonic() - began)
        settle()
        checkpoint()
        return Sizes(lines, small, ask(), (stored_bytes() - empty) / lines, written)


def fill(pots: dict[str, Pot], first: int, last: int) -> None:
    """Entries number `first` to `last`, two lines each, a second apart; every second one in the first book."""
    for begin in range(first, last, AT_ONCE):
        headers, rows = [], []
        for number in range(begin, min(last, begin + AT_ONCE)):
            book, at, money = (
                0 if number % 2 else number // 2 % BOOKS,
                BEGAN + timedelta(seconds=number),
                number % 900 + 1,
            )
            kind = "fee" if number % (2 * RARE) == 1 else "purchase"
            header = Header(
                new_id(), f"bench:{number}", f"{number:064d}", kind, at.date(), at, "order", str(number),
                memo="", actor="Bench", legs=2, resolves_id=None, reverses_id=None,
            )  # fmt: skip
            legs = [
                Leg(code(book, "purchases"), Money(money, "USD")),
                Leg(code(book, "deposits"), Money(-money, "USD")),
            ]
            headers.append(header)
            rows += lines_of(header, legs, pots)
        moved = [pot for pot in pots.values() if pot.seq != pot.stored[0]]
        with transaction.atomic(), connection.cursor() as cursor:
            run(cursor, [insert_lines(rows), move_balances(moved), insert_headers(headers)])
        for pot in moved:
            pot.stored = (pot.seq, pot.free)


def code(book: int, name: str) -> str:
    return postings.code_of(f"bench{book}", "USD", name)


def ask() -> dict[str, float]:
    """The median milliseconds of each question about the longest account."""
    account = code(0, "purchases")
    last = queries.balance(account).seq
    middle = queries.statement(account, before_seq=last // 2, limit=1).lines[0]
    order = (middle.reference_kind, middle.reference_id)

    def exported() -> None:
        assert sum(1 for _ in islice(queries.iter_statement(account), EXPORTED)) == min(EXPORTED, last)

    questions: dict[str, Callable[[], object]] = {
        "balance now": lambda: queries.balance(account),
        "balance as recorded in the middle": lambda: queries.balance_at(account, middle.recorded_at),
        "newest 50 lines": lambda: queries.statement(account),
        "oldest 50 lines": lambda: queries.statement(account, before_seq=51),
        "50 lines in the middle": lambda: queries.statement(account, before_seq=last // 2),
        "lines of one order": lambda: queries.statement(account, reference=order),
        "newest 50 of a rare kind": lambda: queries.statement(account, kinds=["fee"]),
        f"export of {EXPORTED:,} lines": exported,
        "trial balance": lambda: queries.trial_balance("USD"),
    }
    return {name: median_ms(question) for name, question in questions.items()}


def median_ms(question: Callable[[], object]) -> float:
    times = []
    for _ in range(CALLS):
        began = time.perf_counter()
        question()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1000


def settle() -> None:
    """What time does by itself: statistics, and the log written back."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")


def stored_bytes() -> int:
    """Of the whole scratch database, with every index."""
    if connection.vendor == "sqlite":
        return Path(connection.settings_dict["NAME"]).stat().st_size
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_database_size(current_database())")
        return int(cursor.fetchone()[0])


def as_markdown(found: Sizes) -> str:
    rows: list[Sequence[str]] = [
        [name, f"{found.small[name]:.2f}", f"{ms:.2f}", f"{ms / found.small[name]:.2f}"]
        for name, ms in found.large.items()
    ]
    facts = facts_line(
        f"median of {CALLS} calls; {found.bytes_a_line:,.0f} bytes a line with its share of the entry and all indexes; "
        f"{found.written_a_second:,.0f} lines a second written in bulk under every rule",
        f"python3 dev.py bench ledger --lines {found.lines}",
    )
    head = ["milliseconds", f"{SMALL:,} lines", f"{found.lines:,} lines", "ratio"]
    return "\n".join([facts, "", *table(head, rows, numbers_from=1)])
