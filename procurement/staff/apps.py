from importlib import import_module

from django.apps import AppConfig

from procurement.vault import Purpose, sealed_column


class StaffConfig(AppConfig):
    name = "procurement.staff"
    label = "staff"

    def ready(self) -> None:
        """The vault learns where seeds are sealed; sign-ins are noted."""
        for module in ("sessions", "stepping_up"):
            import_module(f"procurement.staff.{module}")
        sealed_column("staff.Factor", "seed_sealed", Purpose.TOTP)
