"""What runs by itself: a balance reading of every account each minute, and the end of old refused messages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from procurement.suppliers.clients import SupplierProblem
from procurement.suppliers.clients.recording import note_probe_failed
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.rotating import SWITCH, switch_key
from procurement.suppliers.services import read_balance
from procurement.suppliers.states import DOWN, NOT_PROVEN
from procurement.work.registry import FIRST, handler, periodic
from procurement.work.services import make_due

READ_EVERY = timedelta(minutes=1)
REFUSED_KEPT = timedelta(days=90)


@periodic("suppliers.balances", every=READ_EVERY)
def read_balances_task() -> None:
    """Make one reading due for each account with a key, spread over half the interval so that they do not bunch."""
    now = timezone.now()
    accounts = [account for account in SupplierAccount.objects.order_by("created_at") if account.has_key]
    for place, account in enumerate(accounts):
        spread = now + READ_EVERY / 2 * place / len(accounts)
        # One that is down is tried at its own, growing, distance; here it only gets back a row that was lost.
        is_down = account.state == DOWN and account.probe_at
        make_due("account.balance", str(account.pk), account.probe_at if is_down else spread)


@handler("account.balance", rank=FIRST, account=str)
def read_balance_task(ref: str) -> datetime | None:
    """Read one balance. A failure is in the exchange log; the next minute, or the next probe, tries again.

    This is also the one probe of a supplier that is down (R25): one row, hence one prober, and never a paid call.
    """
    account = SupplierAccount.objects.filter(pk=ref).first()
    if account is None:
        return None
    try:
        read_balance(account)
    except SupplierProblem:
        return note_probe_failed(account)
    return None


@handler(SWITCH, rank=FIRST)
def switch_key_task(ref: str) -> datetime | None:
    """Forget a replaced API key. Calls use the new one by the clock, also while nothing of this runs."""
    return switch_key(ref)


@periodic("suppliers.refused_events", every=timedelta(days=1))
def drop_old_refused_task() -> None:
    """Refused messages are kept for 90 days; accepted ones for ever."""
    WebhookEvent.objects.filter(result__in=NOT_PROVEN, received_at__lt=timezone.now() - REFUSED_KEPT).delete()
