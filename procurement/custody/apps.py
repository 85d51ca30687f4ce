from django.apps import AppConfig


class CustodyConfig(AppConfig):
    name = "procurement.custody"
    label = "custody"
