from django.apps import AppConfig


class VaultConfig(AppConfig):
    name = "procurement.vault"
    label = "vault"
