"""What higher domains add to an order's page, without orders knowing them: each registers a function at start-up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from procurement.orders.models import Order
from procurement.staff.models import User

Extra = Callable[[Order, User], Mapping[str, Any]]
_extras: list[Extra] = []


def order_page_extra(extra: Extra) -> Extra:
    """Register a function whose mapping is added to the context of the order page."""
    if extra not in _extras:
        _extras.append(extra)
    return extra


def extras_for(order: Order, user: User) -> dict[str, Any]:
    """Everything the registered functions add for this order and person."""
    return {key: value for extra in _extras for key, value in extra(order, user).items()}
