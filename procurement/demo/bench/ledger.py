"""Posting beside the bare SQL limit: the same server, the same run, in turn, on accounts apart and on one hot account.

The limit is what any ledger must at least send for a booking: BEGIN, a header under a unique key, two lines in one insert,
two balances, COMMIT, by the driver itself and on tables without any rule. It keeps no hash, no floor and no zero sum.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, connections

from ledger import chain
from ledger.models import Entry
from ledger.money import Money
from ledger.services import credit, debit, open_account, post
from ledger.verifying import verify
from procurement.bookkeeping import postings
from procurement.bookkeeping.rules import ACCOUNTS
from procurement.demo.bench.measuring import BenchFailed
from procurement.demo.bench.report import facts_line, table
from procurement.demo.bench.scratch import bench_settings, scratch_database

BOOKS, FUNDS, COST, ROUNDS = 100, 10**12, 4_500, 3
URLCONF = "procurement.demo.bench.urls"
# (writer, number) does one booking in the book of that number.
Step = Callable[[int, int], None]
TABLES = (
    "CREATE TABLE bench_header (key text PRIMARY KEY, kind text NOT NULL, recorded_at text NOT NULL)",
    "CREATE TABLE bench_line (header text, leg integer, account integer, amount bigint, PRIMARY KEY (header, leg))",
    "CREATE TABLE bench_balance (account integer PRIMARY KEY, settled bigint NOT NULL, seq bigint NOT NULL)",
)


BARE = (
    "INSERT INTO bench_header VALUES (%s, %s, %s)",
    "INSERT INTO bench_line VALUES (%s, 1, %s, %s), (%s, 2, %s, %s)",
    "UPDATE bench_balance SET settled = settled + %s, seq = seq + 1 WHERE account = %s",
)


@dataclass(frozen=True)
class Rate:
    """Bookings a second of all writers, and the time that 99 of 100 bookings keep, in milliseconds."""

    per_second: float
    p99: float


@dataclass(frozen=True)
class Compared:
    """One way of booking beside the limit in the same rounds; `ratio` is the median of the rounds' own ratios."""

    name: str
    writers: int
    rate: float
    limit: float
    ratio: float
    p99: float


def bare(writer: int, number: int) -> None:
    """The limit, by the driver's own cursor."""
    cursor, key = connection.connection.cursor(), f"{writer}:{uuid.uuid4()}"
    sqlite = connection.vendor == "sqlite"
    header, lines, balance = (sql.replace("%s", "?") if sqlite else sql for sql in BARE)
    cursor.execute("BEGIN IMMEDIATE" if sqlite else "BEGIN")
    cursor.execute(header, (key, "purchase", "2026-01-01 00:00:00"))
    cursor.execute(lines, (key, 2 * number, -COST, key, 2 * number + 1, COST))
    cursor.execute(balance, (-COST, 2 * number))
    cursor.execute(balance, (COST, 2 * number + 1))
    cursor.execute("COMMIT")
    cursor.close()


def by_ledger(writer: int, number: int) -> None:
    """`ledger.services.post`: key, zero sum, floor, running balances and a hash chain for each account."""
    funds, cost = (postings.code_of(f"bench{number}", "USD", name) for name in ("funds", "purchases"))
    money = Money(COST, "USD")
    lines = [credit(funds, money), debit(cost, money)]
    post(key=f"bench:{writer}:{uuid.uuid4()}", kind="purchase", lines=lines, reference=("order", "bench"))


def by_posting_rule(writer: int, number: int) -> None:
    """`postings.purchase`: the same with the rule around it: the order's name, its earlier bookings and holds looked up."""
    order = str(uuid.uuid4())
    postings.purchase(account_code=f"bench{number}", currency="USD", order_id=order, label=order, amount_minor=COST)


def unchained(writer: int, number: int) -> None:
    """The same with no hash reckoned. It stays so for the rest of the process, which is one writer's own."""
    chain.header_bytes, chain.link = _no_header, _no_hash  # type: ignore[assignment]
    by_ledger(writer, number)


def _no_header(*facts: object) -> bytes:
    return b""


def _no_hash(*facts: object) -> bytes:
    return chain.GENESIS


Ways = Sequence[tuple[str, Step]]
WAYS: Ways = (("ledger.services.post", by_ledger), ("postings.purchase", by_posting_rule))


