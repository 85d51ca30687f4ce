"""The demo: web, worker, scheduler and supplier sandbox as children of one process that stops them all."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.core.management.base import CommandError

from procurement.demo import processes
from procurement.demo.files import make_folder, only_demo, wipe_data
from procurement.demo.processes import Child
from procurement.staff.demo import LOGINS


@dataclass(frozen=True)
class Plan:
    """What was asked for on the command line."""

    port: int
    sandbox_port: int
    empty: bool = False
    reset: bool = False

    @property
    def site(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def sandbox(self) -> str:
        return f"http://127.0.0.1:{self.sandbox_port}"


class Demo:
    """Starts the parts in order, waits, and leaves nothing running."""

    def __init__(self, plan: Plan, say: Callable[[str], None]) -> None:
        self.plan, self.say = plan, say
        self.folder = Path(settings.DATA_DIR)
        self.children: list[Child] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        """Until Ctrl-C or SIGTERM. Raises CommandError with the reason when a part does not start or dies."""
        processes.check_free(self.plan.port, "--port")
        processes.check_free(self.plan.sandbox_port, "--sandbox-port")
        with only_demo(self.folder):
            if self.plan.reset:
                self.reset()
            make_folder(self.folder)
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: self.stopping.set())
            try:
                self.start_all()
                self.wait_for_the_end()
            finally:
                self.stop_all()

    def reset(self) -> None:
        if settings.DATABASES["default"]["ENGINE"].endswith("postgresql"):
            raise CommandError(
                "--reset wipes the embedded database only, and DATABASE_URL names a server. Nothing was wiped."
            )
        wipe_data(self.folder)

    def environment(self) -> dict[str, str]:
        """The children's settings: always a sandbox, with the keys of the data folder."""
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "procurement.settings",
            "PYTHONUNBUFFERED": "1",
            "COUNTERSIGN_ENV": "sandbox",
            "COUNTERSIGN_DATA_DIR": str(self.folder),
            "COUNTERSIGN_SITE_URL": self.plan.site,
            "COUNTERSIGN_SECRET_KEY": (self.folder / "secret.key").read_text(),
            "COUNTERSIGN_MASTER_KEY": "",
            "COUNTERSIGN_MASTER_KEY_FILE": str(self.folder / "master.key"),
            "SANDBOX_DB": str(self.folder / "sandbox.sqlite3"),
        }

    def start(self, name: str, *command: str) -> Child:
        child = processes.start(name, list(command), folder=self.folder, environment=self.environment())
        self.children.append(child)
        return child

    def start_all(self) -> None:
        """The sandbox first, because the sample data is bought from it; then the data; then the desk."""
        begun = time.monotonic()
        self.start("sandbox", "-m", "procurement.sandbox", "serve", "--port", str(self.plan.sandbox_port))
        self.wait_for_port(self.plan.sandbox_port)
        self.prepare_data()
        if self.stopping.is_set():
            return
        self.start("web", *web_command(self.plan.port))
        self.start("worker", *WORKER)
        self.start("scheduler", *SCHEDULER, "--schedule", str(self.folder / "scheduler"))
        if sys.platform != "linux":
            pids = [str(child.process.pid) for child in self.children]
            self.start("watchdog", "-m", "procurement.demo.watchdog", str(os.getpid()), *pids)
        self.wait_for_port(self.plan.port)
        if not self.stopping.is_set():
            self.greet(time.monotonic() - begun)

    def prepare_data(self) -> None:
        """Migrate, declare the queue and seed, in a process that has the children's settings."""
        arguments = ["--prepare", "--sandbox-port", str(self.plan.sandbox_port)]
        child = self.start("data", "manage.py", "demo", *arguments, *(["--empty"] if self.plan.empty else []))
        shown = 0
        while child.process.poll() is None and not self.stopping.wait(0.1):
            self.check_alive(finished={"data"})
            shown = self.show_progress(child, shown)
        self.show_progress(child, shown)
        if child.process.poll() is None:
            return
        self.children.remove(child)
        if child.process.returncode:
            raise CommandError(f"The sample data could not be made, so the demo was stopped.\n{child.last_words()}")

    def show_progress(self, child: Child, shown: int) -> int:
        """Pass on the new lines that are meant for the terminal; how many lines have been read."""
        lines = child.log.read_text(errors="replace").splitlines()
        for line in lines[shown:]:
            if line.startswith(PROGRESS):
                self.say(line.removeprefix(PROGRESS))
        return len(lines)

    def wait_for_port(self, port: int) -> None:
        deadline = time.monotonic() + processes.START_SECONDS
        while not processes.answers(port) and not self.stopping.wait(0.05):
            self.check_alive()
            if time.monotonic() > deadline:
                raise CommandError(f"Nothing answered on port {port} within 30 seconds, so the demo was stopped.")

    def check_alive(self, finished: frozenset[str] | set[str] = frozenset()) -> None:
        """Raise when a part has ended that should be running."""
        for child in self.children:
            if child.process.poll() is not None and child.name not in finished:
                raise CommandError(
                    f"The {child.name} ended (exit code {child.process.returncode}), so the demo was stopped.\n"
                    f"{child.last_words()}"
                )

    def greet(self, seconds: float) -> None:
        self.say(f"\nCountersign is ready after {seconds:.0f} s: {self.plan.site}")
        self.say(f"The suppliers' sandbox and its faults: {self.plan.sandbox}/faults/")
        self.say("\nSign in as")
        shown: set[str] = set()
        for login in LOGINS:
            if login.role not in shown and not self.plan.empty:
                self.say(f"  {login.role:<16} {login.username:<8} {login.password}")
            shown.add(login.role)
        self.say("\nCtrl-C stops everything; the data stays for the next time.")

    def wait_for_the_end(self) -> None:
        while not self.stopping.wait(0.25):
            self.check_alive()

    def stop_all(self) -> None:
        """The sandbox last: work in hand may still be waiting for its answer."""
        desk = [child for child in self.children if child.name != "sandbox"]
        processes.stop(desk)
        processes.stop([child for child in self.children if child.name == "sandbox"], seconds=5)


PROGRESS = "» "
WORKER = (
    *("-m", "celery", "--quiet", "-A", "procurement.celery", "worker", "-P", "threads", "-c", "6"),
    *("--without-gossip", "--without-mingle", "--without-heartbeat"),
)
SCHEDULER = ("-m", "celery", "--quiet", "-A", "procurement.celery", "beat", "--pidfile", "")


def web_command(port: int) -> tuple[str, ...]:
    return (
        *("-m", "gunicorn", "procurement.wsgi", "--bind", f"127.0.0.1:{port}", "--worker-class", "gthread"),
        *(
            "--workers",
            "2",
            "--threads",
            "4",
            "--graceful-timeout",
            "5",
            "--no-control-socket",
            "--log-level",
            "warning",
        ),
    )
