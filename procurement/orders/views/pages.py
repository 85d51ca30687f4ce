"""Lists and pages of orders, and the buyer's actions on them."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.audit.services import record
from procurement.bookkeeping.postings import amount_text
from procurement.bookkeeping.queries import movements_about
from procurement.catalog.models import Mapping
from procurement.errors import DomainError, Missing, Refused
from procurement.orders import policies, queries, standing
from procurement.orders.extras import extras_for
from procurement.orders.forms import OrderForm, QuantityForm, ReasonForm
from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.orders.services.bringing_in import TAKES
from procurement.orders.services.placing import note_retry_by_person
from procurement.orders.services.revealing import reveals_left
from procurement.orders.states import ORDER
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.terms.queries import line_of
from procurement.web.http import Request, is_fragment, see_other
from procurement.web.lists import Column, Filter, ListSpec, Tab, list_page
from procurement.web.once import once


def in_states(*states: str) -> Q:
    return Q(state__in=states)


def search(rows: QuerySet[Order], text: str) -> QuerySet[Order]:
    return (
        rows.filter(client_order_id__icontains=text)
        | rows.filter(remote_id__icontains=text)
        | rows.filter(sku__code__icontains=text)
    )


COLUMNS: list[Column[Order]] = [
    Column("order", lambda order: order.client_order_id),
    Column("supplier account", lambda order: order.account.code),
    Column("supplier order id", lambda order: order.remote_id),
    Column("sku", lambda order: order.sku.code),
    Column("region", lambda order: order.region),
    Column("face minor", lambda order: order.face_minor),
    Column("face currency", lambda order: order.face_currency),
    Column("quantity", lambda order: order.quantity),
    Column("delivered", lambda order: order.delivered_quantity),
    Column("status", lambda order: order.status.label),
    Column("requested by", lambda order: str(order.requested_by or "System")),
    Column("created", lambda order: order.created_at.isoformat()),
]
COSTS: list[Column[Order]] = [
    Column(
        "total minor",
        lambda order: order.total_cost_minor if order.total_cost_minor is not None else order.max_total_minor,
    ),
    Column("cost currency", lambda order: order.cost_currency),
]
FILTERS: list[Filter[Order]] = [
    Filter("q", "Search", search, kind="text", placeholder="Order id, supplier's id or SKU"),
    Filter(
        "supplier",
        "Supplier",
        lambda rows, code: rows.filter(account__code=code),
        choices=lambda: list(SupplierAccount.objects.values_list("code", "name")),
    ),
    Filter(
        "state",
        "Status",
        lambda rows, state: rows.filter(state=state),
        choices=[(name, status.label) for name, status in ORDER.statuses.items()],
    ),
]
TABS: list[Tab] = [
    Tab("all", "All"),
    Tab("needs", "Needs someone", in_states(*queries.NEEDS_SOMEONE), counted=True),
    Tab("open", "Open", in_states(*queries.OPEN)),
    Tab("delivered", "Delivered", in_states("codes_stored")),
    Tab("failed", "Failed", in_states(*queries.FAILED)),
]


def order_list_spec(with_cost: bool) -> ListSpec[Order]:
    return ListSpec(
        noun="order",
        nouns="orders",
        sorts={"placed": ["created_at"], "order": ["client_order_id"], "quantity": ["quantity"]},
        default_sort="-placed",
        tabs=TABS,
        filters=FILTERS,
        columns=COLUMNS + (COSTS if with_cost else []),
        export_permission=Permission.ORDER_VIEW,
    )


@requires(Permission.ORDER_VIEW)
@require_GET
def order_list(request: Request) -> HttpResponseBase:
    """All orders, newest first; costs only for those who may see them."""
    with_cost = may(request.user, Permission.COST_VIEW)

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"orders ({filters})", rows=count)

    context = {"with_cost": with_cost, "may_order": may(request.user, Permission.ORDER_CREATE)}
    spec = order_list_spec(with_cost)
    return list_page(
        request, spec, queries.orders_for_list(), "orders/order_list.html", context=context, on_export=on_export
    )


def get_order(pk: uuid.UUID) -> Order:
    try:
        return queries.order_for_page(pk)
    except Order.DoesNotExist:
        raise Missing("There is no such order. Nothing was changed. Search for it by any of its ids.") from None


@requires(Permission.ORDER_VIEW)
@require_GET
def order_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Where the order is, whether it is what was asked for, what it cost and what follows."""
    order = get_order(pk)
    last4 = request.GET.get("last4", "").strip()[:4]
    codes = Paginator(queries.codes_of(order, last4), 50).get_page(request.GET.get("page"))
    with_cost = may(request.user, Permission.COST_VIEW)
    may_reveal = may(request.user, Permission.CODE_REVEAL)
    attempts = queries.attempts_of(order, with_cost=with_cost)
    queue_place = queries.place_in_queue(order)
    context = {
        "order": order,
        "what": queries.what(order),
        "summary": queries.summary(order),
        "cells": queries.strip(order),
        "attempts": attempts,
        "codes": codes,
        "last4": last4,
        "new_price": queries.new_price(order) if with_cost else None,
        "problem": order.problem if with_cost else queries.without_amounts(order.problem),
        "entries": queries.timeline(order, with_cost=with_cost),
        "refused_by": queries.refused_by_person(order),
        "over": order.state in queries.FAILED,
        "unsent": order.state in queries.UNSENT,
        "heard": standing.last_heard(order, [call for row in attempts for call in row.exchanges]),
        "next": standing.next_step(order, queue_place),
        "queue_words": standing.queue_words(order, queue_place),
        "delivery_target": line_of(order.account, "delivery_target"),
        "actions": standing.actions_of(order, request.user),
        "with_cost": with_cost,
        "movements": movements_about(str(order.pk)) if with_cost else [],
        "may_reveal": may_reveal,
        "may_deliver": may(request.user, Permission.CODE_DELIVER),
        "may_bring_in": order.state in TAKES and may(request.user, Permission.CODE_DELIVER),
        "may_erase": may(request.user, Permission.KEY_MANAGE),
        "reveals_left": reveals_left(request.user).now if may_reveal and codes else None,
        "live": order.state in queries.MOVING,
        **extras_for(order, request.user),
    }
    return render(request, "orders/order_detail.html", context)


