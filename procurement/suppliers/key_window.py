"""How long a supplier that takes an idempotency key may be sent the same order again: a setting of the account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from procurement.errors import Refused
from procurement.suppliers.models import SupplierAccount

SETTING = "key_window_hours"
# No supplier publishes how long it remembers a key: our guess, and what no setting may exceed.
DEFAULT_HOURS, MOST_HOURS = 6, 24


def check_key_window(settings: dict[str, Any]) -> None:
    """Refuse a window that is no whole number of hours from 0 to 24; 0 means never to send again (R21)."""
    hours = settings.get(SETTING, DEFAULT_HOURS)
    if not is_valid(hours):
        raise Refused(
            f"The key window must be a whole number of hours from 0 to {MOST_HOURS}. Nothing was stored. "
            "Ask the supplier how long it remembers a key, and stay below that."
        )


def is_valid(hours: object) -> bool:
    return isinstance(hours, int) and not isinstance(hours, bool) and 0 <= hours <= MOST_HOURS


def key_window(account: SupplierAccount) -> timedelta:
    """From the first sending; none at all where the setting is damaged: then people decide at once."""
    hours = account.settings.get(SETTING, DEFAULT_HOURS)
    return timedelta(hours=hours) if is_valid(hours) else timedelta(0)
