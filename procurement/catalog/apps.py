from __future__ import annotations

from django.apps import AppConfig
from django.utils.module_loading import import_string

from procurement.catalog.regions import region_names


class CatalogConfig(AppConfig):
    name = "procurement.catalog"
    label = "catalog"

    def ready(self) -> None:
        """Pages of every domain write regions with their names; the names live here."""
        # Tag libraries need the app registry, which is not ready when this module is imported.
        import_string("procurement.web.templatetags.ui.register_region_names")(region_names())
