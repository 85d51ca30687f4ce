"""A database and a master key of the bench's own, gone when it ends: nothing it does can reach the demo's data."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings

from procurement.vault import keyring


@contextmanager
def scratch_database() -> Iterator[None]:
    """While this lasts, the default database is an empty, migrated one: a temporary SQLite file, or one on the server.

    On PostgreSQL the role of DATABASE_URL needs CREATEDB; without it Django says so and exits.
    """
    real = connection.settings_dict["NAME"]
    with tempfile.TemporaryDirectory(prefix="countersign-bench-") as folder, own_test_name(folder):
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        # Sealing keys are of one database: none read before stays in memory, and none made here does.
        keyring.forget()
        try:
            yield
        finally:
            keyring.forget()
            connection.creation.destroy_test_db(real, verbosity=0)


@contextmanager
def own_test_name(folder: str) -> Iterator[None]:
    """Call the scratch database like no other process calls its own."""
    options = connection.settings_dict["TEST"]
    before = options["NAME"]
    name = f"countersign_bench_{os.getpid()}"
    options["NAME"] = str(Path(folder) / "bench.sqlite3") if connection.vendor == "sqlite" else name
    try:
        yield
    finally:
        options["NAME"] = before


@contextmanager
def bench_settings(urlconf: str) -> Iterator[None]:
    """The settings as they are, on plain HTTP and without debug pages, with the bench's routes and master key."""
    changes = {
        "DEBUG": False,
        "SECURE_SSL_REDIRECT": False,
        "ALLOWED_HOSTS": ["localhost"],
        "ROOT_URLCONF": urlconf,
        "MASTER_KEY": base64.b64encode(os.urandom(32)).decode(),
    }
    with override_settings(**changes):
        assert not settings.DEBUG
        yield
