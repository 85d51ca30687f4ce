"""One installation for each broker, on a database of its own; it is put up once for all tests of the folder."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings

from procurement.vault import keyring
from tests.distributed.brokers import broker_of
from tests.distributed.hosts import Hosts
from tests.fixtures_sandbox import SandboxServer, sandbox_server

__all__ = ["sandbox_server"]
MASTER_KEY = base64.b64encode(b"countersign-tests-master-key-32b").decode()


@pytest.fixture(scope="session")
def migrated(django_db_blocker: Any) -> Iterator[str]:
    """The name of an empty, migrated database. No test writes to it; each installation works on a copy."""
    if connection.vendor != "postgresql":
        pytest.skip("several hosts need a database server: set DATABASE_URL=postgresql://…")
    before, name = connection.settings_dict["NAME"], f"test_hosts_{os.getpid()}"
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        patch.setitem(connection.settings_dict["TEST"], "NAME", name)
        connection.close()
        connection.creation.create_test_db(verbosity=0, autoclobber=True)
        switch_to(before)
        yield name
        drop_database(name)


@pytest.fixture(scope="session", params=["rabbitmq", "redis"])
def hosts(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    migrated: str,
    sandbox_server: SandboxServer,
    django_db_blocker: Any,
) -> Iterator[Hosts]:
    """Workers a and b, two schedulers, and a shop with money at both suppliers."""
    broker = broker_of(request.param)
    with (
        django_db_blocker.unblock(),
        override_settings(MASTER_KEY=MASTER_KEY),
        pytest.MonkeyPatch.context() as patch,
        own_database(migrated, f"{migrated}_{request.param}"),
    ):
        # The tests' own process stands for a web process whose every ring is lost.
        patch.setattr("procurement.work.services.ring", lambda: None)
        made = Hosts(tmp_path_factory.mktemp(request.param), broker, sandbox_server)
        try:
            made.start_all()
            yield made
        finally:
            made.close()


@contextmanager
def own_database(source: str, name: str) -> Iterator[None]:
    """A copy of a database, which this process works on too while it lasts."""
    before = connection.settings_dict["NAME"]
    copy_database(source, name)
    switch_to(name)
    try:
        yield
    finally:
        switch_to(before)
        drop_database(name)


def switch_to(name: str) -> None:
    """Let this process work on another database, with that one's sealing keys."""
    connection.close()
    connection.settings_dict["NAME"] = name
    keyring.forget()


def copy_database(source: str, name: str) -> None:
    """What a restored backup is: another database with the rows of `source` as they are now. Ends all its connections."""
    connection.close()
    drop_database(name)
    end_connections(source)
    with connection._nodb_cursor() as server:
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')


def drop_database(name: str) -> None:
    with connection._nodb_cursor() as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def end_connections(name: str) -> int:
    """pg_terminate_backend for every connection to this database; how many there were."""
    with connection._nodb_cursor() as server:
        server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        return len(server.fetchall())
