"""What pages show of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.models import Layer, Line
from procurement.bookkeeping.rules import KINDS


@dataclass(frozen=True)
class Movement:
    """One event on the funds of a supplier account, in minor units: what was settled and what was held by it."""

    at: datetime
    what: str
    memo: str
    settled_minor: int
    held_minor: int
    currency: str


def movements_about(order_id: str) -> list[Movement]:
    """Everything an order did to the funds of its account, oldest first."""
    lines = Line.objects.filter(
        entry__reference_kind="order", entry__reference_id=order_id, account__role__in=("funds", "suspense")
    ).select_related("entry", "account")
    found: dict[str, Movement] = {}
    for line in lines.order_by("recorded_at", "seq"):
        before = found.get(str(line.entry_id))
        settled = (before.settled_minor if before else 0) + (line.amount if line.layer == Layer.SETTLED else 0)
        held = (before.held_minor if before else 0) + (line.amount if line.layer == Layer.HELD else 0)
        what = KINDS[line.entry.kind].label if line.entry.kind in KINDS else line.entry.kind
        found[str(line.entry_id)] = Movement(line.recorded_at, what, line.entry.memo, settled, held, line.currency)
    return list(found.values())
