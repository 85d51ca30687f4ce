"""What people and the system do with supplier accounts: connect, set credentials, pause, read the balance."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.money import exponent, format_amount
from procurement.audit.services import record
from procurement.errors import Refused, StaleState
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.budget import check_limits
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.recording import note_answering
from procurement.suppliers.clients.transport import is_listed
from procurement.suppliers.clients.types import BalanceReading
from procurement.suppliers.daily_caps import check_daily_caps
from procurement.suppliers.key_window import check_key_window
from procurement.suppliers.models import PSNB2B, BalanceSnapshot, SupplierAccount
from procurement.suppliers.schemes import default_scheme, read_scheme
from procurement.suppliers.states import ACCOUNT, KEY_REFUSED, LIVE, PAUSED
from procurement.suppliers.words import tier_in_words
from procurement.vault import Purpose, Secret, seal

KEY = re.compile(r"[\x21-\x7e]{8,512}")
PREVIOUS_SECRET_LIVES = timedelta(days=7)
# Where an account is when nobody says otherwise (R105); Alpha PSN publishes no address.
DEFAULT_ADDRESSES = {PSNB2B: "https://psnb2b.com/api/v1"}
KEYS_CHANGED = "The address or a key of the account was changed meanwhile. Nothing was stored. Reload the page."
NO_NEXT_KEY = {"next_key_sealed": b"", "next_key_last4": "", "next_key_set_at": None, "next_key_from": None}


def check_address(base_url: str, environment: str) -> None:
    """Refuse an address that could carry the key to a wrong place: live accounts speak https to a plain host name.

    In a live installation it must be one that COUNTERSIGN_SUPPLIER_HOSTS lists.
    """
    parts = urlsplit(base_url)
    plain = parts.hostname and not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ({"https"} if environment == "live" else {"https", "http"}) or not plain:
        wanted = "https" if environment == "live" else "https or http"
        raise Refused(f"The address must begin with {wanted} and hold only a host and a path. Nothing was stored.")
    if environment == "live" == settings.ENVIRONMENT and not is_listed(base_url):
        raise Refused(
            f"{parts.netloc} is no address that this installation may call. Nothing was stored. Whoever runs the "
            "installation lists its host in COUNTERSIGN_SUPPLIER_HOSTS."
        )


def create_account(
    *,
    by: User | None,
    code: str,
    name: str,
    dialect: str,
    settlement_currency: str,
    base_url: str = "",
    environment: str = "sandbox",
    settings: dict[str, Any] | None = None,  # the account's own
    webhook_scheme: dict[str, Any] | None = None,
) -> SupplierAccount:
    """Connect an account at a supplier, without credentials yet; an empty address is the supplier's usual one (R105).

    `by=None` is the demo's own setup.
    """
    if by is not None:
        check_can(by, Permission.ACCOUNT_MANAGE)
    base_url = base_url or DEFAULT_ADDRESSES.get(dialect, "")
    check_address(base_url, environment)
    exponent(settlement_currency)
    check_key_window(settings or {})
    check_limits(settings or {})
    check_daily_caps(settings or {})
    scheme = read_scheme(webhook_scheme or default_scheme(dialect)).model_dump()
    account = SupplierAccount(
        code=code,
        name=name,
        dialect=dialect,
        environment=environment,
        base_url=base_url.rstrip("/"),
        settlement_currency=settlement_currency,
        settings=settings or {},
        webhook_scheme=scheme,
    )
    try:
        with transaction.atomic():
            account.save(force_insert=True)
            record(
                "account.created",
                by=by,
                subject=account,
                dialect=dialect,
                environment=environment,
                address=account.base_url,
            )
    except IntegrityError:
        raise Refused(f"There is a supplier account with the code {code} already. Nothing was stored.") from None
    return account


def checked_credential(text: str | Secret, what: str) -> Secret:
    """A credential that can be sent in a header and says so when it cannot, without quoting it."""
    value = (text.expose() if isinstance(text, Secret) else text).strip()
    if not KEY.fullmatch(value):
        raise Refused(f"The {what} must be 8 to 512 printable characters without spaces. Nothing was stored.")
    return Secret(value)


def ending_of(secret: Secret) -> str:
    """The last four characters of a credential, by which people tell it from another."""
    return secret.expose()[-4:]


def try_key(account: SupplierAccount, key: Secret, transport: httpx.BaseTransport | None = None) -> BalanceReading:
    """Read the balance with a key that is not stored yet; a SupplierProblem when it does not work."""
    return client_for(account, transport, key=key).read_balance()


def set_api_key(
    *,
    by: User | None,
    account: SupplierAccount,
    key: str | Secret,
    test: bool = False,
    transport: httpx.BaseTransport | None = None,
) -> None:
    """Seal a new API key in place of the old one (R100, R101, R102, R103); it is never shown again.

    With `test` the balance is read with it first: when that fails, the old key stays. A refused account is live again.
    A key held for later is forgotten, or it would replace this one.
    """
    if by is not None:
        check_can(by, Permission.ACCOUNT_MANAGE)
    secret = checked_credential(key, "API key")
    if test:
        try_key(account, secret, transport)
    sealed = seal(secret, purpose=Purpose.SUPPLIER_API, context=account.context("api_key"))
    with transaction.atomic():
        changed = SupplierAccount.objects.filter(pk=account.pk, base_url=account.base_url).update(
            api_key_sealed=sealed,
            api_key_last4=ending_of(secret),
            api_key_set_at=timezone.now(),
            failures_in_row=0,
            **NO_NEXT_KEY,
        )
        if not changed:
            raise StaleState(KEYS_CHANGED)
        record("account.key_set", by=by, subject=account, last4=ending_of(secret), tested=test)
        account.refresh_from_db()
        if test and account.state == KEY_REFUSED:
            transition(account, LIVE, by=by, machine=ACCOUNT, reason="A new key was set and tested.")


def set_webhook_secret(*, by: User | None, account: SupplierAccount, secret: str | Secret) -> None:
    """Seal a new webhook secret; the one before stays valid for seven days at most, so that no event is lost (R102)."""
    if by is not None:
        check_can(by, Permission.ACCOUNT_MANAGE)
    value = checked_credential(secret, "webhook secret")
    now = timezone.now()
    with transaction.atomic():
        fresh = SupplierAccount.objects.get(pk=account.pk)
        previous = {}
        if fresh.webhook_secret_sealed:
            # The secret before is opened and sealed anew, because a sealed value opens in its own column only.
            before = fresh.open_webhook_secret()
            previous = {
                "webhook_previous_sealed": seal(
                    before, purpose=Purpose.WEBHOOK, context=fresh.context("webhook_previous")
                ),
                "webhook_previous_until": now + PREVIOUS_SECRET_LIVES,
            }
        SupplierAccount.objects.filter(pk=account.pk).update(
            webhook_secret_sealed=seal(value, purpose=Purpose.WEBHOOK, context=fresh.context("webhook_secret")),
            webhook_secret_last4=ending_of(value),
            webhook_secret_set_at=now,
            **previous,
        )
        record("account.secret_set", by=by, subject=account, last4=ending_of(value))
    account.refresh_from_db()


def pause_account(*, by: User | None, account: SupplierAccount, reason: str) -> None:
    """Stop new orders at this account; readings and webhooks go on (R25). A reason is needed."""
    if by is not None:
        check_can(by, Permission.ACCOUNT_MANAGE)
    if not reason.strip():
        raise Refused("A reason is needed to pause an account. Nothing was changed.")
    transition(account, PAUSED, by=by, machine=ACCOUNT, reason=reason.strip(), paused_reason=reason.strip()[:300])


def resume_account(*, by: User, account: SupplierAccount, reason: str) -> None:
    """Let orders go to this account again (R25). A reason is needed."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    if not reason.strip():
        raise Refused("A reason is needed to resume an account. Nothing was changed.")
    transition(
        account,
        LIVE,
        by=by,
        machine=ACCOUNT,
        reason=reason.strip(),
        paused_reason="",
        blocked_until=None,
        failures_in_row=0,
    )


