"""A database that fails once: at the k-th statement, or at the k-th COMMIT, which may have taken effect all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import OperationalError, connection

STATEMENT, COMMIT, COMMIT_ANSWER = "statement", "COMMIT", "the answer to COMMIT"
WAYS = (STATEMENT, COMMIT, COMMIT_ANSWER)


@dataclass
class Failure:
    """The `number`-th of its kind fails; number 0 never, and counts. `where` is what failed."""

    way: str
    number: int
    count: int = 0
    where: str = ""

    def is_now(self, way: str) -> bool:
        if way != self.way:
            return False
        self.count += 1
        return self.count == self.number

    def statement(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if self.is_now(STATEMENT):
            self.where = " ".join(sql.split()[:4])
            raise OperationalError(f"the database failed at {self.where}")
        return execute(sql, params, many, context)


@contextmanager
def failing(failure: Failure) -> Iterator[None]:
    """While this lasts, the database fails as `failure` says."""
    database: Any = connection
    commit = database._commit

    def committed() -> None:
        if failure.is_now(COMMIT):
            failure.where = COMMIT
            raise OperationalError("the database failed at COMMIT")
        commit()
        if failure.is_now(COMMIT_ANSWER):
            failure.where = COMMIT_ANSWER
            raise OperationalError("the connection was lost in COMMIT")

    database._commit = committed
    try:
        with connection.execute_wrapper(failure.statement):
            yield
    finally:
        database._commit = commit
