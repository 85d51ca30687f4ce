from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class WorkConfig(AppConfig):
    name = "procurement.work"
    label = "work"

    def ready(self) -> None:
        """Import every installed app's `tasks.py`, so that its handlers and periodic jobs are known in each process."""
        autodiscover_modules("tasks")
