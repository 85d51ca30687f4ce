"""docs/security.md names tests that exist, and each row once."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.ROOT)
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")


def test_every_test_that_is_named_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]

    assert missing == []
    assert len(named) > 40


def test_every_row_stands_once_with_a_test() -> None:
    rows = [line.split(" | ") for line in PAGE.splitlines() if re.match(r"\| \d+\.\d+\.\d+", line)]
    numbers = [row[0].removeprefix("| ") for row in rows]

    assert len(numbers) == len(set(numbers))
    assert [row for row in rows if not re.search(r"`tests/.+::.+`", row[-1])] == []
