"""The bench of the rotation: it kills one, finishes it, and says what it did to the codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from procurement.demo.bench.rotation import Rotated, Spent, as_markdown, rotated
from procurement.vault import rotation
from procurement.vault.models import CryptoKey

FOUND = Rotated(
    codes=1000, killed_after=520, killed=Spent(3.0, 1.0), finished=Spent(3.0, 2.0),
    crypto=Spent(1.0, 0.5), rows=Spent(2.0, 0.5), left=0, twice=0, lost=0, reads=7, failed_reads=0
)  # fmt: skip


@pytest.mark.django_db(transaction=True)
@pytest.mark.requirement("R61")
def test_a_killed_rotation_is_finished_with_nothing_lost_and_nothing_sealed_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rotation, "BATCH", 40)

    found = rotated(2000)

    assert found.broken == []
    assert 1000 <= found.killed_after <= 2000
    assert min(*found.bare, *found.killed) > 0
    assert CryptoKey.objects.filter(purpose="code", status="active").exists()


@pytest.mark.django_db
def test_both_runs_are_compared_with_the_bare_work() -> None:
    lines = as_markdown(FOUND).splitlines()
    assert "`python3 dev.py bench rotation --requests 1000`" in lines[0]
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[4:]]
    assert cells[2] == ["both together", "6.0", "2.0", "3.0", "3.0"]
    assert cells[4] == ["bare: read and write the same rows", "2.0", "0.7", "0.5", "0.5"]


def test_what_must_never_be_is_said() -> None:
    assert replace(FOUND, lost=2, twice=1, failed_reads=4, left=3).broken == [
        "2 codes were lost.",
        "1 codes were sealed twice.",
        "3 codes were not sealed anew.",
        "4 codes were not readable meanwhile.",
    ]
