"""`manage.py demo`: the whole desk on this computer, with nothing to install and nothing to pay."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from kombu.exceptions import OperationalError

from procurement.celery import app
from procurement.demo import seed
from procurement.demo.supervisor import PROGRESS, Demo, Plan


class Command(BaseCommand):
    help = "Run the desk with sample data: web, worker, scheduler and a supplier sandbox, until Ctrl-C."
    requires_system_checks: list[str] = []  # the children check; here it would only delay the first line

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=8200, help="of the desk (default 8200)")
        parser.add_argument("--sandbox-port", type=int, default=8201, help="of the supplier sandbox (default 8201)")
        parser.add_argument("--empty", action="store_true", help="people only, no sample orders")
        parser.add_argument("--reset", action="store_true", help="wipe the demo's data first")
        parser.add_argument("--prepare", action="store_true", help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        plan = Plan(options["port"], options["sandbox_port"], options["empty"], options["reset"])
        if options["prepare"]:
            self.prepare(plan)
        else:
            Demo(plan, say=lambda line: self.stdout.write(line)).run()

    def prepare(self, plan: Plan) -> None:
        """Migrate, declare the queue before several processes use it, and seed."""
        call_command("migrate", verbosity=0)
        declare_queue()
        seed.ensure(empty=plan.empty, sandbox_url=plan.sandbox, say=lambda line: self.stdout.write(PROGRESS + line))


def declare_queue() -> None:
    try:
        with app.connection_for_write(transport_options={"max_retries": 1}) as connection:
            app.amqp.queues[app.conf.task_default_queue](connection.default_channel).declare()
    except OperationalError:
        raise CommandError("BROKER_URL names a broker that does not answer. Start it, or unset BROKER_URL.") from None
