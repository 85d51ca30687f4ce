"""What must hold before a live installation starts: one rule a line, each with an id. A sandbox needs none of it.

Django runs them as system checks before every command; web, worker and scheduler processes end themselves at their
start (`stop_unless_in_order`). Settings only read the environment; whether it will do is said here and nowhere else.
"""

from __future__ import annotations

import logging
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

from procurement.staff.demo import LOGINS, PASSWORD
from procurement.staff.models import User
from procurement.vault import KeyUnavailable
from procurement.vault.master import FILE, master_keys

SECRET_KEY_LENGTH, SECRET_KEY_CHARACTERS = 50, 10
A_YEAR = 31_536_000
HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(\.(?!-)[a-z0-9-]{1,63})+")
# Below WARNING they print whole headers, which hold a supplier's key, and what a template was given, which may be a code.
QUIET_LOGGERS = ("httpx", "httpcore", "django.template")


def debug() -> str:
    return "COUNTERSIGN_DEBUG is set: its pages show settings and source." if settings.DEBUG else ""


def https() -> str:
    if not settings.SITE_URL.startswith("https://"):
        return "COUNTERSIGN_SITE_URL must begin with https://: sessions and codes would travel in the clear."
    strict = settings.SECURE_SSL_REDIRECT and settings.SECURE_HSTS_SECONDS >= A_YEAR
    return "" if strict else "Plain http must be redirected, and HSTS must last a year."


def secret_key() -> str:
    try:
        key = settings.SECRET_KEY
    except ImproperlyConfigured:
        return "COUNTERSIGN_SECRET_KEY is not set."
    if key == settings.SANDBOX_SECRET_KEY or key.startswith("django-insecure-"):
        return "COUNTERSIGN_SECRET_KEY is one that everybody knows."
    if len(key) < SECRET_KEY_LENGTH or len(set(key)) < SECRET_KEY_CHARACTERS:
        return f"COUNTERSIGN_SECRET_KEY must have {SECRET_KEY_LENGTH} characters or more, made by chance."
    return ""


def sealing_key() -> str:
    try:
        list(master_keys())
    except KeyUnavailable as error:
        return error.sentence
    return ""


def key_beside_data() -> str:
    """A backup of the data folder must not hold the key to it."""
    named = [settings.MASTER_KEY, settings.MASTER_KEY_OTHER]
    files = [settings.MASTER_KEY_FILE, *(text.removeprefix(FILE) for text in named if text.startswith(FILE))]
    folder = Path(settings.DATA_DIR).resolve()
    inside = any(path and Path(path).resolve().is_relative_to(folder) for path in files)
    return "A master key file lies in the data folder; keep it elsewhere." if inside else ""


def cookies() -> str:
    flags = ("SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY")
    bound = (
        str(getattr(settings, f"{name}_COOKIE_NAME")).startswith("__Host-")
        and getattr(settings, f"{name}_COOKIE_SAMESITE") in {"Lax", "Strict"}
        and getattr(settings, f"{name}_COOKIE_DOMAIN") is None
        and getattr(settings, f"{name}_COOKIE_PATH") == "/"
        for name in ("SESSION", "CSRF")
    )
    good = all(getattr(settings, flag) for flag in flags) and all(bound)
    return "" if good else "Session and form cookies must be Secure, HttpOnly, SameSite and named __Host-."


def hosts() -> str:
    served = list(settings.ALLOWED_HOSTS)
    if not served or any(host == "*" or host.startswith(".") for host in served):
        return "COUNTERSIGN_HOSTS must name each host that is served; * and a leading dot are not taken."
    if urlsplit(settings.SITE_URL).hostname not in served:
        return "COUNTERSIGN_HOSTS does not name the host of COUNTERSIGN_SITE_URL."
    return ""


def data_folder() -> str:
    """Sessions, form fields and messages lie there readable."""
    try:
        mode = Path(settings.DATA_DIR).stat().st_mode
    except OSError:
        return ""  # nothing of it is used with servers for database and broker
    open_to_others = mode & (stat.S_IRWXO | stat.S_IWGRP)
    return f"Others may read {settings.DATA_DIR}; set its mode to 700." if open_to_others else ""


