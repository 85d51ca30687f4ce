"""A worker that dies at a chosen point: before or after any statement, any commit, or any byte to a supplier.

What follows its death, up to the `finally` clauses that a killed process would never run, does nothing any more: each
statement is refused and an open transaction is rolled back, as the database does when its client is gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection

WRITES = ("INSERT", "UPDATE", "DELETE")


class Killed(BaseException):
    """The process was killed here."""


class Death:
    """Counts the points a worker passes and kills it at the chosen one; kind is statement, commit, wire or paid."""

    def __init__(self) -> None:
        self.kind, self.left, self.after, self.dead = "", 0, False, False
        self.where = ""

    def plan(self, kind: str, number: int, *, after: bool) -> None:
        """Die at the `number`-th point of a kind from now on (1 = the next), before or after it takes effect."""
        self.kind, self.left, self.after, self.dead, self.where = kind, number, after, False, ""

    def cancel(self) -> None:
        self.plan("", 0, after=False)

    def reached(self, kind: str) -> bool:
        """Whether this point is the chosen one."""
        if kind != self.kind:
            return False
        self.left -= 1
        return self.left == 0

    def die(self, where: str) -> None:
        self.dead, self.where = True, where
        raise Killed(where)

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if self.dead:
            raise Killed
        chosen = sql.startswith(WRITES) and self.reached("statement")
        what = " ".join(sql.split()[:3])[:40]
        if chosen and not self.after:
            self.die(f"before {what}")
        result = execute(sql, params, many, context)
        if chosen:
            self.die(f"after {what}")
        return result


@contextmanager
def mortal(death: Death) -> Iterator[None]:
    """While this lasts, `death` decides over the code that uses the database."""
    commit = connection._commit  # type: ignore[attr-defined]

    def committed() -> None:
        chosen = not death.dead and death.reached("commit")
        if death.dead or (chosen and not death.after):
            # Leaving the block would commit on SQLite; a database whose client is gone rolls back.
            connection._rollback()  # type: ignore[attr-defined]
            death.die(death.where or "before COMMIT")
        commit()
        if chosen:
            death.die("after COMMIT")

    connection._commit = committed  # type: ignore[attr-defined]
    try:
        with connection.execute_wrapper(death.statement):
            yield
    finally:
        connection._commit = commit  # type: ignore[attr-defined]
        if death.dead:
            connection.run_on_commit = []
            death.cancel()
        assert not connection.in_atomic_block
