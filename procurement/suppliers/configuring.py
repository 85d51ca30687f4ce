"""Changing an account that is in use: its address, its limits, and how long an order may be sent again (R105)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Refused, StaleState
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.budget import ALL, LIMIT_WORDS, ORDERS, POLLS, limit_for
from procurement.suppliers.clients import client_for
from procurement.suppliers.daily_caps import (
    CLEAN_DAYS,
    STEPS,
    check_daily_caps,
    clean_days_needed,
    daily_caps,
    read_caps,
)
from procurement.suppliers.key_window import DEFAULT_HOURS, MOST_HOURS, SETTING, check_key_window, key_window
from procurement.suppliers.models import Exchange, SupplierAccount
from procurement.suppliers.services import NO_NEXT_KEY, check_address
from procurement.suppliers.states import PAUSED
from procurement.vault import Purpose, open_sealed, seal

# What a supplier allows for one key (R39, R40); no account of ours is set above it.
MOST_A_MINUTE = {ALL: 60, ORDERS: 10, POLLS: 60}
# Each limit's name in `change_account`.
LIMIT_FIELDS = {ALL: "calls", ORDERS: "orders", POLLS: "polls"}


def settings_of(account: SupplierAccount) -> dict[str, Any]:
    """The present values, by the names `change_account` takes."""
    limits = {name: limit_for(account, name) for name in LIMIT_FIELDS}
    return {
        "version": account.version,
        "base_url": account.base_url,
        **{LIMIT_FIELDS[name]: round(60 * limit.calls / limit.seconds) for name, limit in limits.items()},
        "key_window_hours": account.settings.get(SETTING, DEFAULT_HOURS),
        "caps": _caps_in_words(daily_caps(account)),
        "clean_days": clean_days_needed(account),
    }


def sent_again_words(account: SupplierAccount) -> str:
    """How long an order whose answer was lost may be sent again at this account (R21, R31)."""
    if not client_for(account).idempotent:
        return "never: the supplier takes no idempotency key"
    hours = key_window(account) // timedelta(hours=1)
    return f"for {hours} h under its idempotency key" if hours else "never"


def caps_words(account: SupplierAccount) -> str:
    """The caps with the currency and the days between them; empty for none (R96)."""
    steps, days = daily_caps(account), clean_days_needed(account)
    written = ", ".join(f"{step:,}" for step in steps)
    return f"{written} {account.settlement_currency}, the next after {days} clean days each" if steps else ""


def check_limits_a_minute(limits: dict[str, int]) -> None:
    """Refuse more than a supplier allows, and none: an account without a limit would be blocked by the supplier."""
    for name, most in MOST_A_MINUTE.items():
        if not 1 <= limits[name] <= most:
            raise Refused(f"The {LIMIT_WORDS[name]} a minute must be from 1 to {most}. Nothing was stored.")


def check_other_host(account: SupplierAccount) -> None:
    """Refuse another host while calls go on, and while an order could be sent there that the old host may have taken."""
    if account.has_key and account.state != PAUSED:
        raise Refused(
            "Another host is taken for a paused account only. Nothing was stored. Pause the account first, or connect "
            "a new account if it is another one."
        )
    since = timezone.now() - timedelta(hours=MOST_HOURS)
    sent = Exchange.objects.filter(account=account, purpose="orders.place", started_at__gte=since)
    if client_for(account).idempotent and sent.exists():
        raise Refused(
            f"An order went to {account.host} in the last {MOST_HOURS} hours and might be sent again, to the other host. "
            "Nothing was stored. Leave the account paused until then, or connect a new account."
        )


def _credentials_at(account: SupplierAccount, base_url: str) -> dict[str, Any]:
    """What becomes of the credentials at another host: API keys are forgotten, webhook secrets, never sent, move along."""
    changes: dict[str, Any] = {"api_key_sealed": b"", "api_key_last4": "", "api_key_set_at": None, **NO_NEXT_KEY}
    moved = SupplierAccount(pk=account.pk, dialect=account.dialect, base_url=base_url)
    for column in ("webhook_secret", "webhook_previous"):
        sealed = getattr(account, f"{column}_sealed")
        if sealed:
            opened = open_sealed(sealed, purpose=Purpose.WEBHOOK, context=account.context(column))
            changes[f"{column}_sealed"] = seal(opened, purpose=Purpose.WEBHOOK, context=moved.context(column))
    return changes


def change_account(
    *,
    by: User,
    account: SupplierAccount,
    version: int,
    base_url: str,
    calls: int,
    orders: int,
    polls: int,
    key_window_hours: int,
    caps: str,
    clean_days: int,
    reason: str,
) -> bool:
    """Change address and settings, with a reason; True when the host is another one, so that a new key is needed.

    `version` is the account's as the person saw it: what changed since is not overwritten.
    """
    check_can(by, Permission.ACCOUNT_MANAGE)
    if not reason.strip():
        raise Refused("A reason is needed to change an account. Nothing was changed.")
    address = base_url.rstrip("/")
    check_address(address, account.environment)
    limits = {ALL: calls, ORDERS: orders, POLLS: polls}
    check_limits_a_minute(limits)
    own = {"limits": {name: {"calls": number} for name, number in limits.items()}, SETTING: key_window_hours}
    check_key_window(own)
    own |= {STEPS: read_caps(caps), CLEAN_DAYS: clean_days}
    check_daily_caps(own)
    changes: dict[str, Any] = {"base_url": address, "settings": {**account.settings, **own}}
    other_host = urlsplit(address).netloc != account.host
    if other_host:
        check_other_host(account)
        changes |= _credentials_at(account, address)
    words = _in_words(account, address, limits, own)
    if not words:
        raise Refused("Nothing is different from before. Nothing was stored.")
    if other_host and account.has_key:
        words += f"; the API key ending {account.api_key_last4} was forgotten"
    with transaction.atomic():
        # The keys are those that were looked at: one that was set meanwhile is not lost unseen.
        shown = SupplierAccount.objects.filter(pk=account.pk, version=version, base_url=account.base_url)
        shown = shown.filter(api_key_set_at=account.api_key_set_at, webhook_secret_set_at=account.webhook_secret_set_at)
        if not shown.update(version=version + 1, **changes):
            raise StaleState("The account was changed meanwhile. Nothing was stored. Reload the page.")
        record("account.changed", by=by, subject=account, reason=reason.strip(), what=words)
    account.refresh_from_db()
    return other_host


def _caps_in_words(steps: list[int]) -> str:
    return ", ".join(str(step) for step in steps)


def _in_words(account: SupplierAccount, address: str, limits: dict[str, int], own: dict[str, Any]) -> str:
    """What changed, from what to what; empty when nothing did."""
    before = settings_of(account)
    told: list[tuple[str, object, object]] = [("address", before["base_url"], address)]
    told += [(f"{LIMIT_WORDS[name]} a minute", before[LIMIT_FIELDS[name]], number) for name, number in limits.items()]
    told += [("key window", f"{before['key_window_hours']} h", f"{own[SETTING]} h")]
    told += [("daily caps", before["caps"] or "none", _caps_in_words(own[STEPS]) or "none")]
    told += [("clean days for the next cap", before["clean_days"], own[CLEAN_DAYS])]
    return "; ".join(f"{what} from {old} to {new}" for what, old, new in told if old != new)
