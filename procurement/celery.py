"""Celery as the doorbell of `procurement.work`: it wakes workers and loses nothing, because the database is the queue.

Without BROKER_URL the broker is a folder; see `procurement.work.broker`.
"""

from __future__ import annotations

import logging
import os
import ssl
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "procurement.settings")

from django.conf import settings

from procurement.web.crashing import keep_words_back
from procurement.work import broker, stopping

TICK_SECONDS = 2.0
# A broker that vanishes without a word is noticed by the answer it owes, not by the hours TCP allows by itself.
REDIS_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_connect_timeout": 5,
    "socket_timeout": 30,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
# The broker is who its certificate says, by an authority that this computer trusts (SSL_CERT_FILE names others).
TLS: dict[str, dict[str, Any]] = {
    "amqps": {"server_hostname": None},  # kombu puts the host in; without this key no name is compared
    "rediss": {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True},
}
# Below the lease of 90 s. Holds with processes (-P prefork); no pool of threads can end a thread, so there every wait
# has an end of its own (docs/operations.md), and the lease and the fence answer for the rest.
HARD_LIMIT_SECONDS = 75


def broker_settings() -> dict[str, Any]:
    """Celery's settings for the broker in use: the one named by BROKER_URL, else the folder."""
    if settings.BROKER_URL:
        return {
            "broker_url": settings.BROKER_URL,
            "broker_transport_options": REDIS_OPTIONS if settings.BROKER_URL.startswith("redis") else {},
            "broker_use_ssl": TLS.get(urlsplit(settings.BROKER_URL).scheme),
            # One message at a time: a worker busy with a slow supplier hoards none.
            "worker_prefetch_multiplier": 1,
        }
    return {
        "broker_url": f"{broker.SCHEME}://",
        "broker_transport_options": broker.options(settings.BROKER_DIR),
        # The folder is polled five times a second, so fetching one by one would starve the threads.
        "worker_prefetch_multiplier": 4,
    }


broker.register()
app = Celery("procurement")
app.conf.update(
    **broker_settings(),
    imports=["procurement.work.tasks"],
    task_default_queue=settings.QUEUE,
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=HARD_LIMIT_SECONDS,
    # Retries belong to the rows: a failed ring is dropped, the sweep is two seconds away.
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    # Celery gives up after a hundred tries by default, and an outage may be longer.
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    # Raising the count again after a reconnection asks the broker from a pool thread and waits for the answer there, while
    # the event loop reads the same socket: whoever gets half a frame stands still until the broker's heartbeat ends it.
    worker_enable_prefetch_count_reduction=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    timezone="UTC",
    beat_schedule={
        "tick": {
            "task": "work.tick",
            "schedule": TICK_SECONDS,
            # A worker that was away meets one tick, not thousands.
            # The scheduler keeps one connection, and makes a new one for a dead one only where it may try again:
            # without that it fails at every tick for the rest of its life once the broker was away.
            "options": {
                "expires": 10,
                "expiration": 10,
                "retry": True,
                "retry_policy": {"max_retries": 1, "interval_start": 0},
            },
        }
    },
)


@setup_logging.connect
def keep_django_logging(**kwargs: object) -> None:
    """Workers log as settings.LOGGING says; Celery would replace it. Two lines for each tick would bury the rest."""
    keep_words_back()
    for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_shutting_down.connect
def stop_claiming(**kwargs: object) -> None:
    stopping.request_stop()
