"""Reading the suppliers' product lists every five minutes, and when a person asks."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from procurement.catalog.services.refreshing import KIND, note_problem, refresh_products
from procurement.errors import Refused
from procurement.suppliers.clients import SupplierProblem
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.states import DOWN, LIVE
from procurement.work.registry import LAST, handler, periodic
from procurement.work.services import make_due


@periodic(KIND, every=timedelta(minutes=5))
def refresh_all_task() -> None:
    """Make a reading due for every account that is in use."""
    for account_id in SupplierAccount.objects.filter(
        environment=settings.ENVIRONMENT, state__in=[LIVE, DOWN]
    ).values_list("pk", flat=True):
        make_due(KIND, str(account_id))


@handler(KIND, rank=LAST, account=str)
def refresh_task(ref: str) -> datetime | None:
    """Read one account's products; a failure is noted for the page, and tried again when the supplier says."""
    account = SupplierAccount.objects.filter(pk=UUID(ref), environment=settings.ENVIRONMENT).first()
    if account is None:
        return None
    if account.state not in {LIVE, DOWN}:
        sentence = f"{account} is “{account.status.label}”, so its products were not read."
        note_problem(account, sentence, timezone.now())
        return None
    try:
        refresh_products(account)
    except SupplierProblem as problem:
        return problem.retry_at
    except Refused:
        return None
    return None
