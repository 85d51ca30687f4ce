"""Which supplier accounts take no new order because one of theirs is unconfirmed: the banner of the order pages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q
from django.utils import timezone

from procurement.orders.models import Lane, Order
from procurement.orders.states import UNCONFIRMED
from procurement.web.clock import span_words


@dataclass(frozen=True)
class FrozenLane:
    """An account that takes no order until `order` is decided; `waiting` is how many approved ones stand behind it."""

    order: Order
    since: datetime
    waiting: int

    @property
    def age(self) -> tuple[str, str]:
        """How long already, short and spelled."""
        return span_words(timezone.now() - self.since)


def frozen_lanes() -> list[FrozenLane]:
    """Every frozen lane, the longest frozen first; one query."""
    behind = Count("account__orders", filter=Q(account__orders__state="approved"))
    lanes = Lane.objects.filter(holder__order__state__in=UNCONFIRMED).annotate(behind=behind)
    rows = lanes.select_related("holder__order__account").order_by("taken_at")
    return [
        FrozenLane(lane.holder.order, lane.taken_at or lane.holder.created_at, lane.behind)
        for lane in rows
        if lane.holder is not None
    ]
