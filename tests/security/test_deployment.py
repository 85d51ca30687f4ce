"""A live installation that is not in order does not start, and says each reason."""

from __future__ import annotations

import base64
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.hashers import make_password
from django.core.exceptions import ImproperlyConfigured

import dev
from procurement.settings import database
from procurement.staff.demo import PASSWORD
from procurement.staff.models import User
from procurement.web import deployment
from procurement.web.deployment import DEMO_PEOPLE, RULES, check_people, check_settings
from tests.conftest import make_person

ROOT = Path(django_settings.ROOT)


@pytest.fixture
def live(settings: Any, tmp_path: Path) -> Any:
    """Settings of a live installation that is in order."""
    tmp_path.chmod(0o700)
    settings.ENVIRONMENT, settings.DEBUG, settings.SHARED_CLOCK = "live", False, "database"
    settings.SITE_URL, settings.ALLOWED_HOSTS = "https://countersign.example", ["countersign.example"]
    settings.FACTOR_REQUIRED = True
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 31_536_000
    settings.SECRET_KEY = "0123456789abcdefghijklmnopqrstuvwxyz" * 2
    settings.DATA_DIR, settings.SUPPLIER_HOSTS = tmp_path, ["psnb2b.com"]
    settings.DATABASE_URL = settings.BROKER_URL = ""
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
    return settings


def key_file(settings: Any, folder: Path, mode: int = 0o600, *, named_by: str = "MASTER_KEY_FILE") -> None:
    file = folder / "master.key"
    file.write_text(base64.b64encode(b"k" * 32).decode())
    file.chmod(mode)
    if named_by == "MASTER_KEY_FILE":
        settings.MASTER_KEY, settings.MASTER_KEY_FILE = "", str(file)
    else:
        setattr(settings, named_by, f"file:{file}")


def change(**changes: Any) -> Callable[[Any], None]:
    def apply(settings: Any) -> None:
        for name, value in changes.items():
            setattr(settings, name, value)

    return apply


WRONG: dict[str, tuple[str, Callable[[Any], None]]] = {
    "debug pages": ("E001", change(DEBUG=True)),
    "plain http": ("E002", change(SITE_URL="http://countersign.example")),
    "plain http not redirected": ("E002", change(SECURE_SSL_REDIRECT=False)),
    "HSTS for a day": ("E002", change(SECURE_HSTS_SECONDS=86_400)),
    "no secret key": ("E003", change(SECRET_KEY="")),
    "the sandbox's secret key": ("E003", change(SECRET_KEY=django_settings.SANDBOX_SECRET_KEY)),
    "a short secret key": ("E003", change(SECRET_KEY="0123456789abcdef")),
    "a secret key of one letter": ("E003", change(SECRET_KEY="a" * 80)),
    "no master key": ("E004", change(MASTER_KEY="", MASTER_KEY_FILE="")),
    "a master key of three bytes": ("E004", change(MASTER_KEY="YWJj")),
    "a master key file that others read": ("E004", lambda live: key_file(live, live.DATA_DIR.parent, 0o644)),
    "a master key file that is not there": ("E004", change(MASTER_KEY="file:/nowhere/master.key")),
    "another master key that others read": (
        "E004",
        lambda live: key_file(live, live.DATA_DIR.parent, 0o644, named_by="MASTER_KEY_OTHER"),
    ),
    "a master key in the data folder by its other name": (
        "E005",
        lambda live: key_file(live, live.DATA_DIR, named_by="MASTER_KEY"),
    ),
    "another master key in the data folder": (
        "E005",
        lambda live: key_file(live, live.DATA_DIR, named_by="MASTER_KEY_OTHER"),
    ),
    "a password alone": ("E014", change(FACTOR_REQUIRED=False)),
    "a master key in the data folder": ("E005", lambda live: key_file(live, live.DATA_DIR)),
    "a session cookie without TLS": ("E006", change(SESSION_COOKIE_SECURE=False)),
    "a session cookie for scripts": ("E006", change(SESSION_COOKIE_HTTPONLY=False)),
    "a form cookie without TLS": ("E006", change(CSRF_COOKIE_SECURE=False)),
    "a cookie without its prefix": ("E006", change(CSRF_COOKIE_NAME="csrftoken")),
    "a cookie for every site": ("E006", change(SESSION_COOKIE_SAMESITE="None")),
    "a cookie for a whole domain": ("E006", change(SESSION_COOKIE_DOMAIN=".example")),
    "every host": ("E007", change(ALLOWED_HOSTS=["countersign.example", "*"])),
    "every host below one": ("E007", change(ALLOWED_HOSTS=["countersign.example", ".example"])),
    "no host": ("E007", change(ALLOWED_HOSTS=[])),
    "another host than the address": ("E007", change(ALLOWED_HOSTS=["localhost"])),
    "a data folder that others read": ("E008", lambda live: live.DATA_DIR.chmod(0o755)),
    "a data folder that a group writes": ("E008", lambda live: live.DATA_DIR.chmod(0o770)),
    "no supplier host": ("E009", change(SUPPLIER_HOSTS=[])),
    "any supplier host": ("E009", change(SUPPLIER_HOSTS=["*"])),
    "a supplier at an address": ("E009", change(SUPPLIER_HOSTS=["127.0.0.1"])),
    "a supplier with its scheme": ("E009", change(SUPPLIER_HOSTS=["https://psnb2b.com"])),
    "a mock supplier": ("E010", change(SUPPLIER_TRANSPORT=print)),
    "a clock of the process": ("E010", change(SHARED_CLOCK="process")),
    "a database across the net in the clear": ("E013", change(DATABASE_URL="postgresql://desk:secret@db.example/desk")),
    "a database nobody checks": (
        "E013",
        change(DATABASE_URL="postgresql://desk:secret@db.example/desk?sslmode=require"),
    ),
    "a database account that everybody knows": (
        "E013",
        change(DATABASE_URL="postgresql://postgres:postgres@localhost/desk"),
    ),
    "a broker across the net in the clear": ("E013", change(BROKER_URL="amqp://desk:secret@broker.example//")),
    "a broker account that everybody knows": ("E013", change(BROKER_URL="amqp://guest:guest@127.0.0.1//")),
    "crash reports with values": (
        "E011",
        change(DEFAULT_EXCEPTION_REPORTER_FILTER="django.views.debug.SafeExceptionReporterFilter"),
    ),
    "crash reports with the words of errors": (
        "E011",
        change(DEFAULT_EXCEPTION_REPORTER="django.views.debug.ExceptionReporter"),
    ),
}


