#!/usr/bin/env python3
"""The task runner: needs nothing but Python 3.11 or newer, and prepares its own environment in .venv."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:
    sys.exit("Countersign runs on Linux and macOS; on Windows use the Windows Subsystem for Linux.")
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Countersign needs Python 3.11 or newer; this is Python {sys.version_info[0]}.{sys.version_info[1]}.")

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCKS = ROOT / "requirements"
CACHE = ROOT / "var" / "cache"
UV_VERSION = "0.13.8"
BROWSERS = ("chromium-headless-shell", "chromium", "google-chrome")
BROWSER_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
# Programs that some tests run, the Debian packages they come in, and what for.
TOOLS = (
    (("spin", "cc", "cpp"), ("spin", "gcc", "libc6-dev"), "the test of the model of placing"),
    (("hledger",), ("hledger",), "the test that reckons the ledger again"),
)
HELP = """\
usage: python3 dev.py COMMAND [options]

  demo     run the whole desk with sample data: web, worker, scheduler and a supplier sandbox
  test     run the tests; options go to pytest (--no-browser, --no-spin skip the tests that need one)
  check    lint, types, module boundaries, migrations, deployment settings; writes nothing
  fix      repair what ruff can, format the code, write the generated pages
  bench    measure the busy pages; or: webhooks, engine (of placing), idle (a minute of nothing), rotation (100,000 codes), ledger
           (also --lines N, --beside hordak)
  simulate buy through seeded faults and check what must hold: --supplier alpha|psnb2b --runs N --seed N
           (--books --steps N: a long history of the ledger alone)
  faults   kill a worker at every named point and check what must hold: --list, --points PATTERN, --seeds N, --jobs N
  lock     resolve the dependencies anew into requirements/
  manage   pass a command to manage.py, for example: python3 dev.py manage shell
"""


class Stop(Exception):
    """A sentence for the person at the terminal; the exit code is 1."""


def main(arguments: list[str]) -> int:
    commands = {
        "demo": lambda rest: manage(["demo", *rest]),
        "test": test,
        "check": check,
        "fix": fix,
        "bench": lambda rest: manage(["bench", *rest]),
        "simulate": simulate,
        "faults": faults,
        "lock": lock,
        "manage": manage,
    }
    if not arguments or arguments[0] in {"-h", "--help", "help"}:
        print(HELP, end="")
        return 0
    if arguments[0] not in commands:
        raise Stop(f"There is no command {arguments[0]!r}. python3 dev.py --help lists them.")
    return commands[arguments[0]](arguments[1:])


def manage(rest: list[str]) -> int:
    prepare("runtime")
    become([str(PYTHON), "manage.py", *rest])
    return 0


def test(rest: list[str]) -> int:
    for name in ("DATABASE_URL", "BROKER_URL"):
        require_server(name)
    prepare("test")
    arguments = list(rest)
    if "--no-browser" not in arguments:
        os.environ["COUNTERSIGN_BROWSER"] = find_browser()
    if "--no-spin" not in arguments:
        install_tools()
    if not any(argument.startswith(("-n", "--numprocesses", "-p no:xdist", "--pdb")) for argument in arguments):
        # One more than there are processors: a fifth of a test's time is waiting for a server, a browser or a process.
        arguments = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadgroup", *arguments]
    become([str(PYTHON), "-m", "pytest", *arguments])
    return 0


def simulate(rest: list[str]) -> int:
    """Seeded fault runs against the suppliers' own engine, or of the ledger; the exit code is 1 when one broke an invariant."""
    require_server("DATABASE_URL")
    prepare("test")
    become([str(PYTHON), "-m", "tests.ledger" if "--books" in rest else "tests.simulation", *rest])
    return 0


def faults(rest: list[str]) -> int:
    """A worker killed at every point of a small day; the exit code is 1 when something was not as it must be."""
    require_server("DATABASE_URL")
    prepare("test")
    become([str(PYTHON), "-m", "tests.faults", *rest])
    return 0


