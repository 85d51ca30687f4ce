"""Which orders wait for a supplier's event, and of which polling found the news instead (R54)."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Min

from procurement.audit.models import AuditEvent
from procurement.orders.models import Order
from procurement.orders.states import AWAITED
from procurement.suppliers.fallback import Waiting, counts_waiting
from procurement.suppliers.models import SupplierAccount

NEWS = ("order.paid", "order.delivered", "order.supplier_failed", "order.refunded", "order.partial")


@counts_waiting
def waiting_orders(account: SupplierAccount, since: datetime) -> Waiting | None:
    """Orders the supplier has, and those whose news came by a poll after `since`."""
    rows = AuditEvent.objects.filter(subject_kind="orders.order", action__in=NEWS, source="poll", at__gt=since)
    polled = set(rows.values_list("subject_id", flat=True))
    ours = Order.objects.filter(account=account)
    found = {str(pk): placed for pk, placed in ours.filter(pk__in=polled).values_list("pk", "placed_at")}
    open_ones = ours.filter(state__in=AWAITED, placed_at__isnull=False)
    waiting = {str(pk) for pk in open_ones.values_list("pk", flat=True)}
    begun = [placed for placed in found.values() if placed]
    oldest = open_ones.aggregate(oldest=Min("placed_at"))["oldest"]
    begun += [oldest] if oldest else []
    return Waiting(min(begun), len(waiting | set(found)), len(found)) if begun else None
