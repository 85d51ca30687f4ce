"""What happens to money, stock and orders, whichever dialect asked: accepting, advancing, delivering, refunding."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from procurement.sandbox import clock, codes, memory, money
from procurement.sandbox.faults import ORDER_KINDS, Armed
from procurement.sandbox.models import SUPPLIERS, Account, Balance, Claim, Code, Movement, Order, Product, World
from procurement.sandbox.replies import ApiError
from procurement.sandbox.webhooks import queue_event

FIRST_STATUS = {"alpha": "processing", "psnb2b": "pending"}
STEPS = {"alpha": ("completed",), "psnb2b": ("paid", "delivered")}
DELIVERING = ("completed", "partially_completed", "delivered")


def move_money(
    supplier: str, currency: str, minor: int, kind: str, order: Order | None = None, reference: str = ""
) -> bool:
    """Change a balance by cents and note it; False, and nothing done, where it would fall below zero."""
    mine = Balance.objects.filter(account_id=supplier, currency=currency)
    if not mine.filter(minor__gte=-minor).update(minor=F("minor") + minor):
        if minor < 0 or mine.exists():
            return False
        Balance.objects.create(account_id=supplier, currency=currency, minor=minor)
    Movement.objects.create(
        account_id=supplier, currency=currency, minor=minor, kind=kind, order=order, reference=reference, at=clock.now()
    )
    return True


def unit_price(account: Account, product: Product) -> int:
    """List price less the account's tier, in cents, each unit rounded half up."""
    return money.share(product.unit_minor, 10_000 - account.tier_basis_points, 10_000)


def move_market(supplier: str, product: Product, armed: Armed) -> None:
    """Play the armed market faults: price, tier and stock change for good, whether the order goes through or not."""
    if params := armed.take("price_moved", product=product.key):
        raised = money.share(product.unit_minor, int(params["percent"] * 100) + 10_000, 10_000)
        Product.objects.filter(pk=product.pk).update(unit_minor=raised)
    if params := armed.take("tier_moved", product=product.key):
        tier = {"tier_name": params["name"], "tier_basis_points": money.minor(params["percent"])}
        Account.objects.filter(pk=supplier).update(**tier)
        memory.forget()
    if armed.take("stock_gone", product=product.key) is not None:
        Product.objects.filter(pk=product.pk).update(stock=0)


def accept(supplier: str, product: Product, quantity: int, armed: Armed, **references: str) -> Order:
    """Take a paid order: the balance falls by its total, the stock by its quantity (ApiError where either is short)."""
    move_market(supplier, product, armed)
    account = memory.account(supplier)
    with transaction.atomic():
        if armed.met:
            product.refresh_from_db()
        script = {kind: params for kind in ORDER_KINDS if (params := armed.take(kind, product=product.key)) is not None}
        now, unit = clock.now(), unit_price(account, product)
        total = unit * quantity + int(script.get("wrong_amount", {}).get("cents", 0))
        order = Order(
            account=account,
            remote_id=remote_id(supplier, World.take_numbers("orders_made")),
            product_key=product.key,
            region=product.region,
            denomination=product.denomination,
            quantity=quantity,
            unit_minor=unit,
            total_minor=total,
            status=FIRST_STATUS[supplier],
            script=script,
            created_at=now,
            **references,
        )
        set_plan(order, plan_of(order, now))
        order.save()
        take_stock(product, quantity)
        if not move_money(supplier, order.currency, -total, "order", order):
            short = 402 if supplier == "alpha" else 422
            raise ApiError(short, "insufficient_balance", "The balance does not cover this order. Nothing was ordered.")
    return order


def remote_id(supplier: str, number: int) -> str:
    if supplier == "psnb2b":
        return f"psb_{10_000 + number}"
    # An odd factor visits every 40-bit value once: no two orders share an id, and none tells its neighbour's.
    return f"ord_{(number * 602_214_076_001 + memory.world().seed * 299_792_458) % 2**40:010x}"


def take_stock(product: Product, quantity: int) -> None:
    if product.stock is None:
        return
    if not Product.objects.filter(pk=product.pk, stock__gte=quantity).update(stock=F("stock") - quantity):
        raise ApiError(422, "out_of_stock", f"Fewer than {quantity} of {product.key} in stock. Nothing was ordered.")


def plan_of(order: Order, now: datetime) -> list[tuple[str, datetime]]:
    """The coming states with their moments, as the account's delay and the order's script have it."""
    delay = timedelta(seconds=order.account.delivery_delay_seconds)
    script = order.script
    plan = [(status, now + delay * (n + 1)) for n, status in enumerate(STEPS[order.account_id])]
    last, at = plan.pop()
    at += timedelta(seconds=script.get("late_delivery", {}).get("seconds", 0))
    part = script.get("part_delivery")
    if "order_fails" in script:
        return [*plan, ("failed", at)]
    if part and order.account_id == "alpha":
        plan.append(("partially_completed", at))
    else:
        plan.append((last, at))
    if part and part["rest_after"]:
        plan.append((last, at + timedelta(seconds=part["rest_after"])))
    if "delivered_then_failed" in script:
        plan.append(("failed", plan[-1][1] + delay))
    return plan


