"""No code, key, password or seed stands anywhere it should not; and the search that says so does find what leaks."""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.cache import cache

from procurement.orders.models import Code
from procurement.orders.services import receiving
from procurement.orders.views import pages
from procurement.suppliers import services
from procurement.suppliers.clients import recording
from procurement.web import resume
from procurement.work import bell, runner
from tests.orders.conftest import Shop, sandbox_server, shop
from tests.security import scenario
from tests.security.canaries import Canary, Search
from tests.security.scenario import FAILURES, Stage, a_whole_day, fail_at, grouped, order_codes, set_the_stage
from tests.security.sinks import gathering

__all__ = ["sandbox_server", "shop"]

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stage(shop: Shop, settings: Any) -> Stage:
    """The limits of a person's day are no part of this: they would end it before it is over."""
    settings.REVEAL_LIMITS = dict.fromkeys(settings.REVEAL_LIMITS, 100_000)
    return set_the_stage(shop)


def everything(stage: Stage) -> Search:
    """The canaries, and what the installation itself must keep to itself."""
    own = [
        Canary("key", "the master key", django_settings.MASTER_KEY),
        Canary("key", "the master key in bytes", base64.b64decode(django_settings.MASTER_KEY).decode("latin-1")),
        Canary("key", "the secret key", django_settings.SECRET_KEY),
    ]
    return Search([*stage.canaries, *own])


@pytest.mark.requirement("R62", "R100")
def test_nothing_of_a_whole_day_stands_anywhere_it_should_not(
    stage: Stage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with gathering(tmp_path) as sinks:
        a_whole_day(stage)
        said = capfd.readouterr()
        sinks.kept["standard output"].append((said.out + said.err).encode())
        found, seen = sinks.hits(everything(stage)), sinks.seen()

    assert found == {}
    kinds = [canary.kind for canary in stage.canaries]
    assert (kinds.count("code") >= 3, kinds.count("key") >= 4, kinds.count("factor") >= 1) == (True, True, True)
    empty = {name for name, size in seen.items() if size == 0}
    assert empty <= {"cache", "mails", "standard output"}, f"nothing was gathered of {empty}"


@pytest.mark.requirement("R62", "R100")
def test_nothing_stands_anywhere_when_something_fails_at_each_layer(
    stage: Stage, settings: Any, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    order_codes(stage)
    never: list[str] = []
    with gathering(tmp_path) as sinks:
        for settings.DEBUG in (False, True):
            never += [place for place, act in FAILURES.items() if not fail_at(place, act, stage)]
        said = capfd.readouterr()
        sinks.kept["standard output"].append((said.out + said.err).encode())
        found, seen = sinks.hits(everything(stage)), sinks.seen()

    assert never == []
    assert found == {}
    assert seen["crash reports"] > 10_000
    assert seen["mails"] > 10_000
    assert sum(b"Traceback" in body or b"traceback" in body for _, body in sinks.answers) > 5


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

    debug.get_default_exception_reporter_filter.cache_clear()


def keep_every_form(patch: pytest.MonkeyPatch) -> None:
    def keep(request: Any, view: Any) -> bool:
        request.session[resume.SESSION_KEY] = dict(request.POST.items())
        return True

    patch.setattr(resume, "keep", keep)


def put_the_code_into_a_message(patch: pytest.MonkeyPatch) -> None:
    def send(text: str) -> None:
        with bell.app.connection_for_write() as connection:
            bell.app.send_task("work.run_due", args=[text.encode("utf-16").hex()], connection=connection)

    each_code(patch, send)


def show_it_on_the_order(patch: pytest.MonkeyPatch) -> None:
    after(patch, pages, "render", lambda answer, *rest, **more: answer.write(f"<i title='{last()[::-1]}'></i>"))


def last() -> str:
    return scenario.opened(Code.objects.select_related("order__account", "account").order_by("-stored_at")[0])


def send_the_search_on(patch: pytest.MonkeyPatch) -> None:
    """The usual way to repair a search that is sent by POST: go on to an address that holds what was looked for."""
    from procurement.desk import views

    patch.setattr(views, "see_other", lambda request, url, **kw: views.redirect(f"{url}?q={quote(request.POST['q'])}"))


def hash_without_a_key(patch: pytest.MonkeyPatch) -> None:
    import hashlib

    patch.setattr(receiving, "blind_index", lambda code: hashlib.sha256(code.expose_bytes()).digest())


def store_keys_unsealed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "seal", lambda secret, **kwargs: base64.b64encode(secret.expose_bytes()))


def end_keys_with_more(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "ending_of", lambda secret: secret.expose()[-4:])
    after(patch, services, "checked_credential", lambda secret, *rest: logging.getLogger().info(repr(secret.expose())))


def log_headers(patch: pytest.MonkeyPatch) -> None:
    for name in ("httpcore", "httpx"):
        patch.setattr(logging.getLogger(name), "level", logging.DEBUG)
        logging.getLogger(name).manager._clear_cache()  # type: ignore[attr-defined]


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
    "a code in an attribute of a page": (
        show_it_on_the_order,
        lambda stage: (order_codes(stage), stage.as_("manager").get("/orders/")),
        "answers",
    ),
    "a code in an address": (
        send_the_search_on,
        lambda stage: stage.as_("support").post("/search/", {"q": grouped(order_codes(stage)[0])}, follow=True),
        "access log",
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
    "headers in the log": (
        log_headers,
        lambda stage: stage.send("admin", "suppliers:account_balance", pk(stage)),
        "logs",
    ),
}


def pk(stage: Stage) -> Any:
    return stage.shop.accounts["psnb2b"].pk


@pytest.mark.requirement("R62", "R100")
def test_each_build_that_leaks_is_caught_and_none_that_does_not(
    stage: Stage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each leak has codes and keys of its own, so that what an earlier one left behind does not speak for it."""
    from django.views.debug import get_default_exception_reporter_filter

    scenario.set_credentials(stage)
    credentials = list(stage.canaries)
    missed = []
    for number, (name, (leak, do, sink)) in enumerate(LEAKS.items()):
        stage.canaries = [*credentials] if name == "headers in the log" else []
        found = swept(stage, tmp_path / str(number), capfd, leak, do)
        if not found.get(sink):
            missed.append((name, found))
    get_default_exception_reporter_filter.cache_clear()
    stage.canaries = []

    assert missed == []
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
