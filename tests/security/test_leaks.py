"""Builds that leak, one way each: the search must find every one of them, or its silence says nothing."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import sys
from collections.abc import Callable, Iterable
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core import mail
from django.core.cache import cache
from django.shortcuts import redirect
from django.urls import reverse
from django.views.debug import get_default_exception_reporter_filter

from procurement.desk import views as desk_views
from procurement.orders.models import Code
from procurement.orders.services import receiving
from procurement.orders.views import pages as order_pages
from procurement.suppliers import services
from procurement.suppliers.clients import recording
from procurement.vault import Fingerprints
from procurement.web import request_id, resume
from procurement.work import bell, runner
from tests.orders.conftest import Shop, sandbox_server, shop
from tests.security import failures, scenario
from tests.security.canaries import Canary, Search
from tests.security.scenario import Stage, order_codes, set_the_stage
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


def tell_each_code(patch: pytest.MonkeyPatch, tells: Iterable[Callable[[Code, str], object]]) -> None:
    """Somebody adds a line to the function that stores a code: for each code that comes another line."""
    lines = iter(tells)

    def told(code: Code, order: Any, delivery: Any, remote: Any, *rest: Any) -> None:
        next(lines)(code, remote.code.expose())

    after(patch, receiving, "build_code", told)


def log_it(text: str) -> None:
    logging.getLogger("procurement").debug("got %s", text)


def keep_it(code: Code, text: str) -> None:
    code.serial = text


def send_it(text: str) -> None:
    with bell.app.connection_for_write() as connection:
        bell.app.send_task("work.run_due", args=[text], connection=connection)


# What somebody does with a code just stored, by the name of the leak; and the sink in which that code must be found.
LINES: dict[str, tuple[Callable[[Code, str], object], str]] = {
    "a code in a log line": (lambda code, text: log_it(text), "logs"),
    "a code in base64 in a log line": (
        lambda code, text: log_it(base64.b64encode(b"x" + text.encode()).decode()),
        "logs",
    ),
    "a code in a column": (lambda code, text: keep_it(code, text), "database"),
    "a code in a column, reversed": (lambda code, text: keep_it(code, text[::-1]), "database"),
    "a code in a column, in hex": (lambda code, text: keep_it(code, text.encode().hex()), "database"),
    "a code in a column, in small letters with blanks": (
        lambda code, text: keep_it(code, " ".join(text.replace("-", "").lower())),
        "database",
    ),
    "a code in a statement": (lambda code, text: Code.objects.filter(serial=text).exists(), "statements"),
    "a code in the cache": (lambda code, text: cache.set("last", json.dumps({"seen": text})), "cache"),
    "a code in a message to the broker": (lambda code, text: send_it(text), "files"),
    "a code in a file": (
        lambda code, text: Path(django_settings.DATA_DIR, "debug.txt").write_text(" ".join(text)),
        "files",
    ),
    "a code in a mail": (
        lambda code, text: mail.mail_admins("A code came", "".join(f"%{ord(char):02X}" for char in text)),
        "mails",
    ),
    "a code on standard error": (lambda code, text: sys.stderr.write(text), "standard output"),
}


def leave_bodies_readable(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recording, "readable", lambda raw, **kwargs: raw.decode())


def crash_with_the_code(patch: pytest.MonkeyPatch) -> None:
    """An error that quotes what it could not take, and a loop that keeps the words of errors."""
    patch.setattr(runner, "describe", str)

    def refuse(code: Code, text: str) -> None:
        raise ValueError(f"cannot store {text}")

    tell_each_code(patch, repeat(refuse))


def report_variables(patch: pytest.MonkeyPatch) -> None:
    """Django's own crash reports: a name that does not sound secret is printed."""
    patch.setattr(
        django_settings, "DEFAULT_EXCEPTION_REPORTER_FILTER", "django.views.debug.SafeExceptionReporterFilter"
    )
    get_default_exception_reporter_filter.cache_clear()  # type: ignore[attr-defined]


def keep_every_form(patch: pytest.MonkeyPatch) -> None:
    def keep(request: Any, view: Any) -> bool:
        request.session[resume.SESSION_KEY] = dict(request.POST.items())
        return True

    patch.setattr(resume, "keep", keep)


def hash_without_a_key(patch: pytest.MonkeyPatch) -> None:
    def bare(codes: Any) -> list[Fingerprints]:
        return [Fingerprints(hashlib.sha256(code.expose_bytes()).digest()) for code in codes]

    patch.setattr(receiving, "fingerprints", bare)


def store_keys_unsealed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "seal", lambda secret, **kwargs: base64.b64encode(secret.expose_bytes()))