@requires(Permission.ORDER_VIEW)
@require_GET
def order_status(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The live part of an order's page: 204 while nothing changed since `version`, 286 when it settled."""
    order = get_order(pk)
    if request.GET.get("version") == f"{order.version}":
        return HttpResponse(status=204)
    response = HttpResponse(status=204)
    response["HX-Refresh"] = "true"
    return response


@requires(Permission.ORDER_CREATE)
@require_GET
def order_new(request: Request) -> HttpResponse:
    """The form of a new order; with `check` in the URL it is read and the check page shown."""
    if "check" in request.GET:
        return order_check(request)
    initial = {
        key: request.GET[key]
        for key in ("sku", "supplier", "quantity", "client_order_id", "purpose")
        if key in request.GET
    }
    if "mapping" in request.GET and request.GET["mapping"].isdigit():
        mapping = queries.orderable_mappings().filter(pk=int(request.GET["mapping"])).first()
        if mapping:
            initial |= {"sku": mapping.sku.code, "supplier": mapping.account.code}
    initial.setdefault("client_order_id", drafting.next_client_order_id())
    return show_form(request, OrderForm(initial=initial))


def show_form(request: Request, form: OrderForm, status: int = 200) -> HttpResponse:
    skus = {mapping.sku.code: mapping.sku.title for mapping in queries.orderable_mappings()}
    mine = queries.latest_orders_of(request.user)
    return render(request, "orders/order_new.html", {"form": form, "skus": skus.items(), "mine": mine}, status=status)


def order_check(request: Request) -> HttpResponse:
    form = OrderForm(request.GET)
    if not form.is_valid():
        return show_form(request, form, status=422)
    data = form.cleaned_data
    try:
        terms = drafting.quote(by=request.user, mapping=data["mapping"], quantity=data["quantity"])
    except DomainError as refusal:
        form.add_error(None, refusal.sentence)
        return show_form(request, form, status=422)
    return show_check(request, terms, data["client_order_id"], data["purpose"])


def show_check(
    request: Request, terms: drafting.Quote, client_order_id: str, purpose: str, refusal: str = "", status: int = 200
) -> HttpResponse:
    """The page before money moves: total, balance after, who must approve, warnings."""
    back = urlencode(
        {
            "sku": terms.mapping.sku.code,
            "supplier": terms.mapping.account.code,
            "quantity": str(terms.quantity),
            "client_order_id": client_order_id,
            "purpose": purpose,
        }
    )
    context = {
        "terms": terms,
        "client_order_id": client_order_id,
        "purpose": purpose,
        "refusal": refusal,
        "back_url": f"{reverse('orders:order_new')}?{back}",
    }
    return render(request, "orders/order_check.html", context, status=status)


@requires(Permission.ORDER_CREATE)
@require_POST
@once
def order_place(request: Request) -> HttpResponse:
    """Make the order and send it on, or show the check page again with what is wrong; nothing half-made stays."""
    mapping = get_object_or_404(
        Mapping.objects.select_related("sku", "product", "account"), pk=whole(request.POST.get("mapping"))
    )
    quantity, shown = whole(request.POST.get("quantity")), whole(request.POST.get("unit_cost"))
    client_order_id, purpose = request.POST.get("client_order_id", "")[:80], request.POST.get("purpose", "")[:500]
    try:
        with transaction.atomic():
            order = drafting.draft_order(
                by=request.user,
                mapping=mapping,
                quantity=quantity,
                client_order_id=client_order_id,
                purpose=purpose,
                shown_unit_cost_minor=shown,
            )
            drafting.submit_order(by=request.user, order=order)
    except DomainError as refusal:
        terms = drafting.quote(by=request.user, mapping=mapping, quantity=quantity)
        return show_check(request, terms, client_order_id, purpose, refusal.sentence, status=422)
    return see_other(request, "orders:order_detail", pk=order.pk)


def whole(text: str | None) -> int:
    """A whole number from a form field; 404 for anything else, since only a forged form sends it."""
    if not text or not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Http404
    return int(text)


@requires(Permission.ORDER_CREATE)
@require_POST
@once
def order_submit(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Send a draft on again, for example after it was sent back, or at the higher price the page showed."""
    shown = request.POST.get("unit_cost")
    order = get_order(pk)
    drafting.submit_order(by=request.user, order=order, shown_unit_cost_minor=whole(shown) if shown else None)
    return see_other(request, "orders:order_detail", pk=pk)


@requires(Permission.ORDER_CREATE)
@require_http_methods(["GET", "POST"])
@once
def order_quantity(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Change how many codes a draft is for; it is priced anew, and the page says at what."""
    order = get_order(pk)
    policies.check_own_draft(request.user, order)
    policies.check_is_draft(order)
    form = QuantityForm(request.POST or None, initial={"quantity": order.quantity})
    if request.method == "POST" and form.is_valid():
        try:
            terms = drafting.change_quantity(by=request.user, order=order, quantity=form.cleaned_data["quantity"])
        except Refused as refusal:
            form.add_error("quantity", refusal.sentence)
        else:
            each, most = (amount_text(minor, terms.currency) for minor in (terms.unit_cost_minor, terms.total_minor))
            messages.success(request, f"{terms.quantity} at {each} each, {most} at most. Nothing is ordered yet.")
            return see_other(request, "orders:order_detail", pk=pk)
    template = "orders/_quantity_dialog.html" if is_fragment(request) else "orders/order_quantity.html"
    return render(request, template, {"order": order, "form": form}, status=422 if form.is_bound else 200)


@requires(Permission.ORDER_CREATE)
@require_POST
@once
def order_withdraw(request: Request, pk: uuid.UUID) -> HttpResponse:
    drafting.withdraw_order(by=request.user, order=get_order(pk))
    return see_other(request, "orders:order_detail", pk=pk)


@requires(Permission.ORDER_CREATE, Permission.ORDER_APPROVE)
@require_http_methods(["GET", "POST"])
@once
def order_cancel(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Ask why, then cancel; refused once the order is being sent."""
    order = get_order(pk)
    policies.check_can_cancel(request.user, order)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        drafting.cancel_order(by=request.user, order=order, reason=form.cleaned_data["reason"])
        return see_other(request, "orders:order_detail", pk=pk)
    template = "orders/_cancel_dialog.html" if is_fragment(request) else "orders/order_cancel.html"
    return render(request, template, {"order": order, "form": form}, status=422 if form.is_bound else 200)


@requires(Permission.ORDER_CREATE, Permission.CASE_WORK)
@require_POST
def order_look(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Ask the supplier sooner than planned; the work loop does it, the page says so."""
    note_retry_by_person(get_order(pk), request.user)
    messages.success(request, "The supplier is being asked now. Reload the page in a few seconds.")
    return see_other(request, "orders:order_detail", pk=pk)
