from importlib import import_module

from django.apps import AppConfig

from procurement.vault import Purpose, sealed_column


class StaffConfig(AppConfig):
    name = "procurement.staff"
    label = "staff"

    def ready(self) -> None:
        """The vault learns where seeds are sealed; a sign-in is noted as a step-up where a password counts as one."""
        import_module("procurement.staff.stepping_up")
        sealed_column("staff.Factor", "seed_sealed", Purpose.TOTP)