def note_registration(*, by: User, account: SupplierAccount, note: str) -> None:
    """Note how far the supplier's support is with registering our webhook address: ticket and state (R56)."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    text = note.strip()[:200]
    with transaction.atomic():
        changed = SupplierAccount.objects.filter(pk=account.pk, hook_registration=account.hook_registration).update(
            hook_registration=text
        )
        if not changed:
            raise StaleState("The note was changed by someone else meanwhile. Nothing was stored. Reload the page.")
        record("account.registration_noted", by=by, subject=account, note=text)
    account.hook_registration = text


def _note_tier(account: SupplierAccount, reading: BalanceReading) -> None:
    """Announce a discount tier other than the last one seen (R87)."""
    last = BalanceSnapshot.objects.filter(account=account).order_by("-taken_at", "-pk").first()
    if last is None or (last.tier_name, last.tier_discount_bp) == (reading.tier_name, reading.tier_discount_bp):
        return
    before, after = last.tier or "none", tier_in_words(reading.tier_name, reading.tier_discount_bp) or "none"
    record("account.tier_changed", by=None, subject=account, source="supplier", before=before, after=after)


def store_balance(
    account: SupplierAccount, reading: BalanceReading, *, by: User | None = None
) -> list[BalanceSnapshot]:
    """Keep one reading: a row for each currency, with the tier (R86)."""
    now = timezone.now()
    with transaction.atomic():
        _note_tier(account, reading)
        snapshots = [
            BalanceSnapshot(
                account=account,
                currency=balance.currency,
                available=balance.available,
                reserved=balance.reserved,
                tier_name=reading.tier_name,
                tier_discount_bp=reading.tier_discount_bp,
                taken_at=now,
                request_id=uuid.UUID(reading.request_id),
            )
            for balance in reading.balances
        ]
        BalanceSnapshot.objects.bulk_create(snapshots)
        if by is not None:
            shown = ", ".join(
                f"{format_amount(one.available, one.currency)} {one.currency}" for one in reading.balances
            )
            record("account.balance_read", by=by, subject=account, balance=shown)
    return snapshots


def read_balance(
    account: SupplierAccount, *, by: User | None = None, transport: httpx.BaseTransport | None = None
) -> BalanceReading:
    """Ask the supplier what is left and keep the answer (R85). Raises SupplierProblem; then nothing is stored."""
    if by is not None:
        check_can(by, Permission.BALANCE_VIEW)
    reading = client_for(account, transport).read_balance()
    store_balance(account, reading, by=by)
    note_answering(account)
    return reading
