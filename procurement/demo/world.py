"""The demo's world: the two clocks that move together, the sandbox's controls, the connected accounts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import httpx
import time_machine
from django.conf import settings
from django.urls import reverse

from procurement.bookkeeping import deposits
from procurement.bookkeeping.models import Deposit
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import create_account, read_balance, set_api_key, set_webhook_secret

# The sandbox's own defaults; they open nothing but the sandbox.
SUPPLIERS = (
    ("alpha", "Alpha PSN", "/alpha/v1/", "sandbox-alpha-key-000000001", "sandbox-alpha-webhook-secret-000001"),
    ("psnb2b", "PSN:B2B", "/psnb2b/api/v1/", "sandbox-psnb2b-key-00000001", "sandbox-psnb2b-webhook-secret-00001"),
)


class Sandbox:
    """The controls of a running supplier sandbox."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.http = httpx.Client(base_url=f"{self.url}/control/", timeout=60, trust_env=False)

    def call(self, method: str, path: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
        """One call; RuntimeError with the sandbox's own sentence where it refuses."""
        answer = self.http.request(method, path, json=data)
        if answer.is_error:
            raise RuntimeError(f"The sandbox refused {method} {path}: {answer.text}")
        found: dict[str, Any] = answer.json()
        return found

    def arm(self, supplier: str, kind: str, count: int = 1, **params: Any) -> None:
        self.call("POST", "faults", {"supplier": supplier, "kind": kind, "count": count, "params": params})


class Clock:
    """Our clock and the sandbox's, standing still at one moment until moved."""

    def __init__(self, traveller: Any, sandbox: Sandbox, start: datetime) -> None:
        self.traveller, self.sandbox, self.now = traveller, sandbox, start

    def move_to(self, moment: datetime) -> None:
        """Forward only: nothing in this world goes back in time."""
        self.now = max(self.now, moment)
        self.traveller.move_to(self.now)
        self.sandbox.call("PUT", "clock", {"frozen_at": self.now.isoformat()})

    def wait(self, seconds: float) -> None:
        self.move_to(self.now + timedelta(seconds=seconds))


@contextmanager
def standing_clock(sandbox: Sandbox, start: datetime) -> Iterator[Clock]:
    """Both clocks stopped at `start` (UTC); real time again afterwards."""
    with time_machine.travel(start, tick=False) as traveller:
        clock = Clock(traveller, sandbox, start)
        clock.move_to(start)
        try:
            yield clock
        finally:
            sandbox.call("PUT", "clock", {})


def connect_accounts(sandbox: Sandbox, by: User | None) -> list[SupplierAccount]:
    """Both supplier accounts at the sandbox, their keys sealed, their webhooks registered; made once."""
    for code, name, path, key, secret in SUPPLIERS:
        account = SupplierAccount.objects.filter(code=code).first()
        if account is None:
            account = create_account(
                by=by, code=code, name=name, dialect=code, base_url=f"{sandbox.url}{path}", settlement_currency="USD"
            )
            set_api_key(by=by, account=account, key=key)
            set_webhook_secret(by=by, account=account, secret=secret)
        hook = f"{settings.SITE_URL}{reverse('suppliers:hook', args=[account.hook_slug])}"
        sandbox.call("PUT", f"accounts/{code}", {"webhook_url": hook})
    return list(SupplierAccount.objects.order_by("code"))


def deposit(
    sandbox: Sandbox, account: SupplierAccount, amount_minor: int, *, people: dict[str, User], clock: Clock, ref: str
) -> None:
    """Finance announces and sends money; once the supplier has it, its balance shows it, or a manager confirms it."""
    row = announced(account, amount_minor, by=people["fay"], ref=ref)
    deposits.note_sent(by=people["fay"], deposit=row, txid=txid_of(ref))
    arrive(sandbox, account, amount_minor, ref)
    clock.wait(60)
    read_balance(account)
    deposits.credit_deposit(by=people["fay"] if deposits.shown_in(row) else people["mia"], deposit=row)


def announced(account: SupplierAccount, amount_minor: int, *, by: User, ref: str) -> Deposit:
    return deposits.announce_deposit(
        by=by, account=account, amount_minor=amount_minor, currency="USD", way="USDT/TRC-20", reference=ref
    )


def txid_of(ref: str) -> str:
    """A transaction id that looks like one."""
    return hashlib.sha256(ref.encode()).hexdigest()


def arrive(sandbox: Sandbox, account: SupplierAccount, amount_minor: int, ref: str) -> None:
    """The supplier credits money."""
    amount = f"{amount_minor // 100}.{amount_minor % 100:02}"
    sandbox.call("POST", "deposits", {"supplier": account.code, "amount": amount, "currency": "USD", "reference": ref})


def utc_midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
