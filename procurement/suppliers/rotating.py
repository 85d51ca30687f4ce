"""Two API keys at a time: a tested one waits beside the present one and takes over at its time (R101, R102).

The clock alone decides which key a call uses (`SupplierAccount.sealed_key`), on all hosts at the same moment. The work
that is due then only forgets the old key; the new one is sealed as what it becomes, so nothing has to be opened for it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import httpx
from django.db import transaction
from django.db.models import F

from procurement.audit.services import record
from procurement.errors import Refused, StaleState
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers import shared_clock
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import KEYS_CHANGED, NO_NEXT_KEY, checked_credential, ending_of, try_key
from procurement.suppliers.states import ACCOUNT, KEY_REFUSED, LIVE
from procurement.vault import Purpose, Secret, open_sealed, seal
from procurement.work.services import make_due

SWITCH = "account.key_switch"
MOST_AHEAD = timedelta(days=7)
NONE_HELD = "No key is held for later, or it is in use already. Nothing was changed. Reload the page."


def check_switch_time(account: SupplierAccount, switch_at: datetime, now: datetime) -> None:
    """Refuse a key for later where no key works until then, where one is held already, and a time not within 7 days."""
    if not account.has_key:
        raise Refused("The account has no key until then. Nothing was stored. Use the new key at once.")
    if account.next_key_from:
        raise Refused(
            f"The key ending {account.next_key_last4} is held for later already. Nothing was stored. Cancel it first."
        )
    if not now < switch_at <= now + MOST_AHEAD:
        raise Refused(
            f"The switch time must be in the future and at most {MOST_AHEAD.days} days ahead (UTC). Nothing was stored."
        )


def hold_next_key(
    *,
    by: User,
    account: SupplierAccount,
    key: str | Secret,
    switch_at: datetime,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Seal a tested key beside the present one, to take over at `switch_at` (UTC, at most seven days ahead)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    now = shared_clock.now()
    check_switch_time(account, switch_at, now)
    secret = checked_credential(key, "API key")
    try_key(account, secret, transport)
    last4 = ending_of(secret)
    sealed = seal(secret, purpose=Purpose.SUPPLIER_API, context=account.context("api_key"))
    with transaction.atomic():
        present = SupplierAccount.objects.filter(
            pk=account.pk, base_url=account.base_url, next_key_from=None, api_key_last4=account.api_key_last4
        )
        held = {"next_key_sealed": sealed, "next_key_last4": last4, "next_key_set_at": now, "next_key_from": switch_at}
        if not present.update(**held):
            raise StaleState(KEYS_CHANGED)
        make_due(SWITCH, str(account.pk), switch_at)
        record("account.key_held", by=by, subject=account, last4=last4, at=f"{switch_at:%Y-%m-%d %H:%M} UTC")
    account.refresh_from_db()


def cancel_next_key(*, by: User, account: SupplierAccount) -> None:
    """Forget a held key before its time; the present key stays in use."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    waiting = SupplierAccount.objects.filter(
        pk=account.pk, next_key_from=account.next_key_from, next_key_from__gt=shared_clock.now()
    )
    last4 = account.next_key_last4
    with transaction.atomic():
        if not waiting.update(**NO_NEXT_KEY):
            raise StaleState(NONE_HELD)
        record("account.key_cancelled", by=by, subject=account, last4=last4)
    account.refresh_from_db()


def use_next_key(*, by: User, account: SupplierAccount, transport: httpx.BaseTransport | None = None) -> None:
    """Let the held key take over at once; it is tried once more, and a refused account is live again."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    if not account.next_key_from:
        raise StaleState(NONE_HELD)
    sealed = bytes(account.next_key_sealed)
    try_key(account, open_sealed(sealed, purpose=Purpose.SUPPLIER_API, context=account.context("api_key")), transport)
    with transaction.atomic():
        if not _take_over(account, shared_clock.now(), by=by):
            raise StaleState(NONE_HELD)
        account.refresh_from_db()
        if account.state == KEY_REFUSED:
            transition(account, LIVE, by=by, machine=ACCOUNT, reason="The new key was tested and took over.")


def switch_key(ref: str) -> datetime | None:
    """Forget the old key once the held one is in use, and try the new one; when to come again if it is too early."""
    account = SupplierAccount.objects.filter(pk=ref).first()
    if account is None or account.next_key_from is None:
        return None
    if shared_clock.now() < account.next_key_from:
        return account.next_key_from
    with transaction.atomic():
        if _take_over(account, account.next_key_from, by=None):
            # A key that the supplier refuses after all is found out by a reading, not by an order.
            make_due("account.balance", ref)
    return None


def _take_over(account: SupplierAccount, since: datetime, *, by: User | None) -> bool:
    """Put the held key in place of the old one, which is gone then; False when somebody else did, or cancelled it."""
    # Known by when it was tested, not by its sealed value, which may be sealed anew at any moment.
    held = SupplierAccount.objects.filter(pk=account.pk, next_key_set_at=account.next_key_set_at)
    changed = held.exclude(next_key_from=None).update(
        api_key_sealed=F("next_key_sealed"),
        api_key_last4=F("next_key_last4"),
        api_key_set_at=since,
        failures_in_row=0,
        **NO_NEXT_KEY,
    )
    if changed:
        facts = {"last4": account.next_key_last4, "before": account.api_key_last4}
        record("account.key_switched", by=by, subject=account, **facts)
    return bool(changed)
