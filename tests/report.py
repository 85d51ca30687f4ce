"""What the test run says about itself: the options `--no-browser` and `--no-spin`, and on what it ran as its last line."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress

import pytest
from django.conf import settings
from django.db import connection

from procurement.celery import app
from procurement.work import broker


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-browser", action="store_true", help="skip the tests that need a browser, and report them so")
    parser.addoption("--no-spin", action="store_true", help="skip the tests that need the model checker Spin")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that open a page carry the mark `browser`, so that `-m browser` selects them."""
    for item in items:
        if {"browser", "page", "new_page"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("browser")


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """The very last line, after pytest's own."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if hasattr(config, "workerinput") or reporter is None or config.option.collectonly:
        return
    counts = [
        f"{len(found)} {outcome}"
        for outcome in ("passed", "failed", "error", "skipped")
        if (found := reporter.stats.get(outcome))
    ]
    if counts:
        print(f"{', '.join(counts)} on {database_name()} ({broker_name()})")  # noqa: T201


def database_name() -> str:
    if connection.vendor == "sqlite":
        return f"SQLite {sqlite3.sqlite_version}"
    with (
        suppress(connection.Database.Error),  # type: ignore[attr-defined]
        closing(connection.get_new_connection(connection.get_connection_params())) as server,
    ):
        return "PostgreSQL {}.{}".format(*divmod(server.info.server_version, 10_000))
    return "PostgreSQL"


def broker_name() -> str:
    scheme = settings.BROKER_URL.partition("://")[0]
    return {"": "file broker", "amqp": "RabbitMQ", "amqps": "RabbitMQ"}.get(scheme, "Redis")


@pytest.fixture(autouse=True, scope="session")
def own_queue(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Each process of a parallel run has its own broker folder; on a shared server the tests use their own queue."""
    settings.BROKER_DIR = tmp_path_factory.getbasetemp() / "broker"
    if settings.BROKER_URL:
        app.conf["task_default_queue"] = "countersign-test"
    else:
        app.conf["broker_transport_options"] = broker.options(settings.BROKER_DIR)
