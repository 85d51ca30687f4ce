"""PSN:B2B's limits: 60 requests and 10 order POSTs in any sliding 60 seconds for each key (R39 to R41)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Min, Q

from procurement.sandbox.models import RequestLog, World

REQUESTS, ORDERS = 60, 10


def window() -> timedelta:
    return timedelta(seconds=settings.LIMIT_SECONDS)


@dataclass(frozen=True)
class Standing:
    """Where a key stands with this request counted; `wait` in seconds, 0 while there is room."""

    remaining: int = REQUESTS
    wait: int = 0
    refused: bool = False


def standing(key_digest: str, is_order: bool, at: datetime) -> Standing:
    """Where a request arriving now stands. A refused request takes no place, so waiting always helps."""
    served = RequestLog.objects.filter(key_digest=key_digest, at__gt=at - window(), refused_by_limit=False)
    seen = served.aggregate(
        requests=Count("pk"),
        orders=Count("pk", filter=Q(is_order=True)),
        first=Min("at"),
        first_order=Min("at", filter=Q(is_order=True)),
    )
    if seen["requests"] >= REQUESTS:
        return Standing(0, seconds_until_free(seen["first"], at), refused=True)
    if is_order and seen["orders"] >= ORDERS:
        return Standing(REQUESTS - seen["requests"], seconds_until_free(seen["first_order"], at), refused=True)
    remaining = REQUESTS - seen["requests"] - 1
    return Standing(remaining, seconds_until_free(seen["first"] or at, at) if remaining == 0 else 0)


def seconds_until_free(first: datetime, at: datetime) -> int:
    return max(1, math.ceil((first + window() - at).total_seconds()))


def most_in_a_window(moments: Iterable[datetime]) -> int:
    """The most moments that any sliding window holds."""
    ordered, length, start, most = sorted(moments), window(), 0, 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] >= length:
            start += 1
        most = max(most, end - start + 1)
    return most


def report(at: datetime) -> dict[str, Any]:
    """For each key seen: requests and order POSTs in the window now, and the most ever seen in one, refused too."""
    keys: dict[tuple[str, str, str], list[tuple[datetime, bool, bool]]] = {}
    rows = RequestLog.objects.exclude(key_digest="").values_list(
        "supplier", "key_digest", "key_tail", "at", "is_order", "refused_by_limit"
    )
    for supplier, digest, tail, moment, is_order, refused in rows:
        keys.setdefault((supplier, digest, tail), []).append((moment, is_order, refused))
    found = [
        {
            "supplier": supplier,
            "key_tail": tail,
            "requests_now": sum(moment > at - window() for moment, _, _ in seen),
            "orders_now": sum(is_order and moment > at - window() for moment, is_order, _ in seen),
            "most_requests_in_a_window": most_in_a_window(moment for moment, _, _ in seen),
            "most_orders_in_a_window": most_in_a_window(moment for moment, is_order, _ in seen if is_order),
            "refused": sum(refused for _, _, refused in seen),
        }
        for (supplier, _, tail), seen in sorted(keys.items())
    ]
    return {
        "limits_enabled": World.load().limits_enabled,
        "window_seconds": window().total_seconds(),
        "requests": REQUESTS,
        "orders": ORDERS,
        "keys": found,
    }
