"""Builds that leak, one way each: the search must find every one of them, or its silence says nothing."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.cache import cache

from procurement.orders.models import Code
from procurement.orders.services import receiving
from procurement.suppliers import services
from procurement.suppliers.clients import recording
from procurement.vault import Fingerprints
from procurement.web import resume
from procurement.work import bell, runner
from tests.orders.conftest import Shop, sandbox_server, shop
from tests.security import scenario
from tests.security.canaries import Search
from tests.security.scenario import Stage, fail_at, order_codes, set_the_stage
from tests.security.sinks import gathering

__all__ = ["sandbox_server", "shop"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(shop: Shop, settings: Any) -> Stage:
    """The limits of a person's day are no part of this: they would end it before it is over."""
    settings.REVEAL_LIMITS = dict.fromkeys(settings.REVEAL_LIMITS, 100_000)
    return set_the_stage(shop)


# --- builds that leak ---

Leak = Callable[[pytest.MonkeyPatch], None]


def after(patch: pytest.MonkeyPatch, place: Any, name: str, then: Callable[..., Any]) -> None:
    """Let `place.name` do what it does, and then something that it should not."""
    does = getattr(place, name)

    def both(*args: Any, **kwargs: Any) -> Any:
        result = does(*args, **kwargs)
        changed = then(result, *args, **kwargs)
        return result if changed is None else changed

    patch.setattr(place, name, both)


def each_code(patch: pytest.MonkeyPatch, tell: Callable[[str], Any]) -> None:
    """Somebody adds a line to the function that stores a code."""

    def told(code: Code, order: Any, delivery: Any, remote: Any, *rest: Any) -> None:
        tell(remote.code.expose())

    after(patch, receiving, "build_code", told)


def store_serial(patch: pytest.MonkeyPatch, write: Callable[[str], str]) -> None:
    def kept(code: Code, order: Any, delivery: Any, remote: Any, *rest: Any) -> None:
        code.serial = write(remote.code.expose())

    after(patch, receiving, "build_code", kept)


def log_it(write: Callable[[str], str]) -> Leak:
    return lambda patch: each_code(patch, lambda text: logging.getLogger("procurement").debug("got %s", write(text)))


def keep_it(write: Callable[[str], str]) -> Leak:
    return lambda patch: store_serial(patch, write)


def leave_bodies_readable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recording, "readable", lambda raw, **kwargs: raw.decode())


def crash_with_the_code(patch: pytest.MonkeyPatch) -> None:
    """An error that quotes what it could not take, and a loop that keeps the words of errors."""
    patch.setattr(runner, "describe", str)

    def refuse(code: Code, order: Any, delivery: Any, remote: Any, *rest: Any) -> None:
        raise ValueError(f"cannot store {remote.code.expose()}")

    after(patch, receiving, "build_code", refuse)


def report_variables(patch: pytest.MonkeyPatch) -> None:
    """Django's own crash reports: a name that does not sound secret is printed."""
    patch.setattr(
        django_settings, "DEFAULT_EXCEPTION_REPORTER_FILTER", "django.views.debug.SafeExceptionReporterFilter"
    )
    from django.views import debug

    debug.get_default_exception_reporter_filter.cache_clear()  # type: ignore[attr-defined]


def keep_every_form(patch: pytest.MonkeyPatch) -> None:
    def keep(request: Any, view: Any) -> bool:
        request.session[resume.SESSION_KEY] = dict(request.POST.items())
        return True

    patch.setattr(resume, "keep", keep)


def put_the_code_into_a_message(patch: pytest.MonkeyPatch) -> None:
    def send(text: str) -> None:
        with bell.app.connection_for_write() as connection:
            bell.app.send_task("work.run_due", args=[text], connection=connection)

    each_code(patch, send)


def hash_without_a_key(patch: pytest.MonkeyPatch) -> None:
    import hashlib

    def bare(codes: Any) -> list[Fingerprints]:
        return [Fingerprints(hashlib.sha256(code.expose_bytes()).digest()) for code in codes]

    patch.setattr(receiving, "fingerprints", bare)


def store_keys_unsealed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "seal", lambda secret, **kwargs: base64.b64encode(secret.expose_bytes()))


def end_keys_with_more(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "ending_of", lambda secret: secret.expose()[-4:])
    after(patch, services, "checked_credential", lambda secret, *rest: logging.getLogger().info(repr(secret.expose())))


