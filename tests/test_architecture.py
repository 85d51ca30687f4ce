"""The house rules a reader may rely on: the arrows between packages, and what happens in one place only."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest
from django.conf import settings

ROOT: Path = settings.ROOT
LONGEST_FUNCTION, LONGEST_FILE, USUAL_FUNCTION = 60, 380, 10
# The demo's seed and the sandbox are programs of their own, which nothing imports.
APART = {"sandbox", "demo"}


def sources(*folders: str) -> list[Path]:
    """Python files of the project without migrations."""
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts]


PROJECT = sources("procurement", "ledger")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Each function of a file with its length in lines, its docstring not counted."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            documented = isinstance(node.body[0], ast.Expr) and isinstance(node.body[0].value, ast.Constant)
            words = (node.body[0].end_lineno or 0) - node.body[0].lineno + 1 if documented else 0
            yield f"{name_of(path)}::{node.name}", (node.end_lineno or 0) - node.lineno + 1 - words


def lines_with(pattern: str, paths: list[Path]) -> list[str]:
    found = re.compile(pattern)
    return [
        f"{name_of(path)}:{number}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if found.search(line)
    ]


def test_no_import_points_upwards() -> None:
    # In a process of its own: the linter sets up logging anew and would silence every logger of the tests after it.
    command = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_functions_stay_short() -> None:
    sizes = [size for path in PROJECT for size in functions(path)]

    assert [size for size in sizes if size[1] > LONGEST_FUNCTION] == []
    assert median(length for _, length in sizes) <= USUAL_FUNCTION


def test_files_stay_short() -> None:
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PROJECT}

    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_every_module_says_what_it_is_for() -> None:
    said = {"__init__.py", "apps.py", "urls.py"}
    silent = [path for path in PROJECT if path.name not in said and not ast.get_docstring(ast.parse(path.read_text()))]

    assert [name_of(path) for path in silent] == []


def test_only_the_settings_read_the_environment() -> None:
    elsewhere = [path for path in PROJECT if path.name not in {"settings.py", "manage.py"} and not in_apart(path)]
    named = [line for line in lines_with(r"os\.environ|getenv", elsewhere) if not names_the_settings(line)]

    assert named == []


def names_the_settings(line: str) -> bool:
    """Programs that Django does not start must say which settings are theirs; nothing else is read."""
    name, _, number = line.partition(":")
    return "DJANGO_SETTINGS_MODULE" in (ROOT / name).read_text(encoding="utf-8").splitlines()[int(number) - 1]


def in_apart(path: Path) -> bool:
    return bool(APART & set(path.relative_to(ROOT).parts))


@pytest.mark.requirement("R100")
def test_only_the_supplier_clients_speak_to_suppliers() -> None:
    # The vault's transit speaks to the key service, which is no supplier.
    elsewhere = [
        path
        for path in PROJECT
        if not in_apart(path) and "clients" not in path.parts and name_of(path) != "procurement/vault/transit.py"
    ]
    speaking = lines_with(r"httpx\.(get|post|put|request|Client)|urlopen|requests\.", elsewhere)

    assert speaking == []


@pytest.mark.requirement("R62")
def test_nothing_is_sealed_or_opened_but_by_those_who_keep_codes_and_keys() -> None:
    users = {line.partition(":")[0] for line in lines_with(r"\b(open_sealed|seal)\(", PROJECT)}

    assert {str(Path(name).parent) for name in users if not name.startswith("procurement/vault")} <= {
        "procurement/claims/services",
        # The bench of the rotation fills a database that is dropped.
        "procurement/demo/bench",
        "procurement/orders/services",
        "procurement/staff",
        "procurement/suppliers",
        "procurement/suppliers/clients",
    }


def test_only_transition_writes_a_state() -> None:
    # The guards name states in SQL, to refuse what would write them.
    elsewhere = [path for path in PROJECT if not in_apart(path) and path.name not in {"states.py", "guards.py"}]
    writing = lines_with(r"\.update\([^)]*\bstate=|\.state = ", elsewhere)

    assert [line for line in writing if not line.startswith("procurement/orders/services/receiving.py")] == []


def test_nothing_locks_rows_because_one_database_would_ignore_it() -> None:
    assert lines_with(r"select_for_update", PROJECT) == []
