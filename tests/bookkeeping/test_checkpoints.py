"""Checkpoints are made by themselves, and leave the database."""

from __future__ import annotations

import logging

import pytest

from ledger.models import Checkpoint
from procurement.bookkeeping.tasks import checkpoint_ledger_task
from tests.ledger.conftest import deposit, open_books

pytestmark = [pytest.mark.django_db, pytest.mark.requirement("R84")]


def test_a_seal_goes_to_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    open_books()
    deposit(500)
    with caplog.at_level(logging.INFO, "procurement.bookkeeping.tasks"):
        checkpoint_ledger_task()
        checkpoint_ledger_task()
    made = Checkpoint.objects.get()
    assert [record.getMessage() for record in caplog.records] == [f"checkpoint 1: {bytes(made.hash).hex()}"]
