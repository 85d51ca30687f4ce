"""Alpha PSN's dialect: idempotency keys, client references, a list of orders, delivery files."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime

from procurement.sandbox import clock, engine, money
from procurement.sandbox.models import Balance, Order, Product
from procurement.sandbox.replies import (
    ApiError,
    Call,
    allow,
    asked_by,
    call_of,
    quantity,
    read_members,
    reply,
    text_up_to,
)

PAGE = 50
FILTERS = frozenset({"client_order_id", "created_from", "created_to", "cursor"})
MEMBERS = {
    "product_id": text_up_to(100),
    "quantity": quantity,
    "client_order_id": text_up_to(64),
    "idempotency_key": text_up_to(128),
}


def products(request: HttpRequest) -> HttpResponse:
    allow(request, "GET")
    rows = Product.objects.filter(account="alpha")
    return reply({"products": [product_shape(product) for product in rows]})


def product_shape(product: Product) -> dict[str, Any]:
    return {
        "product_id": product.key,
        "name": product.name,
        "region": product.region,
        "currency": product.currency,
        "denomination": f"{product.denomination}.00",
        "unit_cost": money.text(product.unit_minor),
        "cost_currency": "USD",
        "stock": product.stock,
        "quoted_until": None,
    }


def balance(request: HttpRequest) -> HttpResponse:
    allow(request, "GET")
    engine.advance_due("alpha")
    off = call_of(request).armed.take("balance_off")
    cents = int(off["cents"]) if off else 0
    rows = Balance.objects.filter(account="alpha").order_by("currency")
    shown = [
        {"currency": row.currency, "available": money.text(max(row.minor + cents, 0)), "reserved": "0.00"}
        for row in rows
    ]
    return reply({"balances": shown})


def orders(request: HttpRequest) -> HttpResponse:
    allow(request, "GET", "POST")
    return place(request) if request.method == "POST" else listing(request)


def place(request: HttpRequest) -> HttpResponse:
    """A new order is 201; the same key with the same body is 200 with the first order; any other reuse is 409."""
    call = call_of(request)
    asked = read_members(request, MEMBERS)
    call.order = earlier_order(asked)
    if call.order is not None:
        return reply(order_shape(call, call.order))
    product = Product.objects.filter(account="alpha", key=asked["product_id"]).first()
    if product is None:
        raise ApiError(404, "not_found", "There is no such product. Nothing was ordered.")
    references = {name: asked[name] for name in ("client_order_id", "idempotency_key")}
    references["asked_by"] = asked_by(request)
    try:
        call.order = engine.accept("alpha", product, asked["quantity"], call.armed, **references)
    except IntegrityError:  # the same key or reference came in twice at once
        call.order = earlier_order(asked)
        return reply(order_shape(call, call.order))
    return reply(order_shape(call, call.order), 201)


def earlier_order(asked: dict[str, Any]) -> Order | None:
    """The order that this key already made; ApiError 409 where key or reference was used for something else."""
    either = Q(idempotency_key=asked["idempotency_key"]) | Q(client_order_id=asked["client_order_id"])
    found = list(Order.objects.filter(either, account="alpha"))
    first = next((order for order in found if order.idempotency_key == asked["idempotency_key"]), None)
    if first is None:
        if found:
            raise ApiError(409, "duplicate_client_order_id", "This client_order_id was used with another key.")
        return None
    same = (first.product_key, first.quantity, first.client_order_id) == (
        asked["product_id"],
        asked["quantity"],
        asked["client_order_id"],
    )
    if not same:
        raise ApiError(409, "idempotency_conflict", "This key was used with another body. Nothing was ordered.")
    return first


def listing(request: HttpRequest) -> HttpResponse:
    """Orders, oldest first, 50 to a page; created_from is included, created_to is not."""
    query = request.GET
    if set(query) - FILTERS:
        # A misspelled filter must not be answered with every order.
        raise ApiError(400, "invalid", f"This list is filtered by {', '.join(sorted(FILTERS))} only.")
    engine.advance_due("alpha")
    rows = Order.objects.filter(account="alpha").order_by("id")
    if reference := query.get("client_order_id"):
        rows = rows.filter(client_order_id=reference)
    if "created_from" in query:
        rows = rows.filter(created_at__gte=moment(query["created_from"]))
    if "created_to" in query:
        rows = rows.filter(created_at__lt=moment(query["created_to"]))
    if "cursor" in query:
        rows = rows.filter(pk__gt=after(query["cursor"]))
    page = list(rows[: PAGE + 1])
    call = call_of(request)
    return reply(
        {
            "orders": [order_shape(call, order) for order in page[:PAGE]],
            "next_cursor": cursor(page[PAGE - 1]) if len(page) > PAGE else None,
        }
    )


def moment(text: str) -> datetime:
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ApiError(400, "invalid", "A time must be RFC 3339 with its offset, such as 2026-01-31T09:00:00Z.")
    return found


def cursor(order: Order) -> str:
    return base64.urlsafe_b64encode(f"after {order.pk}".encode()).decode()


def after(text: str) -> int:
    try:
        word, _, number = base64.urlsafe_b64decode(text.encode()).decode().partition(" ")
        if word == "after" and len(number) < 18:
            return int(number)
    except (binascii.Error, ValueError):
        pass
    raise ApiError(400, "invalid", "This cursor was not given out here.")


def order(request: HttpRequest, order_id: str) -> HttpResponse:
    allow(request, "GET")
    return reply(order_shape(call_of(request), find(order_id)))


def find(order_id: str) -> Order:
    engine.advance_due("alpha")
    found = Order.objects.filter(account="alpha", remote_id=order_id).first()
    if found is None:
        raise ApiError(404, "not_found", "There is no such order.")
    return found


def delivery(request: HttpRequest, order_id: str) -> HttpResponse:
    allow(request, "GET")
    found = find(order_id)
    if found.status not in engine.DELIVERING:
        raise ApiError(404, "not_found", f"The order is {found.status}: it has no delivery file.")
    rows = [
        {"code": code.value, "serial": code.serial, "region": code.region, "expires_on": None}
        for code in found.codes.all()
    ]
    return reply({"order_id": found.remote_id, "codes": rows})


def order_shape(call: Call, order: Order | None) -> dict[str, Any]:
    if order is None:
        raise ApiError(503, "broken", "Out of service for a moment.")
    return {
        "order_id": order.remote_id,
        "request_id": call.request_id,
        "client_order_id": order.client_order_id,
        "product_id": order.product_key,
        "quantity": order.quantity,
        "delivered_quantity": order.delivered_quantity,
        "status": order.status,
        "total_cost": money.text(order.total_minor),
        "refunded": money.text(order.refunded_minor),
        "currency": order.currency,
        "created_at": clock.text(order.created_at),
    }
