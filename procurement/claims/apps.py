from django.apps import AppConfig
from django.core.checks import register

from procurement.claims.checks import check_messages


class ClaimsConfig(AppConfig):
    name = "procurement.claims"
    label = "claims"

    def ready(self) -> None:
        register(check_messages)
