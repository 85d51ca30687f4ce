"""The controls in JSON, for tests and seeders: accounts, faults, clock, settings, what was ordered and asked."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.dateparse import parse_datetime

from procurement.sandbox import catalogue, clock, engine, faults, limits, memory, money, webhooks
from procurement.sandbox.models import (
    Account,
    Balance,
    Claim,
    Code,
    Fault,
    Movement,
    Order,
    Product,
    RequestLog,
    Webhook,
    World,
)
from procurement.sandbox.replies import reply

View = Callable[..., Any]
SETTINGS: dict[str, type] = {"seed": int, "limits_enabled": bool, "loop_enabled": bool, "webhook_retry_seconds": float}


def control(*methods: str) -> Callable[[View], View]:
    """A JSON endpoint: the view gets the parsed body as `given`, returns data, and a ValueError is a 422 sentence."""

    def wrap(view: View) -> View:
        @wraps(view)
        def answer(request: HttpRequest, **parts: Any) -> HttpResponse:
            if request.method not in methods:
                return reply({"error": f"Only {', '.join(methods)} here."}, 405)
            if request.body and request.content_type != "application/json":
                return reply({"error": "Send Content-Type: application/json."}, 415)
            try:
                given = json.loads(request.body or b"{}")
                if not isinstance(given, dict):
                    raise ValueError("Send a JSON object.")
                return reply(view(request, given, **parts))
            except (ValueError, TypeError, KeyError) as wrong:
                return reply({"error": str(wrong)}, 422)
            except Account.DoesNotExist:
                return reply({"error": "There is no such supplier."}, 404)

        return answer

    return wrap


@control("GET")
def health(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    return {"ok": True, "accounts": Account.objects.count(), "now": clock.text(clock.now())}


@control("GET", "PUT")
def account(request: HttpRequest, given: dict[str, Any], supplier: str) -> dict[str, Any]:
    """Read or change an account: api_keys, webhook_secret, webhook_url, delivery_delay_seconds, tier, balance."""
    found = Account.objects.get(pk=supplier)
    with transaction.atomic():
        change_account(found, given)
    balances = Balance.objects.filter(account=found).order_by("currency")
    return {
        "supplier": found.supplier,
        "api_keys": found.api_keys,
        "webhook_secret": found.webhook_secret,
        "webhook_url": found.webhook_url,
        "delivery_delay_seconds": found.delivery_delay_seconds,
        "tier": {"name": found.tier_name, "discount_percent": money.text(found.tier_basis_points)},
        "balance": {row.currency: money.text(row.minor) for row in balances},
    }


def change_account(found: Account, given: dict[str, Any]) -> None:
    plain: dict[str, Any] = {
        "api_keys": list,
        "webhook_secret": str,
        "webhook_url": str,
        "delivery_delay_seconds": (int, float),
    }
    unknown = sorted(set(given) - set(plain) - {"tier", "balance"})
    if unknown:
        raise ValueError(f"An account has no {', '.join(unknown)}.")
    for name in set(given) & set(plain):
        if not isinstance(given[name], plain[name]):
            raise ValueError(f"{name} is of the wrong type.")
        setattr(found, name, given[name])
    if "tier" in given:
        found.tier_name = given["tier"]["name"]
        found.tier_basis_points = money.minor(given["tier"]["discount_percent"])
    found.save()
    memory.forget()
    for currency, amount in given.get("balance", {}).items():
        row = Balance.objects.filter(account=found, currency=currency).first()
        engine.move_money(found.supplier, currency, money.minor(amount) - (row.minor if row else 0), "opening")


@control("POST")
def deposits(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Money arrives at the supplier: supplier, amount, currency (USD), reference."""
    found = engine.known_supplier(given["supplier"])
    currency = given.get("currency", "USD")
    engine.move_money(found, currency, money.minor(given["amount"]), "deposit", None, given.get("reference", ""))
    return {"balance": money.text(Balance.objects.get(account_id=found, currency=currency).minor), "currency": currency}


@control("PUT")
def products(request: HttpRequest, given: dict[str, Any], supplier: str) -> dict[str, Any]:
    """Change price (`unit_cost`, or `percent` up or down) and stock of one `product`, one `region`, or all."""
    rows = Product.objects.filter(account=engine.known_supplier(supplier))
    if "product" in given:
        rows = rows.filter(key=given["product"])
    if "region" in given:
        rows = rows.filter(region=given["region"])
    for product in rows:
        if "unit_cost" in given:
            product.unit_minor = money.minor(given["unit_cost"])
        if "percent" in given:
            product.unit_minor = money.share(product.unit_minor, round((100 + given["percent"]) * 1_000), 100_000)
        if "stock" in given:
            product.stock = given["stock"]
        product.save()
    return {"changed": len(rows)}


