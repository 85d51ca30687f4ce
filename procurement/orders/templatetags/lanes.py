"""The banner of frozen lanes, for the pages on which somebody orders or looks at orders."""

from __future__ import annotations

from typing import Any

from django import template
from django.template import Context

from procurement.orders.lanes import frozen_lanes as lanes_now
from procurement.orders.unconfirmed import may_act
from procurement.staff.access import may
from procurement.staff.permissions import Permission

register = template.Library()


@register.inclusion_tag("orders/_frozen_lanes.html", takes_context=True)
def frozen_lanes(context: Context) -> dict[str, Any]:
    """Every account that takes no order now, since when, why, how many wait, and where it is decided."""
    user = context["request"].user
    if not may(user, Permission.ORDER_VIEW):
        return {"lanes": []}
    return {"lanes": [(lane, may_act(user, lane.order)) for lane in lanes_now()]}
