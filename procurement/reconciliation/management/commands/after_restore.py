"""`manage.py after_restore`: a restored database has forgotten what the suppliers have not. Stop ordering, look, and say what to decide."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Max
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.bookkeeping.queries import books_kept
from procurement.orders.models import Order, UnclaimedOrder
from procurement.reconciliation.models import Difference
from procurement.reconciliation.services import reconcile_day
from procurement.suppliers.clients import SupplierProblem, client_for
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.services import pause_account
from procurement.suppliers.states import PAUSED

WHY = "The database was restored from a backup; what was ordered since is not in it."
# Orders that nobody sent, as this database has it. In truth each may have been sent after the backup.
NOT_SENT = ("draft", "pending_approval", "approved")
FURTHEST = timedelta(days=31)
THEN = """
Nothing is ordered now. Bind, adopt or dismiss what no order of ours carries; explain each difference; cancel every order
that the supplier has already, and at a supplier without a list every one that the missing money may have paid for.
Then resume the accounts, one by one, on their pages.
"""


class Command(BaseCommand):
    help = "Run once after a restore, before the workers: pause every account and compare with the suppliers (T8)."

    def handle(self, *args: Any, **options: Any) -> None:
        since = last_known_day()
        for account in SupplierAccount.objects.order_by("code"):
            if account.state != PAUSED:
                pause_account(by=None, account=account, reason=WHY)
            self.stdout.write(f"{account} ({account.code}): paused; compared from {since} on")
            for line in findings(account, since):
                self.stdout.write(f"  {line}")
        self.stdout.write(THEN)


def last_known_day() -> date:
    """The UTC day of the backup, by the newest thing on record; a month ago at most."""
    today = timezone.now().date()
    newest = AuditEvent.objects.aggregate(at=Max("at"))["at"]
    return max(newest.date(), today - FURTHEST) if newest else today


def findings(account: SupplierAccount, since: date) -> Iterator[str]:
    """What the supplier says that this database does not, a line each."""
    today = timezone.now().date()
    for book in books_kept():
        for back in reversed(range((today - since).days + 1)) if book.account == account else ():
            row = reconcile_day(by=None, account=account, currency=book.currency, day=today - timedelta(days=back))
            if row.problem:
                yield f"{row.day}, {row.currency}: not compared. {row.problem}"
            for difference in Difference.objects.filter(day=row, gone_at=None).exclude(kind="carried"):
                yield f"{row.day}, {row.currency}: {difference.sentence}"
    for unclaimed in UnclaimedOrder.objects.filter(account=account, state="open").order_by("first_seen_at"):
        yield f"{unclaimed.remote_id}: no order of ours carries it"
    for order in Order.objects.filter(account=account, state__in=NOT_SENT).order_by("created_at"):
        yield f"{order}, “{order.status.label}”: {at_supplier(order)}"


def at_supplier(order: Order) -> str:
    """Whether the supplier has an order that this database believes unsent."""
    client = client_for(order.account)
    if not client.lists_orders:
        return "the supplier has no list, so only its balance can tell whether it was sent"
    try:
        found = client.find_order(order.client_order_id)
    except SupplierProblem as problem:
        return f"not known. {problem.sentence}"
    return f"the supplier has it as {found.remote_id}; cancel it" if found else "the supplier does not have it"
