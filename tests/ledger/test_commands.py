"""`verify_ledger` and `checkpoint_ledger` as an operator runs them."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from ledger.models import Checkpoint
from ledger.services import Posted
from tests.ledger.test_chain import tamper

pytestmark = pytest.mark.django_db


def run(command: str, *arguments: str) -> str:
    out = StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()


def test_a_checkpoint_is_printed_and_read_back(books: Callable[..., Posted], tmp_path: Path) -> None:
    books(500)
    kept = tmp_path / "checkpoints.log"
    kept.write_text(run("checkpoint_ledger"))
    said = run("verify_ledger", "--published", str(kept))
    assert "Read 2 lines and 1 checkpoints" in said
    assert "compared 1 published" in said
    assert "Everything holds. Last: checkpoint 1: " in said


def test_what_does_not_hold_is_named_and_the_command_fails(books: Callable[..., Posted]) -> None:
    books(500)
    tamper("UPDATE ledger_entry SET memo = 'forged'")
    out = StringIO()
    with pytest.raises(CommandError, match="2 findings"):
        call_command("verify_ledger", stdout=out)
    assert "alpha:funds line 1: the line or its entry was changed after it was booked" in out.getvalue()


def test_a_file_without_checkpoints_proves_nothing(tmp_path: Path) -> None:
    for path, says in ((tmp_path / "none", "cannot be read"), (tmp_path / "empty", "names no checkpoint")):
        if says == "names no checkpoint":
            path.write_text("nothing here")
        with pytest.raises(CommandError, match=says):
            run("verify_ledger", "--published", str(path))


def test_an_empty_ledger_has_nothing_to_cover() -> None:
    assert "nothing to checkpoint" in run("checkpoint_ledger")
    assert "There is no checkpoint yet" in run("verify_ledger")
    assert not Checkpoint.objects.exists()
