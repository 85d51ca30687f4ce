"""PSN:B2B's dialect: region and denomination, no key and no list of orders, codes by order, claims within 7 days."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse

from procurement.sandbox import clock, engine, money
from procurement.sandbox.models import Balance, Claim, Code, Order, Product
from procurement.sandbox.replies import ApiError, allow, asked_by, call_of, quantity, read_members, reply, text_up_to

CLAIM_WINDOW = timedelta(days=7)
REASONS = ("invalid", "wrong_region", "failed")


def denomination(value: Any) -> int:
    if type(value) not in (int, float) or value != value or not 0 < value < 1_000_000 or value != int(value):
        raise ValueError("must be a face value in whole major units.")
    return int(value)


def reason(value: Any) -> str:
    if value not in REASONS:
        raise ValueError(f"must be one of {', '.join(REASONS)}.")
    return str(value)


def inventory(request: HttpRequest) -> HttpResponse:
    allow(request, "GET")
    rows = [
        {
            "region": product.region,
            "currency": product.currency,
            "denomination": product.denomination,
            "price": money.text(product.unit_minor),
            "price_currency": "USD",
            "stock": product.stock or 0,
        }
        for product in Product.objects.filter(account="psnb2b")
    ]
    return reply({"inventory": rows})


def balance(request: HttpRequest) -> HttpResponse:
    """The balance in USD and the tier, whose discount an order's price falls by."""
    allow(request, "GET")
    engine.advance_due("psnb2b")
    call = call_of(request)
    off = call.armed.take("balance_off")
    row = Balance.objects.get(account="psnb2b", currency="USD")
    tier = {"name": call.account.tier_name, "discount_percent": money.text(call.account.tier_basis_points)}
    shown = max(row.minor + (int(off["cents"]) if off else 0), 0)
    return reply({"balance": money.text(shown), "currency": row.currency, "tier": tier})


def orders(request: HttpRequest) -> HttpResponse:
    """Every POST is a new order: this supplier knows no idempotency key (R31)."""
    allow(request, "POST")
    call = call_of(request)
    asked = read_members(request, {"region": text_up_to(20), "denomination": denomination, "quantity": quantity})
    product = Product.objects.filter(
        account="psnb2b", region=asked["region"], denomination=asked["denomination"]
    ).first()
    if product is None:
        raise ApiError(422, "invalid", "There is no such denomination in this region. Nothing was ordered.")
    call.order = engine.accept("psnb2b", product, asked["quantity"], call.armed, asked_by=asked_by(request))
    return reply(order_shape(call.order), 201)


def find(order_id: str) -> Order:
    engine.advance_due("psnb2b")
    found = Order.objects.filter(account="psnb2b", remote_id=order_id).first()
    if found is None:
        raise ApiError(404, "not_found", "There is no such order.")
    return found


def order(request: HttpRequest, order_id: str) -> HttpResponse:
    allow(request, "GET")
    return reply(order_shape(find(order_id)))


def order_codes(request: HttpRequest, order_id: str) -> HttpResponse:
    allow(request, "GET")
    found = find(order_id)
    if found.status != "delivered":
        raise ApiError(409, "not_delivered", f"The order is {found.status}: there are no codes to download.")
    rows = [
        {"code": code.value, "region": code.region, "denomination": found.denomination} for code in found.codes.all()
    ]
    return reply({"order_id": found.remote_id, "codes": rows})


def claims(request: HttpRequest) -> HttpResponse:
    """A claim for one code of a delivered order, up to and including the last moment of the seventh day."""
    allow(request, "POST")
    asked = read_members(
        request,
        {"order_id": text_up_to(100), "code": text_up_to(100), "reason": reason},
        {"description": text_up_to(2_000, least=0)},
    )
    found = find(asked["order_id"])
    wanted = plain(asked["code"])
    code = next((code for code in found.codes.all() if plain(code.value) == wanted), None)
    if code is None:
        raise ApiError(422, "unknown_code", "This order delivered no such code.")
    if found.delivered_at is None or clock.now() > found.delivered_at + CLAIM_WINDOW:
        raise ApiError(422, "claim_window_closed", "The 7 days for claims on this order are over.")
    claim = file_claim(code, asked["reason"], asked.get("description", ""))
    decide_if_armed(request, claim, found.product_key)
    return reply({"id": claim.remote_id, "status": "received"}, 201)


def plain(code: str) -> str:
    return code.replace("-", "").replace(" ", "").upper()


def file_claim(code: Code, why: str, description: str) -> Claim:
    try:
        with transaction.atomic():
            claim = Claim.objects.create(
                code=code, reason=why, description=description, created_at=clock.now(), remote_id=f"new for {code.pk}"
            )
            claim.remote_id = f"clm_{claim.pk:04d}"
            claim.save(update_fields=["remote_id"])
    except IntegrityError:
        raise ApiError(422, "already_claimed", "This code was claimed for before.") from None
    return claim


def decide_if_armed(request: HttpRequest, claim: Claim, product: str) -> None:
    armed = call_of(request).armed
    if params := armed.take("claim_accepted", product=product):
        engine.decide_claim(claim, params["outcome"])
    elif armed.take("claim_declined", product=product) is not None:
        engine.decide_claim(claim, "decline")


def order_shape(order: Order) -> dict[str, Any]:
    return {
        "id": order.remote_id,
        "status": order.status,
        "region": order.region,
        "denomination": order.denomination,
        "quantity": order.quantity,
        "total": money.text(order.total_minor),
        "currency": order.currency,
        "created_at": clock.text(order.created_at),
        "failure_reason": order.failure_reason,
    }
