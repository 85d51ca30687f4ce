"""Handing codes over: one to a customer order, or many in a file that two people stand for (R65)."""

from __future__ import annotations

import uuid

from django import forms
from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.errors import DomainError, Missing
from procurement.orders.custody import DeliveryFile
from procurement.orders.forms import CustomerOrderForm, DeliveryForm, PassphraseForm
from procurement.orders.services import handing_over
from procurement.orders.views.codes import get_code, not_kept
from procurement.orders.views.pages import get_order
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.staff.stepping_up import stepped_up
from procurement.vault import Secret
from procurement.web.http import Request, is_fragment, never_keep, see_other
from procurement.web.lists import Column, ListSpec, Tab, list_page
from procurement.web.once import once


@requires(Permission.CODE_DELIVER)
@require_http_methods(["GET", "POST"])
@once
def code_hand_over(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Assign one code to a customer order; nobody sees it."""
    code = get_code(pk)
    form = CustomerOrderForm(request.POST or None, initial={"customer_order": code.customer_order})
    if form.is_valid():
        try:
            handing_over.hand_over_code(by=request.user, code=code, customer_order=form.cleaned_data["customer_order"])
        except DomainError as refusal:
            form.add_error("customer_order", refusal.sentence)
        else:
            messages.success(request, f"The code ending {code.last4} is handed over to {code.customer_order}.")
            return see_other(request, "orders:order_detail", pk=code.order_id)
    dialog = is_fragment(request) and request.method == "GET"
    context = {"code": code, "form": form, "title": f"Hand over the code ending {code.last4}"}
    template = "orders/_hand_over_dialog.html" if dialog else "orders/code_hand_over.html"
    return render(request, template, context, status=422 if form.is_bound else 200)


@requires(Permission.CODE_DELIVER)
@require_http_methods(["GET", "POST"])
@once
def order_deliver(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Ask for a file with codes of one order."""
    order, form = get_order(pk), DeliveryForm(request.POST or None)
    if form.is_valid():
        lines = form.cleaned_data["customer_orders"].splitlines()
        try:
            file = handing_over.request_file(
                by=request.user, order=order, customer_orders=lines, reason=form.cleaned_data["reason"]
            )
        except DomainError as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, "Asked for. Another person releases it; no code has moved yet.")
            return see_other(request, "orders:delivery_detail", pk=file.pk)
    free = order.codes.filter(state="stored", customer_order="").count()
    context = {"order": order, "form": form, "free": free}
    return render(request, "orders/delivery_new.html", context, status=422 if form.is_bound else 200)


FILES: ListSpec[DeliveryFile] = ListSpec(
    noun="delivery file",
    nouns="delivery files",
    sorts={"asked": ["requested_at"]},
    default_sort="-asked",
    tabs=[
        Tab("all", "All"),
        Tab("waiting", "Needs release", Q(state="requested"), counted=True),
        Tab("fetched", "Fetched", Q(state="fetched")),
    ],
    columns=[
        Column("order", lambda file: str(file.order)),
        Column("codes", lambda file: file.count),
        Column("status", lambda file: file.status.label),
        Column("asked for by", lambda file: str(file.requested_by)),
        Column("asked", lambda file: file.requested_at.isoformat()),
        Column("decided by", lambda file: str(file.decided_by or "")),
        Column("fetched", lambda file: file.fetched_at and file.fetched_at.isoformat()),
        Column("sha256", lambda file: file.sha256),
    ],
    export_permission=Permission.ORDER_VIEW,
)


@requires(Permission.ORDER_VIEW)
@require_GET
def delivery_list(request: Request) -> HttpResponseBase:
    """All delivery files with their count, time and checksum, newest first."""

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"delivery files ({filters})", rows=count)

    rows = DeliveryFile.objects.select_related("order", "requested_by", "decided_by")
    return list_page(request, FILES, rows, "orders/delivery_list.html", on_export=on_export)


def get_file(pk: uuid.UUID) -> DeliveryFile:
    found = DeliveryFile.objects.select_related("order__account", "requested_by", "decided_by").filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such delivery file. Nothing was changed. Look at the list of them.")
    return found


@requires(Permission.ORDER_VIEW)
@require_GET
def delivery_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    return show_file(request, get_file(pk), PassphraseForm())


def show_file(request: Request, file: DeliveryFile, form: forms.Form, status: int = 200) -> HttpResponse:
    """Which code goes to which customer order, who stands for it, and what this person may do with it."""
    user, mine = request.user, file.requested_by_id == request.user.pk
    releases, is_open = may(user, Permission.CODE_RELEASE), file.state in {"requested", "released"}
    context = {
        "file": file,
        "lines": file.lines.select_related("code").order_by("id"),
        "form": form,
        "may_release": file.state == "requested" and releases and not mine,
        "may_decline": is_open and (releases or mine),
        "may_fetch": file.state == "released" and mine,
        "others": people_with(Permission.CODE_RELEASE, but=file.requested_by) if file.state == "requested" else [],
        "entries": timeline_for(file),
    }
    return render(request, "orders/delivery_detail.html", context, status=status)


@requires(Permission.CODE_RELEASE)
@require_POST
@stepped_up
@once
def delivery_release(request: Request, pk: uuid.UUID) -> HttpResponse:
    handing_over.release_file(by=request.user, file=get_file(pk))
    return see_other(request, "orders:delivery_detail", pk=pk)


@requires(Permission.CODE_DELIVER, Permission.CODE_RELEASE)
@require_POST
@once
def delivery_decline(request: Request, pk: uuid.UUID) -> HttpResponse:
    handing_over.decline_file(by=request.user, file=get_file(pk))
    return see_other(request, "orders:delivery_detail", pk=pk)


@never_keep
@requires(Permission.CODE_DELIVER)
@require_POST
@stepped_up
@once
def delivery_fetch(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The encrypted file, once; a refusal shows the page again without the passphrase."""
    file, form = get_file(pk), PassphraseForm(request.POST)
    if form.is_valid():
        try:
            blob = handing_over.fetch_file(
                by=request.user, file=file, passphrase=Secret(form.cleaned_data["passphrase"])
            )
        except DomainError as refusal:
            form.add_error(None, refusal.sentence)
            return show_file(request, file, form, refusal.status)
        response = HttpResponse(blob, content_type="application/octet-stream")
        response["Content-Disposition"] = f'attachment; filename="delivery-{file.order}-{str(file.pk)[:8]}.csdf"'
        return not_kept(response)
    return show_file(request, file, form, 422)
