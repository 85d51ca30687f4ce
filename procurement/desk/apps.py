from django.apps import AppConfig


class DeskConfig(AppConfig):
    name = "procurement.desk"
    label = "desk"
