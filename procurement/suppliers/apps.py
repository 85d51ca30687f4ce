from django.apps import AppConfig

from procurement.vault import Purpose, sealed_column


class SuppliersConfig(AppConfig):
    name = "procurement.suppliers"
    label = "suppliers"

    def ready(self) -> None:
        """The vault learns where credentials and webhook bodies are sealed."""
        sealed_column("suppliers.SupplierAccount", "api_key_sealed", Purpose.SUPPLIER_API, "api_key")
        # The next key is sealed as the API key it becomes.
        sealed_column("suppliers.SupplierAccount", "next_key_sealed", Purpose.SUPPLIER_API, "api_key")
        sealed_column("suppliers.SupplierAccount", "webhook_secret_sealed", Purpose.WEBHOOK, "webhook_secret")
        sealed_column("suppliers.SupplierAccount", "webhook_previous_sealed", Purpose.WEBHOOK, "webhook_previous")
        sealed_column("suppliers.WebhookEvent", "body_sealed", Purpose.WEBHOOK)
        sealed_column("suppliers.CapturedDelivery", "sealed", Purpose.WEBHOOK)