def supplier_hosts() -> str:
    if not settings.SUPPLIER_HOSTS:
        return "COUNTERSIGN_SUPPLIER_HOSTS is not set, so no supplier could be called; for example: psnb2b.com"
    wrong = [host for host in settings.SUPPLIER_HOSTS if not HOST_NAME.fullmatch(host) or host[-1].isdigit()]
    return f"COUNTERSIGN_SUPPLIER_HOSTS must hold plain host names; these are none: {', '.join(wrong)}" if wrong else ""


def servers() -> str:
    """Between two hosts somebody may listen, or answer in a server's place; and a password everybody knows is none."""
    database, broker = urlsplit(settings.DATABASE_URL), urlsplit(settings.BROKER_URL)
    if is_away(database) and dict(parse_qsl(database.query)).get("sslmode") != "verify-full":
        return "DATABASE_URL names another computer: end it with ?sslmode=verify-full&sslrootcert=system."
    if is_away(broker) and broker.scheme not in {"amqps", "rediss"}:
        return "BROKER_URL names another computer: begin it with amqps:// or rediss://."
    known = [
        name
        for name, url in (("DATABASE_URL", database), ("BROKER_URL", broker))
        if url.username and url.username == url.password
    ]
    return f"{known[0]} uses an account whose password is its name; make one of your own." if known else ""


def is_away(url: SplitResult) -> bool:
    return (url.hostname or "localhost") not in {"localhost", "127.0.0.1", "::1"}


def aids_of_tests() -> str:
    """What tests and the demo switch on would replace the supplier, or the clock all hosts share."""
    switched = getattr(settings, "SUPPLIER_TRANSPORT", None) or settings.SHARED_CLOCK != "database"
    return "An aid of the tests is switched on: SUPPLIER_TRANSPORT or SHARED_CLOCK." if switched else ""


def reports() -> str:
    if not settings.DEFAULT_EXCEPTION_REPORTER_FILTER.endswith(".NoVariablesFilter"):
        return "Crash reports must go through NoVariablesFilter, which keeps values out of them."
    if not settings.DEFAULT_EXCEPTION_REPORTER.endswith(".NoWordsReporter"):
        return "Crash reports must be made by NoWordsReporter, which keeps the words of errors out of them."
    loud = [name for name in QUIET_LOGGERS if logging.getLogger(name).getEffectiveLevel() < logging.WARNING]
    return f"These loggers print keys and codes below WARNING: {', '.join(loud)}" if loud else ""


def second_factor() -> str:
    return "" if settings.FACTOR_REQUIRED else "A password alone opens codes here: FACTOR_REQUIRED is switched off."


RULES: dict[str, Callable[[], str]] = {
    "countersign.E001": debug,
    "countersign.E002": https,
    "countersign.E003": secret_key,
    "countersign.E004": sealing_key,
    "countersign.E005": key_beside_data,
    "countersign.E006": cookies,
    "countersign.E007": hosts,
    "countersign.E008": data_folder,
    "countersign.E009": supplier_hosts,
    "countersign.E010": aids_of_tests,
    "countersign.E011": reports,
    "countersign.E013": servers,
    "countersign.E014": second_factor,
}
DEMO_PEOPLE = "countersign.E012"


def check_settings(**kwargs: Any) -> list[CheckMessage]:
    """An error for each rule that a live installation breaks."""
    if settings.ENVIRONMENT != "live":
        return []
    return [Error(sentence, id=name) for name, rule in RULES.items() if (sentence := rule())]


def check_people(databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """An error when somebody of a live installation has the password that the demo's sign-in page prints."""
    if settings.ENVIRONMENT != "live" or not databases:
        return []
    try:
        known = list(_with_the_demo_password())
    except DatabaseError:
        return []  # away or not migrated yet: the process waits for it
    wrong = f"These people have the demo's password, which everybody knows: {', '.join(known)}"
    return [Error(wrong, id=DEMO_PEOPLE)] if known else []


def _with_the_demo_password() -> Iterator[str]:
    """Only the demo's own names are tried: one password costs the better part of a second."""
    people = User.objects.filter(username__in=[login.username for login in LOGINS], is_active=True)
    for name, password in people.values_list("username", "password").order_by("username"):
        if check_password(PASSWORD, password):
            yield name


def stop_unless_in_order(**kwargs: Any) -> None:
    """End a process that is starting, and say why: better none than one that serves codes insecurely."""
    wrong = check_settings() or check_people(databases=["default"])
    if wrong:
        sys.exit("\n".join(["Not started:", *(f"({error.id}) {error.msg}" for error in wrong)]))
