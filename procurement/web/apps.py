from importlib import import_module

from celery.signals import beat_init, worker_init
from django.apps import AppConfig
from django.core.checks import Tags, register


class WebConfig(AppConfig):
    name = "procurement.web"
    label = "web"

    def ready(self) -> None:
        deployment = import_module("procurement.web.deployment")
        register(deployment.check_settings, Tags.security)
        register(deployment.check_people, Tags.database)
        for signal in (worker_init, beat_init):
            signal.connect(deployment.stop_unless_in_order, weak=False, dispatch_uid="web.stop_unless_in_order")
