from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "procurement.approvals"
    label = "approvals"
