"""A long history out of a seed, on one naive model: the same seed gives the same last checkpoint on SQLite and on PostgreSQL.

Every chance, id and instant comes out of the seed. A step deposits, spends, holds, settles, releases, reverses or notes,
some of it for an earlier day; some steps are sent again, some lose their transaction, some close the books of a day.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from unittest.mock import patch

import time_machine
from django.db import connection, transaction

from ledger import booking
from ledger.checkpoints import checkpoint, last_checkpoint
from ledger.closing import close_books, closed_through
from ledger.errors import BooksClosed
from ledger.models import first_id
from ledger.queries import balance, balance_at, balance_on, trial_balance
from ledger.verifying import verify
from tests.ledger.conftest import open_books
from tests.ledger.naive import Naive, attempt

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES, WEIGHTS = zip(
    *{"deposit": 5, "spend": 4, "hold": 6, "settle": 5, "release": 2, "reverse": 2, "note": 1}.items(), strict=True
)
AGAIN, LOST, BACKDATED, CLOSES = 0.1, 0.05, 0.1, 0.002


class History:
    """`steps` steps from `seed`; AssertionError, with the step, where ledger and model part."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        # Not the same one: what is asked must not change what happens.
        self.curiosity = random.Random(seed)
        self.after: list[tuple[datetime, int, int]] = []
        self.moved: dict[date, int] = {}
        self.naive = Naive()
        self.number = 0
        self.booked = self.refused = self.lost = self.asked = 0

    def run(self, steps: int, *, check_every: int = 1_000) -> str:
        """The hash of the last checkpoint, which covers every column of every entry."""
        with self.out_of_the_seed() as clock:
            open_books()
            for self.number in range(1, steps + 1):
                clock.shift(timedelta(seconds=self.chance.randrange(400), microseconds=self.chance.randrange(10**6)))
                self.step()
                if self.number % check_every == 0:
                    self.check()
            self.check()
            report = verify()
            assert report.findings == [], report.findings
        last = last_checkpoint()
        return bytes(last.hash).hex() if last else ""

    @contextmanager
    def out_of_the_seed(self) -> Iterator[Any]:
        def new_id(at: datetime) -> uuid.UUID:
            return uuid.UUID(int=first_id(at).int | self.chance.getrandbits(62))

        with patch.object(booking, "new_id", new_id), time_machine.travel(BEGAN, tick=False) as clock:
            yield clock

    def step(self) -> None:
        name = self.chance.choices(NAMES, WEIGHTS)[0]
        amount = self.chance.randrange(0 if name == "settle" else 1, 5_000)
        key, picked = f"k{self.number}", self.earlier(name)
        day = self.earlier_day() if self.chance.random() < BACKDATED else None
        if self.chance.random() < LOST:
            self.lose(name, amount, picked, key, day)
        if self.chance.random() < CLOSES:
            self.close()
        try:
            posted = attempt(name, amount, picked, key, day)
        except BooksClosed:
            assert day, self.number
            assert day <= (closed_through("alpha") or date.min), self.number
            return
        before = self.naive.free
        allowed = self.naive.step(name, amount, picked, key)
        assert (posted is not None) == allowed, f"step {self.number}: {name} {amount} {picked}"
        self.booked, self.refused = self.booked + allowed, self.refused + (not allowed)
        if allowed and self.chance.random() < AGAIN:
            again = attempt(name, amount, picked, key, day)
            assert again, self.number
            assert not again.created, self.number
        now, today = balance("alpha:funds"), datetime.now(UTC)
        assert (now.settled, now.free) == (self.naive.settled, self.naive.free), self.number
        self.after.append((today, now.settled, now.free))
        # Only what is posted takes a day of its own here.
        dated = day if day and name in ("deposit", "spend") else today.date()
        self.moved[dated] = self.moved.get(dated, 0) + now.free - before

    def earlier(self, name: str) -> str:
        """The entry that a step is about: mostly one for which it is allowed."""
        fit = list(self.naive.reversible if name == "reverse" else self.naive.holds)[-20:]
        if fit and self.chance.random() < 0.8:
            return self.chance.choice(fit)
        return f"k{self.number - self.chance.randrange(1, 12)}"

    def earlier_day(self) -> date:
        return datetime.now(UTC).date() - timedelta(days=self.chance.randrange(1, 4))

    def lose(self, name: str, amount: int, picked: str, key: str, day: date | None) -> None:
        """The same step in a transaction that does not take effect."""
        before = balance("alpha:funds")
        with transaction.atomic():
            with suppress(BooksClosed):
                attempt(name, amount, picked, key, day)
            transaction.set_rollback(True)
        assert balance("alpha:funds") == before, self.number
        self.lost += 1

    def close(self) -> None:
        through = datetime.now(UTC).date() - timedelta(days=2)
        closed = closed_through("alpha")
        if last_checkpoint() and (closed is None or closed < through):
            close_books(owner="alpha", through=through, closed_by="one", reviewed_by="another")

    def check(self) -> None:
        """Each currency adds up to zero, and what came since the last checkpoint is as it was chained."""
        rows = trial_balance("USD")
        assert sum(row.debit - row.credit for row in rows) == 0 == sum(row.held for row in rows), self.number
        last = last_checkpoint()
        checkpoint()
        report = verify(since_checkpoint=last.no if last else 0)
        assert report.findings == [], report.findings
        connection.check_constraints()
        for _ in range(10):
            self.ask()

    def ask(self) -> None:
        """The balance as recorded at some instant, and by effective day on some day, beside a replay."""
        at, settled, free = self.curiosity.choice(self.after)
        then = balance_at("alpha:funds", at)
        assert (then.settled, then.free) == (settled, free), at
        day = at.date() - timedelta(days=self.curiosity.randrange(4))
        expected = sum(moved for dated, moved in self.moved.items() if dated <= day)
        assert balance_on("alpha:funds", day).free == expected, day
        self.asked += 2
