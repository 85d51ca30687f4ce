from django.apps import AppConfig


class ReconciliationConfig(AppConfig):
    name = "procurement.reconciliation"
    label = "reconciliation"
