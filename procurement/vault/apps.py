from typing import Any

from celery.signals import worker_init
from django.apps import AppConfig
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate

from procurement.vault import keyring
from procurement.vault.checks import check_master_key, stop_with_a_wrong_key


def _forget_keys(**kwargs: Any) -> None:
    """The key table may have been emptied or changed under this process."""
    keyring.forget()


def _stop_worker(**kwargs: Any) -> None:
    stop_with_a_wrong_key()


class VaultConfig(AppConfig):
    name = "procurement.vault"
    label = "vault"

    def ready(self) -> None:
        register(check_master_key, Tags.database)
        post_migrate.connect(_forget_keys, sender=self, dispatch_uid="vault.forget_keys")
        worker_init.connect(_stop_worker, weak=False, dispatch_uid="vault.stop_worker")
