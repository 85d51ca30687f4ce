"""How tests that commit empty the database again, although its append-only tables refuse to be emptied."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import TransactionTestCase

from ledger import guards


@contextmanager
def guards_lifted_while_emptying() -> Iterator[None]:
    """While this lasts, Django's flush after a transactional test, and nothing else, runs with triggers off."""
    plain = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]

    def teardown(case: TransactionTestCase) -> None:
        with guards.lifted(connection):
            plain(case)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", teardown)
        yield
