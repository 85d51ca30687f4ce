from importlib import import_module

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "procurement.web"
    label = "web"

    def ready(self) -> None:
        import_module("procurement.web.session_end")
