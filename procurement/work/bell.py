"""The doorbell: wakes a worker from a thread of its own, so that a slow or dead broker costs no request anything.

Rings that arrive while one is being sent become one message; a lost ring costs the two seconds until the next sweep.
"""

from __future__ import annotations

import logging
import os
import threading

from kombu import Connection

from procurement.celery import app

log = logging.getLogger(__name__)

CONNECT_SECONDS = 0.5
PAUSE_AFTER_FAILURE_SECONDS = 5.0


class Bell:
    """One thread and one broker connection per process, both made at the first ring."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wanted = threading.Event()
        self.thread: threading.Thread | None = None
        self.connection: Connection | None = None

    def ring(self) -> None:
        """Ask for a message and return at once; never raises."""
        self.wanted.set()
        with self.lock:
            if self.thread is None:
                self.thread = threading.Thread(target=self.serve, name="doorbell", daemon=True)
                self.thread.start()

    def serve(self) -> None:
        # The interval only matters after a failure: rings of these seconds wait and become one.
        pause = threading.Event()
        while True:
            self.wanted.wait()
            self.wanted.clear()
            if not self.attempt():
                pause.wait(PAUSE_AFTER_FAILURE_SECONDS)

    def attempt(self) -> bool:
        """Send one `work.run_due` message; False when the broker did not take it."""
        try:
            self.send()
        except Exception as error:  # brokers fail in many ways; the row is there and the sweep finds it
            connection, self.connection = self.connection, None
            if connection is not None:
                connection.collect(socket_timeout=0.1)
            log.warning(
                "The broker took no wake-up call (%s); due work starts with the next sweep", type(error).__name__
            )
            return False
        return True

    def send(self) -> None:
        if self.connection is None:
            self.connection = app.connection_for_write(
                connect_timeout=CONNECT_SECONDS,
                # An idle web process answers no heartbeat: the broker would cut a connection that asks for one.
                heartbeat=0,
                transport_options=bounded_options(),
            )
        app.send_task(
            "work.run_due",
            queue=app.conf.task_default_queue,
            connection=self.connection,
            retry=False,
            expires=60,
            expiration=60,
        )


def bounded_options() -> dict[str, object]:
    """One attempt, and socket time-outs in seconds for both AMQP and Redis."""
    return {
        "max_retries": 0,
        "connect_retries_timeout": CONNECT_SECONDS,
        "socket_connect_timeout": CONNECT_SECONDS,
        "socket_timeout": CONNECT_SECONDS,
        "read_timeout": CONNECT_SECONDS,
        "write_timeout": CONNECT_SECONDS,
    }


BELL = Bell()
# A forked child has neither the thread nor a connection of its own: it begins anew.
os.register_at_fork(after_in_child=BELL.__init__)  # type: ignore[misc]


def ring() -> None:
    """Wake a worker to look for due work."""
    BELL.ring()
