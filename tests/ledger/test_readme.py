"""The worked examples of the ledger's README run as they are printed."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

import ledger


@pytest.mark.django_db
def test_worked_examples() -> None:
    page = Path(ledger.__file__).with_name("README.md")
    outcome = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 15
    assert outcome.failed == 0
