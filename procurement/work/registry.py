"""Which function does which kind of work. Each app's `tasks.py` registers its own; this package knows none of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ImproperlyConfigured

# Who goes first when more is due than workers are free (R45). Work that calls nobody is quick and goes between.
FIRST, CODES, CLAIMS, USUAL, POLLS, LAST = 10, 20, 30, 40, 50, 60

Handler = Callable[[str], datetime | None]
Job = Callable[[], None]


@dataclass(frozen=True)
class PeriodicJob:
    name: str
    every: timedelta
    run: Job


def nobody(ref: str) -> str:
    """The account of work that calls no supplier."""
    return ""


@dataclass(frozen=True)
class Traits:
    """What is known of a kind: its rank, and `account(ref)`, whom a piece of it calls."""

    rank: int = USUAL
    account: Callable[[str], str] = nobody


HANDLERS: dict[str, Handler] = {}
TRAITS: dict[str, Traits] = {}
JOBS: dict[str, PeriodicJob] = {}


def handler(kind: str, *, rank: int = USUAL, account: Callable[[str], str] = nobody) -> Callable[[Handler], Handler]:
    """Register `fn(ref)` for one kind of due work, its rank (lower first) and whom a piece of it calls.

    It returns None when the work is done, or when it is due again (UTC); after an exception it is tried again.
    A handler may run twice for one wish (a worker that dies is replaced), so it begins with a conditional UPDATE.
    """

    def register(function: Handler) -> Handler:
        refuse_second(HANDLERS.get(kind), function, kind)
        HANDLERS[kind] = function
        TRAITS[kind] = Traits(rank, account)
        return function

    return register


def periodic(name: str, *, every: timedelta) -> Callable[[Job], Job]:
    """Register `fn()` to run once in each interval of `every`, counted from 1970-01-01 00:00 UTC.

    Intervals missed while nothing ran are made good by a single run. Keep it short: make rows due and return.
    """

    def register(function: Job) -> Job:
        present = JOBS.get(name)
        refuse_second(present.run if present else None, function, name)
        JOBS[name] = PeriodicJob(name, every, function)
        return function

    return register


def refuse_second(present: Callable[..., object] | None, new: Callable[..., object], name: str) -> None:
    """Two functions under one name would silently replace each other."""
    if present is not None and (present.__module__, present.__qualname__) != (new.__module__, new.__qualname__):
        raise ImproperlyConfigured(f"{name} is registered by {present.__module__} and by {new.__module__}.")
