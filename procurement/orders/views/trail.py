"""Who had access to a code, and to the codes of an order, before delivery: for people, for a claim, for print."""

from __future__ import annotations

import uuid

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from procurement.orders.queries import codes_of
from procurement.orders.trail import trail_of, trails_of
from procurement.orders.views.codes import get_code
from procurement.orders.views.pages import get_order
from procurement.staff.access import requires
from procurement.staff.permissions import Permission
from procurement.web.http import Request


@requires(Permission.ORDER_VIEW)
@require_GET
def code_trail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """One code: each time somebody asked for it, on what ground, and what came of it."""
    return render(request, "orders/code_trail.html", {"trail": trail_of(get_code(pk))})


@requires(Permission.ORDER_VIEW)
@require_GET
def order_trail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The codes of an order, each with who had access before it was handed over."""
    order = get_order(pk)
    page = Paginator(codes_of(order), 100).get_page(request.GET.get("page"))
    return render(request, "orders/order_trail.html", {"order": order, "page": page, "trails": trails_of(page)})