def set_plan(order: Order, plan: list[tuple[str, datetime]]) -> None:
    order.plan = [[status, at.isoformat()] for status, at in plan]
    order.next_at = plan[0][1] if plan else None


def advance_due(supplier: str | None = None, until: datetime | None = None) -> int:
    """Bring every order whose next state is due up to date; the number of orders moved."""
    due = Order.objects.filter(next_at__lte=until or clock.now()).order_by("next_at", "id")
    if supplier:
        due = due.filter(account=supplier)
    keys = list(due.values_list("pk", flat=True))
    for key in keys:
        advance(key)
    return len(keys)


def advance(order_pk: int, *, to_the_end: bool = False) -> None:
    """Let one order take its due states, each stamped with the moment it was planned for."""
    with memory.turn, transaction.atomic():
        order = Order.objects.get(pk=order_pk)
        plan = [(status, datetime.fromisoformat(at)) for status, at in order.plan]
        now = clock.now()
        while plan and (to_the_end or plan[0][1] <= now):
            status, at = plan.pop(0)
            enter(order, status, min(at, now))
        set_plan(order, plan)
        order.save()


def enter(order: Order, status: str, at: datetime) -> None:
    previous, order.status = order.status, status
    if status in DELIVERING:
        deliver(order, at)
    elif status == "failed":
        fail(order)
    queue_event(order, previous, at)


def deliver(order: Order, at: datetime) -> None:
    """Make the codes that are still missing, or the part that the script grants; refund what will not come."""
    order.delivered_at = order.delivered_at or at
    part, have = order.script.get("part_delivery"), order.delivered_quantity
    wanted = order.quantity
    if part and have == 0:
        wanted = min(int(part["codes"]) or order.quantity // 2, order.quantity)
    order.delivered_quantity = wanted
    values = flawed(order, codes.make_codes(wanted - have)) if wanted > have else []
    region = wrong_region(order) if have == 0 else ""
    Code.objects.bulk_create(
        Code(
            order=order,
            value=value,
            region=region if region and number == 0 else order.region,
            serial=f"{order.remote_id[4:]}-{have + number + 1}",
        )
        for number, value in enumerate(values)
    )
    if part and part["refund"] and not part["rest_after"]:
        refund(order, (order.quantity - wanted) * order.unit_minor)


def flawed(order: Order, values: list[str]) -> list[str]:
    """The codes as the script spoils them."""
    if "duplicate_code" in order.script:
        earlier = Code.objects.filter(order__account=order.account_id).exclude(order=order)
        same = earlier.filter(order__product_key=order.product_key).first() or earlier.first()
        values[0] = same.value if same else values[-1]
    if "truncated_code" in order.script:
        values[-1] = values[-1][:-2]
    return values


def wrong_region(order: Order) -> str:
    params = order.script.get("wrong_region_code")
    if params is None:
        return ""
    return str(params["region"]) or ("GB" if order.region != "GB" else "US")


def fail(order: Order) -> None:
    order.failure_reason = "The supplier's stock source refused the order."
    script = order.script.get("order_fails") or order.script.get("delivered_then_failed") or {}
    if script.get("refund", True):
        refund(order, order.total_minor - order.refunded_minor)


def refund(order: Order, minor: int) -> None:
    if minor > 0:
        move_money(order.account_id, order.currency, minor, "refund", order)
        order.refunded_minor += minor


def decide_claim(claim: Claim, outcome: str) -> None:
    """Close a claim that is still open: `credit` pays one unit back, `replace` makes a new code, `decline` neither."""
    if outcome not in ("credit", "replace", "decline"):
        raise ValueError("The outcome is credit, replace or decline.")
    state = {"credit": "credited", "replace": "replaced", "decline": "declined"}[outcome]
    with transaction.atomic():
        still_open = Claim.objects.filter(pk=claim.pk, state="received")
        if not still_open.update(state=state, decided_at=clock.now()):
            raise ValueError(f"Claim {claim.remote_id} was decided before. Nothing was changed.")
        order = claim.code.order
        if outcome == "credit":
            move_money(order.account_id, order.currency, order.unit_minor, "credit", order, claim.remote_id)
        elif outcome == "replace":
            Claim.objects.filter(pk=claim.pk).update(replacement=codes.make_codes(1)[0])


def known_supplier(supplier: str) -> str:
    if supplier not in SUPPLIERS:
        raise ValueError("The supplier is alpha or psnb2b.")
    return supplier


def order_facts(order: Order) -> dict[str, Any]:
    """An order as the controls print it: everything but its codes."""
    return {
        "supplier": order.account_id,
        "order_id": order.remote_id,
        "client_order_id": order.client_order_id,
        "idempotency_key": order.idempotency_key,
        "asked_by": order.asked_by,
        "product": order.product_key,
        "quantity": order.quantity,
        "status": order.status,
        "total": money.text(order.total_minor),
        "refunded": money.text(order.refunded_minor),
        "currency": order.currency,
        "created_at": clock.text(order.created_at),
        "delivered_at": clock.text(order.delivered_at) if order.delivered_at else None,
        "next_at": clock.text(order.next_at) if order.next_at else None,
        "faults": sorted(order.script),
    }
