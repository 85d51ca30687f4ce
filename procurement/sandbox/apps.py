from django.apps import AppConfig


class SandboxConfig(AppConfig):
    name = "procurement.sandbox"
    label = "sandbox"
