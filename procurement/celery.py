"""Celery as the doorbell of `procurement.work`: it wakes workers and loses nothing, because the database is the queue.

Without BROKER_URL the broker is a folder; see `procurement.work.broker`.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "procurement.settings")

from django.conf import settings

from procurement.work import broker, stopping

TICK_SECONDS = 2.0
HARD_LIMIT_SECONDS = 75  # below the lease of 90 s: a killed handler's row is taken again only after it is surely dead


def broker_settings() -> dict[str, Any]:
    """Celery's settings for the broker in use: the one named by BROKER_URL, else the folder."""
    if settings.BROKER_URL:
        return {
            "broker_url": settings.BROKER_URL,
            "broker_transport_options": {"visibility_timeout": 3600} if settings.BROKER_URL.startswith("redis") else {},
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
    task_default_queue="countersign",
    task_serializer="json",
    accept_content=["json"],
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_time_limit=HARD_LIMIT_SECONDS,
    # Retries belong to the rows: a failed ring is dropped, the sweep is two seconds away.
    task_publish_retry=False,
    broker_connection_retry_on_startup=True,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    timezone="UTC",
    beat_schedule={
        "tick": {
            "task": "work.tick",
            "schedule": TICK_SECONDS,
            # A worker that was away meets one tick, not thousands.
            "options": {"expires": 10, "expiration": 10},
        }
    },
)


@setup_logging.connect
def keep_django_logging(**kwargs: object) -> None:
    """Workers log as settings.LOGGING says; Celery would replace it. Two lines for each tick would bury the rest."""
    for name in ("celery.beat", "celery.worker.strategy", "celery.app.trace"):
        logging.getLogger(name).setLevel(logging.WARNING)


@worker_shutting_down.connect
def stop_claiming(**kwargs: object) -> None:
    stopping.request_stop()
