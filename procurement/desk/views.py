"""The first page, and the one search box."""

from __future__ import annotations

from itertools import groupby

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from procurement.audit.services import record
from procurement.desk import overview as facts
from procurement.desk.search import find, looks_like_code
from procurement.orders import queries
from procurement.staff.access import for_everyone, may
from procurement.staff.permissions import Permission
from procurement.web.http import Request, never_keep, see_other


@for_everyone
@require_GET
def overview(request: Request) -> HttpResponse:
    """What needs me now, are the suppliers up, how is today."""
    sees_orders = may(request.user, Permission.ORDER_VIEW)
    with_cost = may(request.user, Permission.COST_VIEW)
    lines = facts.account_lines() if may(request.user, Permission.BALANCE_VIEW) else []
    context = {
        "needs": facts.needs_of(request.user),
        "now": timezone.now(),
        "lines": lines,
        "figures": facts.daily_figures() if sees_orders else [],
        "spends": [
            (currency, facts.daily_spend(currency))
            for currency in sorted({line.account.settlement_currency for line in lines})
        ]
        if with_cost
        else [],
        "recent": queries.orders_for_list().order_by("-created_at", "-id")[:8] if sees_orders else [],
        "with_cost": with_cost,
        "may_order": may(request.user, Permission.ORDER_CREATE),
    }
    return render(request, "desk/overview.html", context)


@for_everyone
@never_keep
@require_http_methods(["GET", "POST"])
def search(request: Request) -> HttpResponse:
    """Find anything by any of its ids. A code is looked for by POST only, so that it stands in no address and no log."""
    by_post = request.method == "POST"
    text = (request.POST if by_post else request.GET).get("q", "").strip()[:200]
    if not text:
        return render(request, "desk/search.html", {"text": "", "groups": [], "hidden": False})
    hidden = looks_like_code(text)
    if hidden and not by_post:
        return redirect("search")
    hits = find(text, request.user, with_codes=by_post)
    if hidden:
        record("code.searched", by=request.user, subject=request.user, found=len(hits))
    if len(hits) == 1:
        return see_other(request, hits[0].url)
    groups = [(kind, list(rows)) for kind, rows in groupby(hits, key=lambda hit: hit.kind)]
    return render(request, "desk/search.html", {"text": "" if hidden else text, "groups": groups, "hidden": hidden})
