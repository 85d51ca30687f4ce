"""A process that kills itself, without a farewell, the k-th time it passes a named point; and what passing them is called.

Beside the program's own points each commit has two (`… | before COMMIT`, `… | after COMMIT`, named by the point before
it) and each writing statement one (`before INSERT work_duework`).
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from procurement import faultpoints

# Statements that are sent together have one point, named by the first that writes.
WRITING = re.compile(r'(?:^|; )\s*(INSERT INTO|UPDATE|DELETE FROM) "?(\w+)', re.IGNORECASE)


def kind_of(point: str) -> str:
    """`named` in the program, or given by the database: `commit`, `statement`."""
    return "commit" if " | " in point else "statement" if point.startswith("before ") else "named"


@dataclass
class Points:
    """Counts the points passed, and ends the process at one of them."""

    point: str = ""
    visit: int = 1
    passed: Counter[str] = field(default_factory=Counter)
    last: str = "the start"

    def __call__(self, name: str) -> None:
        self.passed[name] += 1
        if kind_of(name) == "named":
            self.last = name
        if name == self.point and self.passed[name] == self.visit:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        found = WRITING.search(sql)
        if found:
            self(f"before {found[1].split()[0].upper()} {found[2]}")
        if not sql.endswith("COMMIT"):
            return execute(sql, params, many, context)
        before = self.last
        self(f"{before} | before COMMIT")
        result = execute(sql, params, many, context)
        self(f"{before} | after COMMIT")
        return result


@contextmanager
def watched(points: Points) -> Iterator[None]:
    """While this lasts, every point that is passed is `points`' to hear of."""
    database: Any = connection
    commit = database._commit

    def committed() -> None:
        before = points.last
        points(f"{before} | before COMMIT")
        commit()
        points(f"{before} | after COMMIT")

    faultpoints.hook, database._commit = points, committed
    try:
        with connection.execute_wrapper(points.statement):
            yield
    finally:
        faultpoints.hook, database._commit = None, commit
