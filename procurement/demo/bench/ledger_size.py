"""Reading a ledger of many lines: the same questions at ten thousand lines and at as many as asked for, in one run.

Half of all entries are on one book, whose lines are read. The first 100,000 lines are written in bulk by `ledger.rows`, and
every rule of the database judges them as ever. Those beyond are made by the database itself, with its rules off and hashes
that stand for nothing: they are only there to be read past.
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
from ledger.guards import lifted
from ledger.models import new_id
from ledger.money import Money
from ledger.rows import Header, Pot, lines_of, read_pots, write_many
from procurement.bookkeeping import postings
from procurement.demo.bench.books import opened
from procurement.demo.bench.filling import do_not_wait_for_the_disk
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database

SMALL, AT_ONCE, CALLS, EXPORTED, RARE = 10_000, 1_000, 21, 2_500, 500
BOOKS, JUDGED, MADE_AT_ONCE = 10, 100_000, 200_000
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
        codes = [opened(f"bench{book}", name) for book in range(BOOKS) for name in ("purchases", "deposits")]
        pots = read_pots(codes)
        empty = stored_bytes()
        fill(pots, 0, SMALL // 2)
        settle()
        small = ask()
        began, judged = time.monotonic(), min(lines, JUDGED)
        fill(pots, SMALL // 2, judged // 2)
        written = (judged - SMALL) / (time.monotonic() - began)
        make_up(pots, judged // 2, lines // 2)
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
            rare = number % (2 * RARE) == 1
            kind, day = ("fee", at.date() - timedelta(days=1)) if rare else ("purchase", at.date())
            header = Header(
                new_id(at), f"bench:{number}", f"{number:032d}", kind, day, at, "order", str(number),
                memo="", actor="Bench", legs=2, resolves_id=None, reverses_id=None,
            )  # fmt: skip
            legs = [
                Leg(code(book, "purchases"), Money(money, "USD")),
                Leg(code(book, "deposits"), Money(-money, "USD")),
            ]
            headers.append(header)
            rows += lines_of(header, legs, pots)
        moved = [pot for pot in pots.values() if pot.seq != pot.stored[0]]
        with transaction.atomic():
            write_many(rows, moved, headers)
        for pot in moved:
            pot.stored = (pot.seq, pot.free)


def make_up(pots: dict[str, Pot], first: int, last: int) -> None:
    """The same entries by the database itself, of 1.00 each and with its rules off."""
    legs = ((1, "purchases", 100), (2, "deposits", -100))
    places = ", ".join(
        f"({book}, {leg}, {pots[code(book, name)].account_id}, {amount})"
        for book in range(BOOKS)
        for leg, name, amount in legs
    )
    words = MADE_UP[connection.vendor] | {"books": BOOKS, "placed": f"m JOIN (VALUES {places}) p ON p.column1 = m.book"}
    with lifted(connection), connection.cursor() as cursor:
        for begin in range(first, last, MADE_AT_ONCE):
            here = {"begin": begin, "end": min(last, begin + MADE_AT_ONCE)}
            with transaction.atomic():
                for statement in MAKING:
                    cursor.execute(statement.format(**words).format(**here))


# What the engines say differently: the numbers from `begin` to `end`, an id that begins with the time, the time, a day, 32 bytes.
MADE_UP = {
    "sqlite": {
        "numbers": "WITH RECURSIVE one(n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM one WHERE n + 1 < {end})",
        "id": "printf('%012x70008%015x', 1767225600000 + 1000 * n, n)",
        "at": "datetime('2026-01-01', '+' || n || ' seconds')",
        "day_before": "date(at, '-1 day')",
        "hash": "randomblob(32)",
        "fingerprint": "printf('%032d', n)",
    },
    "postgresql": {
        "numbers": "WITH one(n) AS (SELECT generate_series({begin}, {end} - 1))",
        "id": "CAST(lpad(to_hex(1767225600000 + 1000 * CAST(n AS bigint)), 12, '0') || '70008' || lpad(to_hex(n), 15, '0') AS uuid)",
        "at": "TIMESTAMPTZ '2026-01-01 00:00:00+00' + n * INTERVAL '1 second'",
        "day_before": "date(at) - 1",
        "hash": "sha256(convert_to(m.n || '-' || p.column2, 'UTF8'))",
        "fingerprint": "lpad(CAST(n AS text), 32, '0')",
    },
}
MAKING = (
    "CREATE TEMPORARY TABLE made_up AS {numbers}, placed AS (SELECT n, {id} AS id, {at} AS at,"
    " CASE WHEN n % 2 = 1 THEN 0 ELSE n / 2 % {books} END AS book FROM one)"
    " SELECT *, row_number() OVER (PARTITION BY book ORDER BY n) AS nth FROM placed",
    "INSERT INTO ledger_line (entry_id, leg, legs, account_id, currency, layer, amount, seq, settled_after, held_after,"
    " hash) SELECT m.id, p.column2, 2, p.column3, 'USD', 'settled', p.column4, b.seq + m.nth,"
    " b.settled + p.column4 * m.nth, 0, {hash}"
    " FROM made_up {placed} JOIN ledger_balance b ON b.account_id = p.column3 ORDER BY m.n",
    "INSERT INTO ledger_entry (id, key, fingerprint, kind, effective_on, recorded_at, reference_kind, reference_id, memo,"
    " actor, legs) SELECT id, 'bench:' || n, {fingerprint}, CASE WHEN n % 1000 = 1 THEN 'fee' ELSE 'purchase' END,"
    " CASE WHEN n % 1000 = 1 THEN {day_before} ELSE date(at) END, at,"
    " 'order', CAST(n AS text), '', 'Bench', 2 FROM made_up ORDER BY n",
    "UPDATE ledger_balance SET seq = seq + d.n, settled = settled + d.moved FROM (SELECT p.column3 AS account,"
    " count(*) AS n, sum(p.column4) AS moved FROM made_up {placed} GROUP BY p.column3) d WHERE account_id = d.account",
    "DROP TABLE made_up",
)


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

    begin, end = (
        queries.statement(account, before_seq=last * part // 4, limit=1).lines[0].recorded_at for part in (1, 3)
    )

    def stretch() -> None:
        """The middle half of the account's time: what a statement of many years asks."""
        queries.balance_at(account, begin)
        queries.balance_at(account, end)
        assert queries.statement(account, since=begin, until=end).lines

    questions: dict[str, Callable[[], object]] = {
        "balance now": lambda: queries.balance(account),
        "balance as recorded in the middle": lambda: queries.balance_at(account, middle.recorded_at),
        "balance by effective day in the middle": lambda: queries.balance_on(account, middle.effective_on),
        "newest 50 lines": lambda: queries.statement(account),
        "oldest 50 lines": lambda: queries.statement(account, before_seq=51),
        "50 lines in the middle": lambda: queries.statement(account, before_seq=last // 2),
        "lines of one order": lambda: queries.statement(account, reference=order),
        "newest 50 of a rare kind": lambda: queries.statement(account, kinds=["fee"]),
        f"export of {EXPORTED:,} lines": exported,
        "50 lines of a stretch, opening, closing": stretch,
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
        f"{found.written_a_second:,.0f} lines a second written in bulk under every rule, the first {min(found.lines, JUDGED):,}",
        f"python3 dev.py bench ledger --lines {found.lines}",
    )
    head = ["milliseconds", f"{SMALL:,} lines", f"{found.lines:,} lines", "ratio"]
    return "\n".join([facts, "", *table(head, rows, numbers_from=1)])
