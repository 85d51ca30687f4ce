"""What changes the catalogue: reading products, importing SKUs, mapping one to the other."""

from __future__ import annotations

from procurement.catalog.services.importing import apply_import, dry_run
from procurement.catalog.services.mapping import (
    MappingResult,
    activate_all_exact,
    activate_mapping,
    draft_mapping,
    propose_all,
    retire_mapping,
)
from procurement.catalog.services.refreshing import RefreshResult, ask_refresh, refresh_products

__all__ = [
    "MappingResult",
    "RefreshResult",
    "activate_all_exact",
    "activate_mapping",
    "apply_import",
    "ask_refresh",
    "draft_mapping",
    "dry_run",
    "propose_all",
    "refresh_products",
    "retire_mapping",
]
