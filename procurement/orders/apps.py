from importlib import import_module

from django.apps import AppConfig

from procurement.vault import Purpose, indexed_codes, sealed_column


class OrdersConfig(AppConfig):
    name = "procurement.orders"
    label = "orders"

    def ready(self) -> None:
        """Orders tell the webhook page which of them wait, and the vault where codes are sealed and found."""
        import_module("procurement.orders.late_events")
        sealed_column("orders.Code", "sealed", Purpose.CODE, reads=("account_id", "order_id", "stored_at"))
        sealed_column("orders.ImportedCode", "sealed", Purpose.CODE)
        indexed_codes("orders.Code")
        indexed_codes("orders.ImportedCode")
