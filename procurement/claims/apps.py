from importlib import import_module

from django.apps import AppConfig
from django.core.checks import register

from procurement.claims.checks import check_messages


class ClaimsConfig(AppConfig):
    name = "procurement.claims"
    label = "claims"

    def ready(self) -> None:
        """Messages are checked at the start; orders learn that a case is a ground for a reveal."""
        register(check_messages)
        import_module("procurement.claims.grounds")
