"""Everything a running desk writes, says or keeps, gathered so that it can be searched afterwards."""

from __future__ import annotations

import logging
import pickle
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from celery.backends.base import DisabledBackend
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.core.handlers.base import BaseHandler
from django.db import connection, connections
from django.utils.log import AdminEmailHandler, RequireDebugFalse

from procurement.celery import app
from procurement.web.request_id import RequestIdFilter
from procurement.work import bell, broker
from tests.security.canaries import Canary, Search, unpacked

# Which address shows which kind of secret on purpose, in the answer to the one who asked; nothing else may hold it.
SHOWS = {
    "orders:code_reveal": "code",
    "orders:code_copy": "code",
    "staff:factor": "factor",
    "staff:recovery_codes": "factor",
    "people:person_invite": "link",
    "people:person_link": "link",
}


# Headers of an answer that are addresses: a browser goes there and remembers them.
ADDRESSES = (
    "Location",
    "Content-Location",
    "Refresh",
    "Link",
    "HX-Location",
    "HX-Redirect",
    "HX-Push-Url",
    "HX-Replace-Url",
)


class Lines(logging.Handler):
    """Every record as the log's own formatter writes it, and what it was made of."""

    def __init__(self, kept: dict[str, list[bytes]]) -> None:
        super().__init__(logging.DEBUG)
        self.kept = kept
        self.addFilter(RequestIdFilter())
        self.setFormatter(
            next(own.formatter for own in logging.getLogger().handlers if type(own) is logging.StreamHandler)
        )

    def emit(self, record: logging.LogRecord) -> None:
        # Whoever wrote the record before leaves its traceback there for the next one.
        record.exc_text = None
        self.kept["logs"] += [self.format(record).encode(), repr(record.args).encode()]


