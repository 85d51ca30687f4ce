"""The unit of work: one supplier account, one currency, one UTC day (R91, R92)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from procurement.bookkeeping.statement import start_of
from procurement.errors import Missing
from procurement.suppliers.models import SupplierAccount

WORK_KIND = "reconciliation.day"


@dataclass(frozen=True)
class Window:
    """A day of an account's currency as it stands at `now`; today's is cut off at `now`, a past one at midnight UTC."""

    account: SupplierAccount
    currency: str
    day: date
    now: datetime

    @property
    def start(self) -> datetime:
        return start_of(self.day)

    @property
    def end(self) -> datetime:
        return start_of(self.day + timedelta(days=1))

    @property
    def cutoff(self) -> datetime:
        return min(self.end, self.now)

    @property
    def is_over(self) -> bool:
        return self.end <= self.now

    @property
    def ref(self) -> str:
        """How due work names the day."""
        return work_ref(self.account, self.currency, self.day)


def work_ref(account: SupplierAccount, currency: str, day: date) -> str:
    return f"{account.pk}:{currency}:{day.isoformat()}"


def read_ref(ref: str) -> tuple[SupplierAccount, str, date]:
    """The account, currency and day of a reference made by `work_ref`; Missing if the account is gone."""
    account_id, currency, day = ref.split(":")
    account = SupplierAccount.objects.filter(pk=account_id).first()
    if account is None:
        raise Missing("There is no such supplier account. Nothing was compared.")
    return account, currency, date.fromisoformat(day)


def window_of(account: SupplierAccount, currency: str, day: date) -> Window:
    return Window(account, currency, day, timezone.now())
