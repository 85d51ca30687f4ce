"""The two messages Celery carries, and the queue's own housekeeping."""

from __future__ import annotations

import socket
from datetime import timedelta

from celery import Task
from django.conf import settings
from django.utils import timezone

from procurement.celery import app
from procurement.work import broker
from procurement.work.models import Loop
from procurement.work.registry import periodic
from procurement.work.runner import run_due
from procurement.work.schedule import tick


@app.task(name="work.run_due", max_retries=0)
def run_due_task() -> None:
    """Somebody rang: run what is due."""
    run_due()


@app.task(name="work.tick", max_retries=0, bind=True)
def tick_task(task: Task) -> None:
    """The sweep, every two seconds: whatever a lost ring left behind is found here. Its loop bears the worker's name."""
    tick(loop=task.request.hostname or f"worker@{socket.gethostname()}")


@periodic("work.prune", every=timedelta(minutes=10))
def prune() -> None:
    """Remove old files of the embedded broker, and loops that stopped a day ago."""
    broker.prune(settings.BROKER_DIR)
    Loop.objects.filter(last_seen_at__lt=timezone.now() - timedelta(days=1)).delete()