class Page(HTMLParser):
    """The attributes of a page as a browser has them, and its text without its tags."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.attributes: list[str] = []
        self.text: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [f"{name}={value}" for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


class Sinks:
    """What was gathered, by the name of its sink. Use `gathering` to fill it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept: dict[str, list[bytes]] = defaultdict(list)
        self.answers: list[tuple[str, bytes]] = []

    def watch_statement(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        self.kept["statements"].append(sql.encode())
        self.kept["statements"] += values_of(params)
        return execute(sql, params, many, context)

    def watch_answer(self, request: Any, answer: Any) -> None:
        if answer.streaming:
            answer.streaming_content = [b"".join(answer.streaming_content)]
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content
        if answer.streaming:
            answer.streaming_content = [body]
        headers = "\n".join([*(f"{name}: {value}" for name, value in answer.headers.items()), str(answer.cookies)])
        match = request.resolver_match
        view = match.view_name if match else ""
        parts = [headers.encode(), unpacked(body)]
        if "html" in answer.headers.get("Content-Type", ""):
            page = Page(body.decode())
            parts.append("".join(page.text).encode())
            self.watch_attributes(view, page.attributes)
        self.answers.append((view, b"\n\n".join(parts)))
        gone_to = [request.get_full_path(), request.headers.get("Referer", "")]
        self.watch_addresses([*gone_to, *(answer.headers.get(name, "") for name in ADDRESSES)])

    def watch_attributes(self, view: str, attributes: list[str]) -> None:
        """A code that is shown on purpose is so as text: attributes are read by scripts, extensions and tools for tests."""
        if SHOWS.get(view) in {None, "code"}:
            self.kept["attributes"] += [text.encode() for text in attributes]
            self.watch_addresses(attributes)

    def watch_addresses(self, addresses: list[str]) -> None:
        """Server logs, histories and the Referer of the next page hold them; as they came and decoded, twice at most."""
        for address in addresses:
            once, twice = unquote(address), unquote(unquote(address))
            self.kept["addresses"] += [text.encode() for text in dict.fromkeys((address, once, twice))]

    def found(self, search: Search) -> dict[str, dict[Canary, set[str]]]:
        """What stands in each sink, and how it is written there."""
        found = {name: search.hits(once(parts)) for name, parts in {**self.kept, **stored(self.folder)}.items()}
        for meant in {"", *SHOWS.values()}:
            answers = [answer for view, answer in self.answers if SHOWS.get(view, "") == meant]
            found.setdefault("answers", {}).update(search.hits(once(answers), meant))
        return found

    def hits(self, search: Search) -> dict[str, list[str]]:
        """What was found in words, by sink; empty when nothing leaked."""
        return {
            name: sorted(f"{canary.name}: {way}" for canary, ways in found.items() for way in ways)
            for name, found in self.found(search).items()
            if found
        }

    def seen(self) -> dict[str, int]:
        """How many bytes of each sink would be searched: none of them may be empty by mistake."""
        sizes = {name: sum(map(len, parts)) for name, parts in {**self.kept, **stored(self.folder)}.items()}
        return {**sizes, "answers": sum(len(answer) for _, answer in self.answers)}


def once(parts: list[bytes]) -> bytes:
    """Each line once, in order: pages, statements and reports repeat themselves a hundred times."""
    return b"\n".join(dict.fromkeys(line for part in parts for line in part.split(b"\n")))


def stored(folder: Path) -> dict[str, list[bytes]]:
    """What is kept after everything is over."""
    return {
        "database": [*database_rows(), *database_files()],
        "sessions": [repr(data).encode() for data in sessions()],
        "cache": [part for alias in settings.CACHES for part in cached(alias)],
        "mails": [str(sent.message()).encode() + repr(vars(sent)).encode() for sent in mail.outbox],
        "files": [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()],
    }


def sessions() -> list[dict[str, Any]]:
    """What is in each session; the rows hold it compressed."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    return [store().decode(row.session_data) for row in store.get_model_class().objects.all()]


def values_of(params: Any) -> list[bytes]:
    """Parameters of a statement, or a row, as bytes; binary values as they are."""
    if isinstance(params, dict):
        params = list(params.values())
    if isinstance(params, (list, tuple)):
        return [part for value in params for part in values_of(value)]
    return [bytes(params)] if isinstance(params, (bytes, memoryview, bytearray)) else [str(params).encode()]


def database_rows() -> Iterator[bytes]:
    """Every value of every row of every table."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                yield b"\n".join(values_of(row))


def database_files() -> Iterator[bytes]:
    """The embedded database as it lies on the disk, with what was deleted and not yet written over."""
    if connection.vendor == "sqlite":
        for ending in ("", "-wal"):
            path = Path(f"{connection.settings_dict['NAME']}{ending}")
            if path.exists():
                yield path.read_bytes()


def cached(alias: str) -> list[bytes]:
    content = getattr(caches[alias], "_cache", {})
    return [repr(key).encode() + bytes(value) + repr(pickle.loads(value)).encode() for key, value in content.items()]


@contextmanager
def gathering(folder: Path) -> Iterator[Sinks]:
    """While this lasts all that is written is kept: logs at their lowest level, statements, answers, mails, messages."""
    # What a test before left in this process is no part of it.
    caches["default"].clear()
    sinks = Sinks(folder)
    handler, mailer = Lines(sinks.kept), AdminEmailHandler(include_html=True)
    mailer.setLevel(logging.ERROR)
    # As Django does: with debug pages on the page itself says it.
    mailer.addFilter(RequireDebugFalse())
    answer_to = BaseHandler.get_response
    before = dict(app.conf.broker_transport_options), app.conf.broker_url
    loggers = {logging.getLogger(name): logging.getLogger(name).level for name in ("", "django")}

    def watched(self: Any, request: Any) -> Any:
        answer = answer_to(self, request)
        sinks.watch_answer(request, answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseHandler, "get_response", watched)
        patch.setattr(settings, "ADMINS", [("Operator", "operator@countersign.example")])
        patch.setattr(settings, "DATA_DIR", folder)
        app.conf.update(broker_transport_options=broker.options(folder / "broker"), broker_url=f"{broker.SCHEME}://")
        patch.setattr(bell, "BELL", bell.Bell())
        patch.setattr(connections["default"], "force_debug_cursor", True)
        assert isinstance(app.backend, DisabledBackend), "results are kept somewhere that is not searched"
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        for one in (handler, mailer):
            logging.getLogger().addHandler(one)
        try:
            with connection.execute_wrapper(sinks.watch_statement):
                yield sinks
        finally:
            for one in (handler, mailer):
                logging.getLogger().removeHandler(one)
            for logger, level in loggers.items():
                logger.setLevel(level)
            app.conf.update(broker_transport_options=before[0], broker_url=before[1])
