"""The task runner: every foreseeable obstacle is one sentence and exit code 1, never a traceback."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dev
from tests.work.child import ROOT

pytestmark = pytest.mark.any_database
COMMANDS = ["demo", "test", "check", "fix", "bench", "simulate", "faults", "lock", "manage"]
SYSTEM_PYTHON = os.path.realpath(sys.executable)


def call(*arguments: str, root: Path = ROOT, python: str = SYSTEM_PYTHON, **environment: str) -> tuple[int, str]:
    """`python3 dev.py ...` in a copy or in the project: exit code and everything said."""
    done = subprocess.run(
        [python, "dev.py", *arguments],
        cwd=root,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout.strip()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """dev.py with its locks in an empty folder: nothing is prepared there."""
    shutil.copy(ROOT / "dev.py", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    return tmp_path


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_each_command_in_one_line(arguments: tuple[str, ...]) -> None:
    code, said = call(*arguments)

    assert code == 0
    assert re.findall(r"^  (\w+) +\w", said, flags=re.M) == COMMANDS


def test_an_unknown_command_is_refused() -> None:
    assert call("tset") == (1, "There is no command 'tset'. python3 dev.py --help lists them.")


def test_no_index_is_one_sentence(copy: Path) -> None:
    nowhere = "http://127.0.0.1:1/simple"
    code, said = call(
        "demo",
        root=copy,
        PIP_INDEX_URL=nowhere,
        PIP_NO_INDEX="1",
        PIP_FIND_LINKS="",
        UV_DEFAULT_INDEX=nowhere,
        UV_OFFLINE="1",
        UV_NO_CACHE="1",
    )

    assert code == 1
    assert said.splitlines()[-1].startswith("The packages could not be installed, so nothing was started")
    assert len(said.splitlines()) == 2
    assert not list((copy / ".venv").glob(".installed-*"))


def test_a_python_without_the_venv_module_is_one_sentence(copy: Path) -> None:
    broken = copy / "broken"
    broken.mkdir()
    (broken / "venv.py").write_text("raise ImportError('No module named ensurepip')")
    # Nothing on PATH: neither a uv, nor an apt-get that would repair it.
    code, said = call("demo", root=copy, PYTHONPATH=str(broken), PATH=str(broken))

    assert (code, said.splitlines()[-1]) == (
        1,
        "Python could not make the environment .venv; on Debian or Ubuntu: apt-get install python3-venv",
    )
    assert not (copy / ".venv").exists()


def test_an_old_python_is_one_sentence(copy: Path) -> None:
    """The very first lines run on an old Python: it must understand them well enough to refuse."""
    (copy / "sitecustomize.py").write_text("import sys; sys.version_info = (3, 9, 2, 'final', 0)")

    assert call("demo", root=copy, PYTHONPATH=str(copy)) == (
        1,
        "Countersign needs Python 3.11 or newer; this is Python 3.9.",
    )


@pytest.mark.parametrize("variable", ["DATABASE_URL", "BROKER_URL"])
def test_a_named_server_that_does_not_answer_stops_the_tests(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scheme = {"DATABASE_URL": "postgresql", "BROKER_URL": "amqp"}[variable]
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("BROKER_URL", raising=False)
    monkeypatch.setenv(variable, f"{scheme}://user:secret@127.0.0.1:1/x")
    code, said = call("test")

    assert (code, said) == (1, f"{variable} names 127.0.0.1:1, but nothing answers there; no test was run.")


def test_the_first_browser_on_the_path_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("google-chrome", "chromium"):
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("COUNTERSIGN_BROWSER", raising=False)

    assert dev.find_browser() == str(tmp_path / "chromium")
    monkeypatch.setenv("COUNTERSIGN_BROWSER", "/opt/mine")
    assert dev.find_browser() == "/opt/mine"


@pytest.mark.parametrize(("missing", "asked"), [("spin", [dev.TOOLS[0][1]]), ("hledger", [dev.TOOLS[1][1]]), ("", [])])
def test_programs_that_tests_run_are_installed_where_they_are_missing(
    missing: str, asked: list[object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {command for commands, _, _ in dev.TOOLS for command in commands} - {missing}:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    wanted: list[object] = []
    monkeypatch.setattr(dev, "apt_install", lambda packages, purpose: wanted.append(packages))

    dev.install_tools()

    assert wanted == asked


def test_uv_is_handed_the_index_that_pip_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv("PIP_CERT", "/etc/mine.pem")

    assert dev.index_environment()["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert dev.index_environment()["SSL_CERT_FILE"] == "/etc/mine.pem"


@pytest.mark.parametrize("name", ["runtime", "test"])
def test_the_locks_name_versions_and_hashes_and_no_host(name: str) -> None:
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()

    assert all(
        re.match(r"[a-z0-9][\w.-]*==\S+( ; .+)? \\$|    --hash=sha256:[0-9a-f]{64}( \\)?$", line) for line in lines
    )