def end_keys_with_more(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(services, "ending_of", lambda secret: secret.expose()[-4:])
    after(patch, services, "checked_credential", lambda secret, *rest: logging.getLogger().info(repr(secret.expose())))


def end_the_address_with_it(patch: pytest.MonkeyPatch) -> None:
    """The usual way to repair a form that is sent by POST: go on to an address that holds what was looked for."""

    def go_on(request: Any, url: str, **kwargs: Any) -> Any:
        sought = "".join(f"%{ord(char):02x}" if char.isdigit() else char for char in request.POST["q"])
        return redirect(f"{url.partition('#')[0]}&q={sought}")

    patch.setattr(desk_views, "see_other", go_on)


def title_it(patch: pytest.MonkeyPatch) -> None:
    """A page of an order that names its last code where a mouse rests, half in entities."""

    def titled(answer: Any, *rest: Any, **more: Any) -> None:
        text = scenario.opened(failures.last_code())
        answer.write("<i title='" + "".join(f"&#{ord(char)};" if char.isdigit() else char for char in text) + "'></i>")

    after(patch, order_pages, "render", titled)


def say_what_went_wrong(patch: pytest.MonkeyPatch) -> None:
    """Django's own crash reports, with the words of an error."""
    patch.setattr(django_settings, "DEFAULT_EXCEPTION_REPORTER", "django.views.debug.ExceptionReporter")


def log_what_went_wrong(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(request_id.LineFormatter, "formatException", logging.Formatter.formatException)


def see_order(stage: Stage) -> object:
    (code,) = order_codes(stage)
    return stage.as_("manager").get(reverse("orders:order_detail", args=[code.order_id]))


def look_for_code(stage: Stage) -> object:
    (code,) = order_codes(stage)
    return stage.as_("support").post(reverse("search"), {"q": scenario.grouped(code)}, follow=True)


def fail_a_reveal(place: str) -> Callable[[Stage], object]:
    return lambda stage: (order_codes(stage), failures.fail_at(stage, failures.reveals, {place: failures.OF_CODES}))


def set_key(stage: Stage) -> object:
    return [attempt() for attempt in failures.keys(stage, failures.Broken({}, []))]


RENDER = "procurement.orders.views.codes.render"

# What somebody builds in, by its name: the leak, what is done then, and the sink in which it must be found.
BUILDS: dict[str, tuple[Leak, Callable[[Stage], object], str]] = {
    "a fingerprint without a key": (hash_without_a_key, order_codes, "database"),
    "bodies of exchanges as they came": (leave_bodies_readable, order_codes, "database"),
    "an error's words in the work queue": (crash_with_the_code, scenario.crashing_delivery, "database"),
    "a code in an address": (end_the_address_with_it, look_for_code, "addresses"),
    "a code in an attribute of a page": (title_it, see_order, "attributes"),
    "a form in the session": (
        keep_every_form,
        lambda stage: scenario.come_back_late(stage, order_codes(stage)[0]),
        "sessions",
    ),
    "crash reports with variables": (report_variables, fail_a_reveal(RENDER), "mails"),
    "crash reports with the words of errors": (say_what_went_wrong, fail_a_reveal(RENDER), "mails"),
    "the words of errors in the log": (log_what_went_wrong, fail_a_reveal(RENDER), "logs"),
    "keys in base64 in place of sealed": (store_keys_unsealed, set_key, "database"),
    "a key in a log line": (end_keys_with_more, set_key, "logs"),
}


@pytest.mark.requirement("R62", "R100")
def test_each_build_that_leaks_is_caught_and_none_that_does_not(
    stage: Stage, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each leak has codes and keys of its own: what one lets out does not speak for another, nor for the desk as it is."""
    own: dict[str, set[Canary]] = {}
    with gathering(tmp_path) as sinks:
        scenario.set_credentials(stage)
        own["none, before"] = taken(stage, order_codes)
        with pytest.MonkeyPatch.context() as patch:
            tell_each_code(patch, [tell for tell, _ in LINES.values()])
            own |= dict(zip(LINES, [{canary} for canary in codes_of_orders(stage, len(LINES))], strict=True))
        for name, (leak, do, _) in BUILDS.items():
            with pytest.MonkeyPatch.context() as patch:
                leak(patch)
                own[name] = taken(stage, do)
        get_default_exception_reporter_filter.cache_clear()  # type: ignore[attr-defined]
        own["none, after"] = taken(stage, order_codes)
        said = capfd.readouterr()
        sinks.kept["standard output"].append((said.out + said.err).encode())
        found = sinks.found(Search([canary for canaries in own.values() for canary in canaries]))

    must = {name: line[-1] for name, line in LINES.items()} | {name: build[-1] for name, build in BUILDS.items()}
    assert [name for name, sink in must.items() if not own[name] & found.get(sink, {}).keys()] == []
    assert len(must) >= 20
    assert all(own[name] for name in own)
    assert [sink for sink, hits in found.items() if hits.keys() & (own["none, before"] | own["none, after"])] == []


def taken(stage: Stage, do: Callable[[Stage], object]) -> set[Canary]:
    """What was let loose while it was done."""
    stage.canaries = []
    do(stage)
    return set(stage.canaries)


def codes_of_orders(stage: Stage, count: int) -> list[Canary]:
    """As many codes as are needed, in the order in which they were stored."""
    stage.canaries = []
    while len(stage.canaries) < count:
        order_codes(stage, "psnb2b", min(4, count - len(stage.canaries)))
    return stage.canaries