def ask_the_database_for_it(patch: pytest.MonkeyPatch) -> None:
    each_code(patch, lambda text: Code.objects.filter(serial=text).exists())


def write_a_file(patch: pytest.MonkeyPatch) -> None:
    each_code(patch, lambda text: Path(django_settings.DATA_DIR, "debug.txt").write_text(" ".join(text)))


# What somebody builds in, by its name: the leak, what is done then, and the sink in which it must be found.
LEAKS: dict[str, tuple[Leak, Callable[[Stage], object], str]] = {
    "a code in a log line": (log_it(str), order_codes, "logs"),
    "a code in base64 in a log line": (
        log_it(lambda text: base64.b64encode(b"x" + text.encode()).decode()),
        order_codes,
        "logs",
    ),
    "a code in a column": (keep_it(str), order_codes, "database"),
    "a code in a column, reversed": (keep_it(lambda text: text[::-1]), order_codes, "database"),
    "a code in a column, in hex": (keep_it(lambda text: text.encode().hex()), order_codes, "database"),
    "a code in a column, in small letters with blanks": (
        keep_it(lambda text: " ".join(text.replace("-", "").lower())),
        order_codes,
        "database",
    ),
    "a fingerprint without a key": (hash_without_a_key, order_codes, "database"),
    "bodies of exchanges as they came": (leave_bodies_readable, order_codes, "database"),
    "an error's words in the work queue": (
        crash_with_the_code,
        scenario.crashing_delivery,
        "database",
    ),
    "a code in a statement": (ask_the_database_for_it, order_codes, "statements"),
    "a code in the cache": (
        lambda patch: each_code(patch, lambda text: cache.set("last", json.dumps({"seen": text}))),
        order_codes,
        "cache",
    ),
    "a code in a message to the broker": (put_the_code_into_a_message, order_codes, "files"),
    "a code in a file": (write_a_file, order_codes, "files"),
    "a code in a mail": (
        lambda patch: each_code(
            patch, lambda text: mail.mail_admins("A code came", "".join(f"%{ord(char):02X}" for char in text))
        ),
        order_codes,
        "mails",
    ),
    "a code on standard error": (
        lambda patch: each_code(patch, lambda text: sys.stderr.write(text)),
        order_codes,
        "standard output",
    ),
    "a form in the session": (
        keep_every_form,
        lambda stage: scenario.come_back_late(stage, order_codes(stage)[0]),
        "sessions",
    ),
    "crash reports with variables": (
        report_variables,
        lambda stage: (
            order_codes(stage),
            fail_at("procurement.orders.views.codes.render", scenario.a_reveal, stage),
        ),
        "crash reports",
    ),
    "keys in base64 in place of sealed": (store_keys_unsealed, lambda stage: list(scenario.a_key(stage)), "database"),
    "a key in a log line": (end_keys_with_more, lambda stage: list(scenario.a_key(stage)), "logs"),
}


@pytest.mark.requirement("R62", "R100")
def test_each_build_that_leaks_is_caught_and_none_that_does_not(
    stage: Stage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each leak has codes and keys of its own, so that what an earlier one left behind does not speak for it."""
    from django.views.debug import get_default_exception_reporter_filter

    scenario.set_credentials(stage)
    missed = []
    for number, (name, (leak, do, sink)) in enumerate(LEAKS.items()):
        stage.canaries = []
        found = swept(stage, tmp_path / str(number), capfd, leak, do)
        if not found.get(sink):
            missed.append((name, found))
    get_default_exception_reporter_filter.cache_clear()  # type: ignore[attr-defined]
    stage.canaries = []

    assert [name for name, _ in missed] == []
    assert len(LEAKS) >= 10
    assert swept(stage, tmp_path / "whole", capfd, lambda patch: None, order_codes) == {}


def swept(
    stage: Stage, folder: Path, capfd: pytest.CaptureFixture[str], leak: Leak, do: Callable[[Stage], object]
) -> dict[str, list[str]]:
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch, gathering(folder) as sinks:
        leak(patch)
        capfd.readouterr()
        do(stage)
        said = capfd.readouterr()
        sinks.kept["standard output"].append((said.out + said.err).encode())
        return sinks.hits(Search(stage.canaries))
