"""`manage.py work`: the sweep as a loop of its own, for installations without Celery."""

from __future__ import annotations

import logging
import socket
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import InterfaceError, OperationalError, close_old_connections

from procurement.web.failures import describe
from procurement.work.schedule import tick
from procurement.work.stopping import stop_on_signals, stopping

log = logging.getLogger(__name__)

PAUSE_SECONDS = 2.0


class Command(BaseCommand):
    help = "Run due work and periodic jobs every 2 seconds until SIGTERM; the work in hand is finished first."

    def add_arguments(self, parser: ArgumentParser) -> None:
        mode = parser.add_mutually_exclusive_group()
        mode.add_argument("--once", action="store_true", help="one round, then exit")
        mode.add_argument("--until-idle", action="store_true", help="rounds until nothing is due, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        stop_on_signals()
        loop = f"loop@{socket.gethostname()}"
        if options["once"]:
            tick(loop)
        elif options["until_idle"]:
            while tick(loop) and not stopping.is_set():
                pass
        else:
            run_until_stopped(loop)


def run_until_stopped(loop: str) -> None:
    """Sweep for ever; a database that is away is met again after a pause."""
    while not stopping.is_set():
        close_old_connections()
        try:
            ran = tick(loop)
        except (InterfaceError, OperationalError) as error:
            log.error("The database did not answer (%s); trying again in %s s", describe(error), PAUSE_SECONDS)
            ran = 0
        if not ran:
            stopping.wait(PAUSE_SECONDS)
