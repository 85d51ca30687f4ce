from django.apps import AppConfig


class StaffConfig(AppConfig):
    name = "procurement.staff"
    label = "staff"
