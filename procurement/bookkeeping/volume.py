"""The volume gate: a day's approved orders stay below a cap that rises only after days which two people signed as clean (R96)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import F
from django.utils import timezone

from ledger.money import Money, exponent
from procurement.bookkeeping.models import CleanDay, DailyVolume
from procurement.errors import Refused
from procurement.suppliers.daily_caps import clean_days_needed, daily_caps
from procurement.suppliers.models import SupplierAccount


@dataclass(frozen=True)
class Gate:
    """An account's cap on a UTC day and what is used of it, in minor units; `next_minor` is None at the last cap."""

    currency: str
    cap_minor: int
    used_minor: int
    next_minor: int | None
    clean_days: int
    days_left: int

    @property
    def left_minor(self) -> int:
        """What may still be approved; negative after the cap was lowered."""
        return self.cap_minor - self.used_minor

    def said(self, account: SupplierAccount) -> str:
        cap, used = Money(self.cap_minor, self.currency), Money(self.used_minor, self.currency)
        return f"{account} may take {cap} a day (UTC), and {used} are approved today."

    @property
    def words(self) -> str:
        """What unlocks the next cap."""
        if self.next_minor is None:
            return f"this is the last cap, after {self.clean_days} clean days"
        days = "1 clean signed day" if self.days_left == 1 else f"{self.days_left} clean signed days"
        return f"it becomes {Money(self.next_minor, self.currency)} after {days} more"


def gate_of(account: SupplierAccount, currency: str, day: date | None = None) -> Gate | None:
    """The gate of an account and currency on a day (today, UTC); None where no cap is set."""
    steps = daily_caps(account)
    if not steps:
        return None
    day = day or timezone.now().date()
    caps = [step * 10 ** exponent(currency) for step in steps]
    needed = clean_days_needed(account)
    clean = CleanDay.objects.filter(account=account, currency=currency).count()
    at = min(clean // needed, len(caps) - 1)
    used = DailyVolume.objects.filter(account=account, currency=currency, day=day).values_list(
        "approved_minor", flat=True
    )
    return Gate(
        currency=currency,
        cap_minor=caps[at],
        used_minor=used.first() or 0,
        next_minor=caps[at + 1] if at + 1 < len(caps) else None,
        clean_days=clean,
        days_left=needed * (at + 1) - clean,
    )


def gates() -> list[tuple[SupplierAccount, Gate]]:
    """Today's gate of each account that has a cap, by name."""
    found = [(account, gate_of(account, account.settlement_currency)) for account in SupplierAccount.objects.all()]
    return [(account, gate) for account, gate in found if gate is not None]


def take_volume(*, account: SupplierAccount, currency: str, amount_minor: int) -> None:
    """Count an approval against today's cap, inside its transaction; Refused when it would go above (R96).

    What is approved counts, bought or not: an order that is cancelled does not make room again that day.
    """
    gate = gate_of(account, currency)
    if gate is None:
        return
    today, _ = DailyVolume.objects.get_or_create(account=account, currency=currency, day=timezone.now().date())
    room = DailyVolume.objects.filter(pk=today.pk, approved_minor__lte=gate.cap_minor - amount_minor)
    if not room.update(approved_minor=F("approved_minor") + amount_minor):
        raise Refused(
            f"{gate.said(account)} {Money(amount_minor, currency)} do not fit, so nothing was approved. Order less, wait for "
            f"tomorrow, or reconcile: {gate.words}."
        )


def note_clean_day(*, account: SupplierAccount, currency: str, day: date) -> None:
    """A day with orders was signed without a difference."""
    CleanDay.objects.get_or_create(account=account, currency=currency, day=day)


def forget_clean_day(*, account: SupplierAccount, currency: str, day: date) -> None:
    """A signed day came out differently afterwards."""
    CleanDay.objects.filter(account=account, currency=currency, day=day).delete()
