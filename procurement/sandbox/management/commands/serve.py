"""`manage.py serve` of the sandbox: its web server, and the loop that moves orders on and sends webhooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections
from gunicorn.app.base import BaseApplication

from procurement.sandbox import catalogue, loop
from procurement.sandbox.wsgi import application


class Server(BaseApplication):
    """gunicorn with one process, so that clock and connections are one, and threads for slow answers."""

    def __init__(self, bind: str, threads: int, parent: int | None) -> None:
        self.bind, self.threads, self.parent = bind, threads, parent
        super().__init__()

    def load_config(self) -> None:
        wanted = {
            "bind": self.bind,
            "worker_class": "gthread",
            "workers": 1,
            "threads": self.threads,
            "keepalive": 75,
            "timeout": 120,
            "graceful_timeout": 3,
            "loglevel": "warning",
            "control_socket_disable": True,
            "post_worker_init": lambda worker: loop.start(self.parent),
        }
        for name, value in wanted.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return application


class Command(BaseCommand):
    help = "Serve both suppliers' APIs, the controls and the fault desk."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8201)
        parser.add_argument("--threads", type=int, default=16)
        parser.add_argument("--parent", type=int, help="stop when this process is gone")

    def handle(self, *, host: str, port: int, threads: int, parent: int | None, **options: Any) -> None:
        Path(settings.DB_FILE).parent.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        catalogue.load_defaults()
        connections.close_all()  # an open SQLite handle must not be shared with the forked worker
        self.stdout.write(f"Supplier sandbox at http://{host}:{port}/faults/")
        Server(f"{host}:{port}", threads, parent).run()