def test_an_installation_in_order_starts(live: Any) -> None:
    assert check_settings() == []
    live.DATABASE_URL = "postgresql://desk:secret@db.example/desk?sslmode=verify-full&sslrootcert=system"
    live.BROKER_URL = "amqps://desk:secret@broker.example//"
    assert check_settings() == []


def test_what_is_no_part_of_tls_is_not_taken_from_the_address_of_the_database(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="sslcert, sslkey, sslmode, sslrootcert"):
        database("postgresql://desk@db.example/desk?options=-c%20lock_timeout=0", tmp_path)


@pytest.mark.requirement("R63", "R100")
@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_named_and_nothing_else(live: Any, what: str) -> None:
    name, break_it = WRONG[what]
    break_it(live)

    assert [error.id for error in check_settings()] == [f"countersign.{name}"]
    with pytest.raises(SystemExit, match=rf"Not started:\n\(countersign.{name}\) "):
        deployment.stop_unless_in_order()


def test_every_rule_is_shown_to_refuse() -> None:
    assert {f"countersign.{name}" for name, _ in WRONG.values()} == set(RULES)


@pytest.mark.requirement("R100")
def test_a_logger_that_prints_headers_is_refused(live: Any) -> None:
    logger = logging.getLogger("httpcore")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        assert [error.id for error in check_settings()] == ["countersign.E011"]
    finally:
        logger.setLevel(before)


@pytest.mark.django_db
def test_somebody_with_the_demo_password_is_named(live: Any) -> None:
    ada = make_person("ada", "admin")
    make_person("somebody_else", "admin")
    assert check_people(databases=["default"]) == []

    User.objects.update(password=make_password(PASSWORD))

    [error] = check_people(databases=["default"])
    assert (error.id, error.msg.rpartition(": ")[2]) == (DEMO_PEOPLE, "ada")
    ada.is_active = False
    ada.save()
    assert check_people(databases=["default"]) == []


def test_a_sandbox_needs_none_of_it(live: Any) -> None:
    live.ENVIRONMENT = "sandbox"
    live.DEBUG, live.SITE_URL, live.SUPPLIER_HOSTS = True, "http://127.0.0.1", []

    assert check_settings() == []


def run(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("COUNTERSIGN", "DATABASE"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**inherited, "BROKER_URL": "", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_live_settings_of_the_project_pass_the_check_for_deployment(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    checked = run(dev.live_settings(str(tmp_path)), "manage.py", "check", "--deploy", "--fail-level", "WARNING")

    assert checked.returncode == 0, checked.stderr
    assert "no issues (0 silenced)" in checked.stdout


@pytest.mark.any_database
@pytest.mark.parametrize(
    "command",
    [
        ("manage.py", "work", "--once"),
        ("-c", "import procurement.wsgi"),
        ("-m", "celery", "-A", "procurement.celery", "worker", "-P", "solo"),
        ("-m", "celery", "-A", "procurement.celery", "beat", "--pidfile=", "--schedule", "{folder}/beat"),
    ],
    ids=["command", "web", "worker", "scheduler"],
)
def test_no_process_starts_with_debug_pages_on(command: tuple[str, ...], tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    settings_of_it = {**dev.live_settings(str(tmp_path)), "COUNTERSIGN_DEBUG": "1", "COUNTERSIGN_SECRET_KEY": "short"}
    refused = run(settings_of_it, *(part.format(folder=tmp_path) for part in command))

    assert refused.returncode == 1
    assert re.findall(r"countersign\.E\d+", refused.stderr) == ["countersign.E001", "countersign.E003"]


def test_the_operations_page_names_each_check_and_no_other() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

    assert set(re.findall(r"countersign\.E\d+", page)) == {*RULES, DEMO_PEOPLE}
