"""The fault desk: a page to arm faults, watch orders and requests, and decide claims. Works without JavaScript."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from procurement.sandbox import clock, control, engine, faults, money, webhooks
from procurement.sandbox.models import SUPPLIERS, Account, Balance, Claim, Fault, Order, RequestLog, Webhook

GROUPS = {
    "In the reply": faults.REPLY_KINDS,
    "In the market": faults.MARKET_KINDS,
    "In one order": faults.ORDER_KINDS,
    "In a claim": faults.CLAIM_KINDS,
}


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return redirect("desk")


@require_GET
def stylesheet(request: HttpRequest) -> HttpResponse:
    return HttpResponse(Path(__file__).with_name("desk.css").read_bytes(), content_type="text/css")


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    return show(request)


def show(request: HttpRequest, trouble: str = "") -> HttpResponse:
    recent = Order.objects.order_by("-id")[:20]
    context = {
        "trouble": trouble,
        "now": clock.now(),
        "accounts": [account_row(account) for account in Account.objects.order_by("supplier")],
        "suppliers": SUPPLIERS,
        "groups": {title: kind_rows(kinds) for title, kinds in GROUPS.items()},
        "armed": [armed_row(row) for row in Fault.objects.exclude(remaining=0).order_by("-id")[:50]],
        "spent": [armed_row(row) for row in Fault.objects.filter(remaining=0).order_by("-id")[:20]],
        "orders": [{"row": order, "total": money.grouped(order.total_minor)} for order in recent],
        "claims": Claim.objects.select_related("code__order").order_by("-id")[:20],
        "requests": RequestLog.objects.order_by("-id")[:20],
    }
    return render(request, "sandbox/desk.html", context, status=422 if trouble else 200)


def account_row(account: Account) -> dict[str, Any]:
    return {
        "account": account,
        "balances": [(row.currency, money.grouped(row.minor)) for row in Balance.objects.filter(account=account)],
        "tier": money.text(account.tier_basis_points) if account.tier_name else "",
        "keys": [key[-4:] for key in account.api_keys],
        "waiting": Webhook.objects.filter(account=account, due_at__isnull=False).count(),
    }


def kind_rows(kinds: dict[str, faults.Kind]) -> list[dict[str, Any]]:
    return [
        {"name": name, "label": kind.label, "help": kind.help, "settings": words(kind.defaults), "one": only(kind)}
        for name, kind in kinds.items()
    ]


def only(kind: faults.Kind) -> str:
    return SUPPLIERS[kind.suppliers[0]] if len(kind.suppliers) == 1 else ""


def words(params: dict[str, Any]) -> str:
    return " ".join(
        f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in params.items()
    )


def armed_row(row: Fault) -> dict[str, Any]:
    return {
        "row": row,
        "label": faults.KINDS[row.kind].label,
        "supplier": SUPPLIERS[row.supplier],
        "settings": words(row.params),
    }


@require_POST
def arm(request: HttpRequest) -> HttpResponse:
    """Arm what the form names; settings are `name=value` pairs divided by spaces."""
    try:
        count = int(request.POST.get("count") or 1)
        given = read_words(request.POST.get("settings", ""))
        faults.arm(request.POST["supplier"], request.POST["kind"], count or None, given)
    except (ValueError, KeyError) as wrong:
        return show(request, f"{wrong} No fault was armed.")
    return redirect("desk")


def read_words(text: str) -> dict[str, Any]:
    params: dict[str, Any] = {}
    for pair in text.split():
        name, sign, value = pair.partition("=")
        if not sign:
            raise ValueError(f"{pair!r} is not of the form name=value.")
        params[name] = read_value(value)
    return params


def read_value(value: str) -> Any:
    if value in ("true", "false"):
        return value == "true"
    return int(value) if value.isdecimal() else value


@require_POST
def clear(request: HttpRequest) -> HttpResponse:
    """Clear one armed fault, or all."""
    rows = Fault.objects.all()
    if request.POST.get("fault"):
        rows = rows.filter(pk=request.POST["fault"])
    control.clear_faults(rows)
    return redirect("desk")


@require_POST
def advance(request: HttpRequest) -> HttpResponse:
    """Let every waiting order take all its coming states at once, and send the events."""
    for order in Order.objects.filter(next_at__isnull=False).order_by("id"):
        engine.advance(order.pk, to_the_end=True)
    webhooks.send_due()
    return redirect("desk")


@require_POST
def decide(request: HttpRequest, claim_id: str) -> HttpResponse:
    claim = Claim.objects.filter(remote_id=claim_id).first()
    try:
        if claim is None:
            raise ValueError("There is no such claim.")
        engine.decide_claim(claim, request.POST.get("outcome", ""))
    except ValueError as wrong:
        return show(request, str(wrong))
    return redirect("desk")
