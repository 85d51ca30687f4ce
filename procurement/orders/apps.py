from importlib import import_module

from django.apps import AppConfig

from procurement.vault import Purpose, indexed_codes, sealed_column


class OrdersConfig(AppConfig):
    name = "procurement.orders"
    label = "orders"

    def ready(self) -> None:
        """Orders tell the webhook page which of them wait, and the vault where codes are sealed and found."""
        import_module("procurement.orders.late_events")
        models, custody = import_module("procurement.orders.models"), import_module("procurement.orders.custody")
        held, waiting = ("account_id", "order_id", "stored_at"), ("batch__order_id", "batch__uploaded_at")
        sealed_column("orders.Code", "sealed", Purpose.CODE, reads=held, place=models.place_of_code)
        sealed_column("orders.ImportedCode", "sealed", Purpose.CODE, reads=waiting, place=custody.place_of_imported)
        indexed_codes("orders.Code")
        indexed_codes("orders.ImportedCode")
