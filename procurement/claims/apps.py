from django.apps import AppConfig


class ClaimsConfig(AppConfig):
    name = "procurement.claims"
    label = "claims"
