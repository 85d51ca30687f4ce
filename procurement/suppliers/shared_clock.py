"""The one clock by which limits are kept: the database's where several hosts share it, this process's on one host."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db import connection
from django.utils import timezone


def now() -> datetime:
    """UTC. Workers on PostgreSQL whose own clocks differ agree by it; settings.SHARED_CLOCK = "process" is for tests."""
    if settings.SHARED_CLOCK == "process" or connection.vendor != "postgresql":
        return timezone.now()
    with connection.cursor() as cursor:
        # now() would stand still inside a transaction.
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment


def here(moment: datetime) -> datetime:
    """The same moment by this host's own clock, with which due times are compared.

    A host that is two seconds ahead would otherwise come back at once, again and again, until the moment has come.
    """
    return moment + (timezone.now() - now())
