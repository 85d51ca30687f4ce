"""A few rounds of what `python3 dev.py simulate --books --kills N --races N` does in thousands."""

from __future__ import annotations

import pytest

from tests.ledger.hardship import kills, races

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R84", "R90")]


def test_a_writer_killed_at_random_moments_loses_and_doubles_nothing() -> None:
    done = kills(8)
    assert done.booked > 0


def test_of_two_processes_after_the_same_money_and_the_same_hold_one_wins() -> None:
    races(25)