def check(rest: list[str]) -> int:
    """Everything that can be said without running the tests; every part runs, then the failed ones are named."""
    prepare("test")
    with tempfile.TemporaryDirectory(prefix="countersign-check-") as folder:
        steps = {
            "lint": ["-m", "ruff", "check", "--quiet", "."],
            "format": ["-m", "ruff", "format", "--quiet", "--check", "."],
            "types": ["-m", "mypy", "--no-error-summary"],
            "boundaries": ["-c", IMPORT_LINTER, "--no-logo", "--cache-dir", str(CACHE / "import-linter")],
            "migrations": ["manage.py", "makemigrations", "--check", "--dry-run"],
            "deployment": ["manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        }
        if has_command("docs"):
            steps["generated pages"] = ["manage.py", "docs", "--check"]
        failed = [name for name, step in steps.items() if not passes(name, step, folder)]
    if failed:
        raise Stop("Not in order: " + ", ".join(failed) + ". python3 dev.py fix repairs what can be repaired.")
    return 0


IMPORT_LINTER = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"


def passes(name: str, step: list[str], folder: str) -> bool:
    """Run one part quietly; show what it said only when it found something."""
    environment = dict(os.environ)
    if name == "deployment":
        environment.update(live_settings(folder))
    done = subprocess.run([PYTHON, *step], cwd=ROOT, env=environment, stdout=-1, stderr=subprocess.STDOUT, text=True)
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'}  {name}", flush=True)
    if done.returncode:
        print(done.stdout, flush=True)
    return done.returncode == 0


def live_settings(folder: str) -> dict[str, str]:
    """The environment of a live installation, with throw-away keys."""
    return {
        "COUNTERSIGN_ENV": "live",
        "COUNTERSIGN_DATA_DIR": folder,
        "COUNTERSIGN_SECRET_KEY": secrets.token_urlsafe(64),
        "COUNTERSIGN_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "COUNTERSIGN_HOSTS": "countersign.example",
        "COUNTERSIGN_SITE_URL": "https://countersign.example",
        "COUNTERSIGN_SUPPLIER_HOSTS": "psnb2b.com",
        "COUNTERSIGN_DEBUG": "0",
    }


def fix(rest: list[str]) -> int:
    prepare("test")
    results = [run("-m", "ruff", "check", "--fix", "."), run("-m", "ruff", "format", ".")]
    if has_command("docs"):
        results.append(run("manage.py", "docs"))
    return max(results)


def lock(rest: list[str]) -> int:
    """Names, versions and hashes only: no host is recorded, so that any mirror of the index serves."""
    prepare("runtime")
    common = [uv(), "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--no-annotate", "--no-header"]
    runtime, everything = LOCKS / "runtime.txt", LOCKS / "test.txt"
    upgrade = ["--upgrade"] if "--upgrade" in rest else []
    for command in (
        [*common, *upgrade, "pyproject.toml", "-o", str(runtime)],
        [*common, *upgrade, "pyproject.toml", "--group", "test", "-c", str(runtime), "-o", str(everything)],
    ):
        if subprocess.run(command, cwd=ROOT, env=index_environment(), check=False).returncode:
            raise Stop("The dependencies could not be resolved; the lock files are as they were.")
    return 0


def run(*arguments: str) -> int:
    return subprocess.run([PYTHON, *arguments], cwd=ROOT, check=False).returncode


def become(command: list[str]) -> None:
    """Replace this process, so that Ctrl-C and the exit code are the command's own."""
    sys.stdout.flush()
    os.chdir(ROOT)
    os.execv(command[0], command)


def has_command(name: str) -> bool:
    return any(ROOT.glob(f"procurement/**/management/commands/{name}.py"))


def require_server(variable: str) -> None:
    """A server that is named must answer: falling back to the embedded one would test something else."""
    ports = {"postgres": 5432, "postgresql": 5432, "amqp": 5672, "amqps": 5671, "redis": 6379, "rediss": 6379}
    address = os.environ.get(variable, "").strip()
    if not address:
        return
    scheme, _, rest = address.partition("://")
    server = rest.partition("/")[0].rpartition("@")[2]
    host, _, port = server.partition(":")
    try:
        socket.create_connection((host, int(port or ports[scheme])), timeout=5).close()
    except (OSError, ValueError, KeyError):
        raise Stop(f"{variable} names {server or 'no server'}, but nothing answers there; no test was run.") from None


# --- the environment in .venv ---


def prepare(name: str) -> None:
    """Make .venv hold the packages of requirements/<name>.txt; nothing happens when it already does."""
    if is_prepared(name):
        return
    with one_at_a_time():
        if is_prepared(name):
            return
        print(f"Preparing .venv from requirements/{name}.txt; this takes a moment the first time.", flush=True)
        if not works(PYTHON):
            make_venv()
        install(LOCKS / f"{name}.txt")
        stamp(name).write_text(fingerprint(name))


def is_prepared(name: str) -> bool:
    # The test packages include the runtime ones.
    return any(read(stamp(made)) == fingerprint(made) for made in {name, "test"}) and PYTHON.exists()


def stamp(name: str) -> Path:
    return VENV / f".installed-{name}"


def fingerprint(name: str) -> str:
    content = (LOCKS / f"{name}.txt").read_bytes()
    return hashlib.sha256(content + sys.version.encode() + str(VENV).encode()).hexdigest()


def read(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two commands started together prepare the environment once."""
    (ROOT / "var").mkdir(mode=0o700, exist_ok=True)
    with (ROOT / "var" / "dev.lock").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        yield


def works(python: Path) -> bool:
    """Whether the environment's Python is there and of this version; a copied or half-made one is not."""
    question = "import sys; print(sys.version, sys.prefix)"
    try:
        done = subprocess.run([python, "-c", question], stdout=-1, stderr=-1, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == f"{sys.version} {VENV}"


def make_venv() -> None:
    for folder in VENV.glob(".installed-*"):
        folder.unlink()
    if shutil.which("uv"):
        command = ["uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)]
    else:
        command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    # A bare Debian's Python lacks its venv module: installed where that is ours to do, named where it is not.
    if not quiet(command) and not (apt_install(["python3-venv"], "the environment") and quiet(command)):
        shutil.rmtree(VENV, ignore_errors=True)
        raise Stop("Python could not make the environment .venv; on Debian or Ubuntu: apt-get install python3-venv")


def install(requirements: Path) -> None:
    """By uv, which needs seconds; by pip, which needs a minute, where uv cannot be had."""
    wanted = ["--require-hashes", "-r", str(requirements)]
    command = [str(PYTHON), "-m", "pip", "install", "--quiet", "--retries", "2", *wanted]
    if uv():
        command = [uv(), "pip", "install", "--quiet", "--python", str(PYTHON), "--compile-bytecode", *wanted]
    if not quiet(command):
        raise Stop(
            "The packages could not be installed, so nothing was started: the package index did not give them all. "
            "Check the network, or name a mirror in PIP_INDEX_URL; var/install.log has the details."
        )


def uv() -> str:
    """The uv on PATH, or one of our own in .venv; empty when there is none to be had."""
    present = shutil.which("uv")
    own = VENV / "bin" / "uv"
    if present or own.exists():
        return present or str(own)
    quiet([str(PYTHON), "-m", "pip", "install", "--quiet", "--retries", "2", f"uv=={UV_VERSION}"])
    return str(own) if own.exists() else ""


def quiet(command: list[str]) -> bool:
    """Run with the output in var/install.log; whether it succeeded."""
    (ROOT / "var").mkdir(mode=0o700, exist_ok=True)
    with (ROOT / "var" / "install.log").open("a") as log:
        done = subprocess.run(command, cwd=ROOT, env=index_environment(), stdout=log, stderr=log, check=False)
    return done.returncode == 0


def index_environment() -> dict[str, str]:
    """uv reads none of pip's settings: hand it the index and the certificates pip would use."""
    environment = dict(os.environ)
    for uv_name, pip_variable, pip_key in (
        ("UV_DEFAULT_INDEX", "PIP_INDEX_URL", "global.index-url"),
        ("SSL_CERT_FILE", "PIP_CERT", "global.cert"),
    ):
        value = environment.get(uv_name) or environment.get(pip_variable) or pip_setting(pip_key)
        if value:
            environment[uv_name] = value
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):
        # The computer's own certificates, as pip uses them: behind a company's proxy uv's built-in ones do not do.
        environment.setdefault("UV_SYSTEM_CERTS", "1")
    return environment


def pip_setting(key: str) -> str:
    question = [sys.executable, "-m", "pip", "config", "get", key]
    done = subprocess.run(question, stdout=-1, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


# --- the browser of the tests ---


def find_browser() -> str:
    """The path of a Chromium, installed where that is ours to do; empty when there is none, as the tests then say."""
    named = os.environ.get("COUNTERSIGN_BROWSER", "").strip()
    if named:
        return named
    if not browser_on_path():
        apt_install(BROWSER_PACKAGES, "the browser tests")
    return browser_on_path()


def install_tools() -> None:
    """What is missing of `TOOLS`, where that is ours to do; the tests say what lacks."""
    for commands, packages, purpose in TOOLS:
        if not all(map(shutil.which, commands)):
            apt_install(packages, purpose)


def apt_install(packages: Iterable[str], purpose: str) -> bool:
    """Install Debian packages as root on a computer with apt-get; False, and nothing done, anywhere else."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return False
    print(f"Installing {' and '.join(packages)} for {purpose}.", flush=True)
    return quiet(["apt-get", "update"]) and quiet(["apt-get", "install", "-y", "--no-install-recommends", *packages])


def browser_on_path() -> str:
    return next((path for path in map(shutil.which, BROWSERS) if path), "")


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Stop as sentence:
        sys.exit(str(sentence))
    except KeyboardInterrupt:
        sys.exit(130)
