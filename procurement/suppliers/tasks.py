"""What runs by itself: a balance reading of every account each minute, and the end of old refused messages."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from procurement.suppliers.clients import SupplierProblem
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.services import read_balance
from procurement.suppliers.states import REFUSED_RESULTS
from procurement.work.registry import handler, periodic
from procurement.work.services import make_due

READ_EVERY = timedelta(minutes=1)
REFUSED_KEPT = timedelta(days=90)


@periodic("suppliers.balances", every=READ_EVERY)
def read_balances_task() -> None:
    """Make one reading due for each account with a key, spread over half the interval so that they do not bunch."""
    now = timezone.now()
    accounts = [account for account in SupplierAccount.objects.order_by("created_at") if account.has_key]
    for place, account in enumerate(accounts):
        make_due("account.balance", str(account.pk), now + READ_EVERY / 2 * place / len(accounts))


@handler("account.balance")
def read_balance_task(ref: str) -> datetime | None:
    """Read one balance. A failure is in the exchange log; the next minute tries again."""
    account = SupplierAccount.objects.filter(pk=ref).first()
    if account is not None:
        try:
            read_balance(account)
        except SupplierProblem:
            return None
    return None


@periodic("suppliers.refused_events", every=timedelta(days=1))
def drop_old_refused_task() -> None:
    """Refused messages are kept for 90 days; accepted ones for ever."""
    WebhookEvent.objects.filter(result__in=REFUSED_RESULTS, received_at__lt=timezone.now() - REFUSED_KEPT).delete()
