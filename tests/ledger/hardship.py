"""What only numbers show: kill -9 at random moments, and two processes after the same money, as often as one likes."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawArray, RawValue
from typing import Any

from django.db import connections
from django.db.models import Min

from ledger.errors import BelowFloor, HoldEnded, UnknownHold
from ledger.models import Entry, Line
from ledger.queries import balance
from ledger.services import Posted, credit, debit, hold, post, release, settle
from ledger.verifying import verify
from tests.ledger.conftest import deposit, open_books, usd

FUNDS, WANTED = 1_000, 600
LONGEST_LIFE = 0.15
FORKS = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Kills:
    """How often the writer was killed, how many entries it booked, and how many it found booked already."""

    kills: int
    booked: int
    repeated: int


def kills(times: int, seed: int = 1) -> Kills:
    """A process that books without end, killed after a random time and begun again some steps before its last entry.

    AssertionError unless every step was booked once, its retry got the first answer, and the books verify.
    """
    chance = random.Random(seed)
    open_books()
    # Without their lock: whoever is killed while it holds one would keep it.
    created, repeated = RawValue("q", 0), RawValue("q", 0)
    for _ in range(times):
        child = started(book_from, max(Entry.objects.count() - 5, 0), created, repeated)
        time.sleep(chance.uniform(0.01, LONGEST_LIFE))
        child.kill()
        child.join()
    last = Entry.objects.count()
    for number in range(max(last - 5, 0), last):
        assert not step(number).created, number
    keys = set(Entry.objects.values_list("key", flat=True))
    assert keys == {f"k{number}" for number in range(last)}
    # A booking can be committed and its process be dead before it counted it: once for each kill at most.
    assert last - times <= created.value <= last
    settled = sum(effect(number) for number in range(last))
    held = WANTED if last % 4 == 3 else 0
    now = balance("alpha:funds")
    assert (now.settled, now.held) == (settled, -held)
    assert verify().findings == []
    return Kills(times, last, repeated.value)


def book_from(number: int, created: Any, repeated: Any) -> None:
    while True:
        count = created if step(number).created else repeated
        count.value += 1
        number += 1


def step(number: int) -> Posted:
    """A deposit, a spending, a hold and its end, over and over: always affordable, so that none depends on another's fate."""
    key, money = f"k{number}", usd(abs(effect(number)) or WANTED)
    spent = [credit("alpha:funds", money), debit("alpha:cost", money)]
    if number % 4 == 0:
        return deposit(money.minor, key)
    if number % 4 == 1:
        return post(key=key, kind="spend", lines=spent)
    if number % 4 == 2:
        return hold(key=key, lines=spent)
    return settle(key=key, hold_key=f"k{number - 1}", lines=spent)


def effect(number: int) -> int:
    """What a step does to the settled funds."""
    return (5_000, -(1 + number % 997), 0, -(300 + number % 211))[number % 4]


def races(rounds: int) -> None:
    """Two processes hold more together than there is, then both end the hold that won, in each of so many rounds.

    AssertionError unless one of each pair won every time, the free balance was never below zero, and the books verify.
    """
    open_books()
    deposit(FUNDS)
    gate, wins = FORKS.Barrier(2), RawArray("q", 4)
    children = [started(race, rounds, who, gate, wins) for who in range(2)]
    for child in children:
        child.join()
        assert child.exitcode == 0, "a racer failed"
    assert wins[0] + wins[1] == rounds == wins[2] + wins[3], list(wins)
    now = balance("alpha:funds")
    assert (now.settled, now.held) == (FUNDS, 0)
    least = min(line.free_after for line in Line.objects.filter(account__code="alpha:funds").iterator())
    assert least == FUNDS - WANTED
    assert Line.objects.aggregate(least=Min("held_after"))["least"] == -WANTED
    assert verify().findings == []


def race(rounds: int, who: int, gate: Any, wins: Any) -> None:
    lines = [credit("alpha:funds", usd(WANTED)), debit("alpha:cost", usd(WANTED))]
    for number in range(rounds):
        gate.wait(60)
        with suppress(BelowFloor):
            hold(key=f"{number}:{who}", lines=lines)
            wins[who] += 1
        gate.wait(60)
        for winner in (0, 1):
            with suppress(UnknownHold, HoldEnded):
                release(key=f"{number}:end:{who}", hold_key=f"{number}:{winner}", memo="raced")
                wins[2 + who] += 1


def started(work: Callable[..., None], *arguments: Any) -> Any:
    """A forked process with its own connections."""
    connections.close_all()
    child = FORKS.Process(target=work, args=arguments)
    child.start()
    return child