@control("GET", "POST", "DELETE")
def fault_list(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Arm ({supplier, kind, count, params}), list, or clear all."""
    if request.method == "DELETE":
        return clear_faults(Fault.objects.all())
    if request.method == "POST":
        row = faults.arm(given["supplier"], given["kind"], given.get("count", 1), given.get("params"))
        return fault_facts(row)
    return {"faults": [fault_facts(row) for row in Fault.objects.all()], "kinds": sorted(faults.KINDS)}


@control("DELETE")
def fault(request: HttpRequest, given: dict[str, Any], fault_id: int) -> dict[str, Any]:
    return clear_faults(Fault.objects.filter(pk=fault_id))


def clear_faults(rows: QuerySet[Fault]) -> dict[str, Any]:
    cleared = rows.delete()[0]
    memory.forget()
    return {"cleared": cleared}


def fault_facts(row: Fault) -> dict[str, Any]:
    names = ("id", "supplier", "kind", "remaining", "taken", "params")
    return {name: getattr(row, name) for name in names}


@control("GET", "PUT")
def the_clock(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Shift by `offset_seconds`, or stand still at `frozen_at` (RFC 3339); an empty object is real time again."""
    if request.method == "PUT":
        clock.set_to(offset_seconds=float(given.get("offset_seconds", 0)), frozen_at=moment(given.get("frozen_at")))
    world = memory.world()
    return {
        "now": clock.text(clock.now()),
        "offset_seconds": world.clock_offset_seconds,
        "frozen_at": clock.text(world.clock_frozen_at) if world.clock_frozen_at else None,
    }


def moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = parse_datetime(text)
    if found is None or found.tzinfo is None:
        raise ValueError("A time must be RFC 3339 with its offset, such as 2026-01-31T09:00:00Z.")
    return found


@control("GET", "PUT")
def settings(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    world = World.load()
    for name, value in given.items():
        if name not in SETTINGS or not isinstance(value, (SETTINGS[name], int)):
            raise ValueError(f"{name} is no setting, or {value!r} does not fit it.")
        setattr(world, name, value)
    if given:
        world.save(update_fields=list(given))
        memory.forget()
    return {name: getattr(world, name) for name in SETTINGS}


@control("POST")
def advance(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Bring orders up to now; then send the due webhooks, or with `collect` hand them over instead."""
    moved = engine.advance_due()
    return {"moved": moved, "webhooks": webhooks.collect_due() if given.get("collect") else webhooks.send_due()}


@control("POST")
def reset(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Forget everything and start again from the defaults, with real time and the given `seed`.

    `plausible` false leaves out the cards that no shop was seen to list.
    """
    with transaction.atomic():
        for model in (Webhook, Claim, Code, Movement, Order, Product, Balance, Fault, RequestLog, Account, World):
            model.objects.all().delete()
        World.objects.create(pk=1, seed=int(given.get("seed", 1)))
        memory.drop()
        catalogue.load_defaults(plausible=bool(given.get("plausible", True)))
        memory.forget()
    return {"ok": True}


@control("GET")
def orders(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Every order accepted, newest last; filters supplier, client_order_id, order_id, created_from, created_to."""
    rows = Order.objects.order_by("id")
    names = {
        "supplier": "account", "client_order_id": "client_order_id", "order_id": "remote_id",
    }  # fmt: skip
    rows = rows.filter(**{field: request.GET[name] for name, field in names.items() if name in request.GET})
    if "created_from" in request.GET:
        rows = rows.filter(created_at__gte=moment(request.GET["created_from"]))
    if "created_to" in request.GET:
        rows = rows.filter(created_at__lt=moment(request.GET["created_to"]))
    found = [engine.order_facts(order) for order in rows]
    return {"count": len(found), "orders": found}


@control("GET")
def movements(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Every change of a balance, oldest first, of one supplier or both."""
    rows = Movement.objects.select_related("order").order_by("id")
    if "supplier" in request.GET:
        rows = rows.filter(account=request.GET["supplier"])
    found = [
        {
            "supplier": row.account_id,
            "currency": row.currency,
            "minor": row.minor,
            "kind": row.kind,
            "order_id": row.order.remote_id if row.order else None,
            "reference": row.reference,
            "at": clock.text(row.at),
        }
        for row in rows
    ]
    return {"movements": found}


@control("GET")
def requests(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """The last requests seen (200, or `last`), newest first; filters supplier, method, path."""
    rows = RequestLog.objects.order_by("-id")
    names = {"supplier": "supplier", "method": "method", "path": "path"}
    rows = rows.filter(**{field: request.GET[name] for name, field in names.items() if name in request.GET})
    shown = ("supplier", "method", "path", "status", "key_tail", "body", "faults", "refused_by_limit")
    count = rows.count()
    last = rows[: int(request.GET.get("last", 200))]
    return {
        "count": count,
        "requests": [{"at": clock.text(row.at)} | {name: getattr(row, name) for name in shown} for row in last],
    }


@control("GET")
def limit_report(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    return limits.report(clock.now())


@control("GET")
def events(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    """Webhooks and how their delivery stands, newest first; filter order_id."""
    rows = Webhook.objects.select_related("order").order_by("-id")
    if "order_id" in request.GET:
        rows = rows.filter(order__remote_id=request.GET["order_id"])
    found = [
        {
            "supplier": row.account_id,
            "order_id": row.order.remote_id,
            "event_id": row.event_id,
            "status": row.status,
            "flaw": row.flaw,
            "tries": row.tries,
            "answer": row.answer,
            "due_at": clock.text(row.due_at) if row.due_at else None,
        }
        for row in rows[:200]
    ]
    return {"webhooks": found}


@control("GET")
def claims(request: HttpRequest, given: dict[str, Any]) -> dict[str, Any]:
    rows = Claim.objects.select_related("code__order").order_by("id")
    return {"claims": [claim_facts(row) for row in rows]}


@control("POST")
def claim(request: HttpRequest, given: dict[str, Any], claim_id: str) -> dict[str, Any]:
    """Decide a claim: `outcome` credit, replace or decline."""
    found = Claim.objects.filter(remote_id=claim_id).first()
    if found is None:
        raise ValueError("There is no such claim.")
    engine.decide_claim(found, given["outcome"])
    found.refresh_from_db()
    return claim_facts(found)


def claim_facts(row: Claim) -> dict[str, Any]:
    return {
        "id": row.remote_id,
        "order_id": row.code.order.remote_id,
        "serial": row.code.serial,
        "reason": row.reason,
        "description": row.description,
        "state": row.state,
        "replacement": row.replacement,
    }
