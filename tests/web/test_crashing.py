"""A process that an error ends says the kind and the place of it, never the words: they may quote a code or a key."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured

from procurement.settings import database
from procurement.web.crashing import crash_sentence
from procurement.web.request_id import LineFormatter

ROOT = Path(django_settings.ROOT)
CANARY = "TST0-CANA-RY77"
pytestmark = pytest.mark.any_database

FAIL = """
def fail(*args, **kwargs):
    word = "-".join(["TST0", "CANA", "RY77"])
    try:
        raise KeyError(word)
    except KeyError as cause:
        error = ValueError(f"cannot take {word}")
        error.add_note(word)
        raise error from cause
"""
IN_A_COMMAND = f"""
from django.core.management import call_command
from procurement.audit.management.commands import verify_audit
{FAIL}
verify_audit.chain_events = fail
call_command("verify_audit", skip_checks=True)
"""
IN_A_THREAD = f"""
import threading
{FAIL}
thread = threading.Thread(target=fail)
thread.start()
thread.join()
"""
WHILE_TIDYING = f"""
{FAIL}
class Held:
    __del__ = fail
    __repr__ = lambda self: "-".join(["TST0", "CANA", "RY77"])
Held()
"""


def shell(code: str, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`manage.py shell -c`: a management command like any other, which does whatever it is told."""
    return subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", code, *options],
        cwd=ROOT,
        env={"COUNTERSIGN_DATA_DIR": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_command_that_crashes_says_what_and_where_and_none_of_the_errors_words(tmp_path: Path) -> None:
    ended = shell(IN_A_COMMAND, tmp_path)

    assert ended.returncode == 1
    assert CANARY not in ended.stdout + ended.stderr
    assert re.fullmatch(
        r"Ended by an error that nothing here expects: ValueError at "
        r"procurement/audit/management/commands/verify_audit\.py:\d+ in handle\. Its words are kept back, .+\n",
        ended.stderr,
    )


def test_traceback_adds_every_place_and_still_no_words(tmp_path: Path) -> None:
    ended = shell(IN_A_COMMAND, tmp_path, "--traceback")

    assert ended.returncode == 1
    assert CANARY not in ended.stdout + ended.stderr
    places = ended.stderr.splitlines()[1:]
    assert [line for line in places if not line.startswith("  ")] == ["ValueError", "KeyError"]
    assert any(re.search(r"verify_audit\.py:\d+ in handle$", line) for line in places)


@pytest.mark.parametrize("code", [IN_A_THREAD, WHILE_TIDYING], ids=["a thread", "while tidying up"])
def test_what_fails_aside_is_a_line_of_the_log_without_words(code: str, tmp_path: Path) -> None:
    ended = shell(code, tmp_path)

    assert ended.returncode == 0
    assert CANARY not in ended.stdout + ended.stderr
    assert re.search(r"^\S+Z ERROR procurement\.web\.crashing ", ended.stderr)
    assert "    ValueError\n" in ended.stderr


@pytest.mark.parametrize("options", [(), ("--traceback",)])
def test_a_refusal_of_a_command_keeps_its_words(options: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "from django.core.management import CommandError; raise CommandError('Nothing was done.') from ValueError('x1')"
    )
    ended = shell(code, tmp_path, *options)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == "CommandError: Nothing was done."
    assert "x1" not in ended.stderr


def test_a_wrong_setting_keeps_its_words_and_quotes_no_password() -> None:
    with pytest.raises(ImproperlyConfigured, match="no number where its port belongs") as wrong:
        database("postgresql://desk:CANARY/RY77@db:5432/desk", Path())

    assert crash_sentence(wrong.value).startswith("ImproperlyConfigured: DATABASE_URL has no number")
    assert "CANARY" not in crash_sentence(wrong.value)
    assert crash_sentence(ImproperlyConfigured("CANARY")).count("CANARY") == 0


def test_a_log_line_that_is_given_an_error_to_quote_writes_its_kind() -> None:
    """As Celery does of what ends its worker: `Unrecoverable error: %r`."""
    record = logging.LogRecord("n", logging.ERROR, "", 1, "Lost %s: %r", ("it", ValueError(CANARY)), None)

    assert LineFormatter().format(record) == "Lost it: 'ValueError'"
    assert record.args == ("it", record.args[1])  # type: ignore[index]
