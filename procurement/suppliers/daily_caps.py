"""How much may be approved at an account in a day, in steps that days which reconciled unlock: a setting of the account (R96)."""

from __future__ import annotations

from typing import Any

from procurement.errors import Refused
from procurement.suppliers.models import SupplierAccount

STEPS, CLEAN_DAYS = "daily_caps", "clean_days_for_next_cap"
# What a new live account begins with, in whole units of its currency. A sandbox account has no cap unless one is set.
FIRST_STEPS, FIRST_CLEAN_DAYS = (1_000, 5_000, 25_000), 5
MOST_STEPS, MOST_CLEAN_DAYS = 8, 90


def daily_caps(account: SupplierAccount) -> list[int]:
    """The caps in whole units of the account's currency, lowest first; empty for none."""
    return list(account.settings.get(STEPS, [] if account.is_sandbox else FIRST_STEPS))


def clean_days_needed(account: SupplierAccount) -> int:
    """How many clean signed days lead to each next cap."""
    return int(account.settings.get(CLEAN_DAYS, FIRST_CLEAN_DAYS))


def read_caps(text: str) -> list[int]:
    """Caps as a person writes them, "1000, 5000, 25000"; Refused when they do not rise."""
    parts = [part.strip().replace(" ", "") for part in text.replace(";", ",").split(",") if part.strip()]
    if not all(part.isdecimal() and len(part) <= 12 for part in parts):
        raise Refused(
            "Write the daily caps as whole amounts with commas between, as in 1000, 5000. Nothing was stored."
        )
    return [int(part) for part in parts]


def check_daily_caps(settings: dict[str, Any]) -> None:
    """Refuse caps that do not rise, and a wait that is none (R96)."""
    steps, days = settings.get(STEPS, []), settings.get(CLEAN_DAYS, FIRST_CLEAN_DAYS)
    if len(steps) > MOST_STEPS or any(step < 1 for step in steps) or sorted(set(steps)) != list(steps):
        raise Refused(
            f"The daily caps must be at most {MOST_STEPS} amounts, each above the one before. Nothing was stored."
        )
    if not 1 <= days <= MOST_CLEAN_DAYS:
        raise Refused(f"The next cap takes from 1 to {MOST_CLEAN_DAYS} clean days. Nothing was stored.")