def measure_ledger(seconds: float) -> list[Compared]:
    """Every way and the limit in turn, `seconds` each in every round; BenchFailed if the books do not verify afterwards."""
    many = 2 if connection.vendor == "sqlite" else 8
    with bench_settings(URLCONF), scratch_database():
        prepare()
        found = [
            one for writers, books in ((1, BOOKS), (2, BOOKS), (many, 1)) for one in compare(writers, books, seconds)
        ]
        problems = verify().findings
        # What is written without hashes does not verify, so this comes last.
        found += compare(
            many, BOOKS, seconds, unchained, [("ledger.services.post beside itself without the chain", by_ledger)]
        )
        if problems or not Entry.objects.exists():
            raise BenchFailed(f"The books do not verify after the run: {problems[:1]}.")
        return found


def prepare() -> None:
    """The bare tables, and a hundred books with more money than the run can spend."""
    with connection.cursor() as cursor:
        for statement in TABLES:
            cursor.execute(statement)
        cursor.executemany("INSERT INTO bench_balance VALUES (%s, 0, 0)", [(number,) for number in range(2 * BOOKS)])
    for number in range(BOOKS):
        account = f"bench{number}"
        codes = {name: postings.code_of(account, "USD", name) for name in ACCOUNTS}
        for name, (role, _) in ACCOUNTS.items():
            floor = 0 if name == "funds" else None
            open_account(code=codes[name], name=codes[name], currency="USD", role=role, owner=account, floor=floor)
        money = Money(FUNDS, "USD")
        post(
            key=f"fund:{number}", kind="deposit", lines=[debit(codes["funds"], money), credit(codes["deposits"], money)]
        )


def compare(writers: int, books: int, seconds: float, limit: Step = bare, ways: Ways = WAYS) -> list[Compared]:
    rounds: list[dict[str, Rate]] = []
    for _ in range(ROUNDS):
        rounds.append({name: run(step, writers, books, seconds) for name, step in (("limit", limit), *ways)})
    return [compared(name, writers, books, rounds) for name, _ in ways]


def compared(name: str, writers: int, books: int, rounds: Sequence[dict[str, Rate]]) -> Compared:
    """The medians over the rounds."""
    median = statistics.median
    where = "one hot account" if books == 1 else f"{books} accounts"
    return Compared(
        name=f"{name}, {where}",
        writers=writers,
        rate=median(one[name].per_second for one in rounds),
        limit=median(one["limit"].per_second for one in rounds),
        ratio=median(one[name].per_second / one["limit"].per_second for one in rounds),
        p99=median(one[name].p99 for one in rounds),
    )


def run(step: Step, writers: int, books: int, seconds: float) -> Rate:
    """Let so many processes book for so long, each on a connection of its own."""
    connections.close_all()
    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()
    start = time.monotonic() + 0.2 * writers
    children = [
        context.Process(target=book_until, args=(step, writer, books, start, seconds, answers))
        for writer in range(writers)
    ]
    for child in children:
        child.start()
    took: list[float] = []
    failed = []
    for _ in children:
        error, times = answers.get()
        failed += [error] if error else []
        took += times
    for child in children:
        child.join()
    if failed:
        raise BenchFailed(f"A writer failed: {failed[0]}.")
    ranked = sorted(took)
    return Rate(len(took) / seconds, ranked[int(len(ranked) * 0.99)] * 1000)


def book_until(step: Step, writer: int, books: int, start: float, seconds: float, answers: Any) -> None:
    """One writer: the seconds of each booking, in the books that are its turn."""
    times: list[float] = []
    try:
        connection.ensure_connection()
        time.sleep(max(0.0, start - time.monotonic()))
        number = writer
        while (began := time.monotonic()) < start + seconds:
            step(writer, number % books)
            times.append(time.monotonic() - began)
            number += 1
        answers.put(("", times))
    except Exception as error:  # whatever it is, the parent must not wait for ever
        answers.put((f"{type(error).__name__}: {error}", times))
    finally:
        connections.close_all()


def as_markdown(found: Sequence[Compared], seconds: float, option: str = "") -> str:
    """The findings; what is compared between machines is the ratio."""
    rows = [
        [one.name, str(one.writers), f"{one.rate:,.0f}", f"{one.limit:,.0f}", f"{one.ratio:.2f}", f"{one.p99:.1f} ms"]
        for one in found
    ]
    facts = facts_line(
        f"median of {ROUNDS} rounds of {seconds:g} s each way",
        f"python3 dev.py bench ledger{option} --requests {seconds:g}",
    )
    head = ["postings a second", "writers", "found", "bare SQL", "ratio", "p99"]
    return "\n".join([facts, "", *table(head, rows, numbers_from=1)])
