"""Codes that came by hand: bringing them, and the second person's word."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.audit.queries import timeline_for
from procurement.errors import DomainError, Missing
from procurement.orders.custody import CodeImport
from procurement.orders.forms import BringInForm
from procurement.orders.services import bringing_in
from procurement.orders.views.pages import get_order
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.staff.stepping_up import stepped_up
from procurement.vault import Secret
from procurement.web.http import Request, never_keep, see_other
from procurement.web.once import once


@never_keep
@requires(Permission.CODE_DELIVER)
@require_http_methods(["GET", "POST"])
@stepped_up
@once
def order_bring_in(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Upload codes of one order; a refusal shows the form again without them."""
    order = get_order(pk)
    form = BringInForm(request.POST, request.FILES) if request.method == "POST" else BringInForm()
    if form.is_valid():
        data = form.cleaned_data
        content = data["file"].read() if data["file"] else data["table"].encode()
        passphrase = Secret(data["passphrase"]) if data["passphrase"] else None
        try:
            batch = bringing_in.upload_codes(
                by=request.user, order=order, content=content, source=data["source"], passphrase=passphrase
            )
        except DomainError as refusal:
            # What was typed does not come back: it is codes.
            form = BringInForm({"source": data["source"]})
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, "Sealed. Another person takes them in; nothing is in stock yet.")
            return see_other(request, "orders:import_detail", pk=batch.pk)
    elif form.is_bound:
        wrong_file = form.errors.get("file")
        form = BringInForm({"source": request.POST.get("source", "")})
        form.add_error("file", wrong_file) if wrong_file else form.add_error(
            "source", "Say how the codes came, and give them again: they were not kept."
        )
    context = {"order": order, "form": form, "missing": order.quantity - order.codes.count()}
    return render(request, "orders/bring_in.html", context, status=422 if form.is_bound else 200)


def get_import(pk: uuid.UUID) -> CodeImport:
    found = CodeImport.objects.select_related("order__account", "uploaded_by", "decided_by").filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such import. Nothing was changed. Look at its order.")
    return found


@requires(Permission.ORDER_VIEW)
@require_GET
def import_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """What came, how, and who may take it in; each code by its last four."""
    batch = get_import(pk)
    mine, releases = batch.uploaded_by_id == request.user.pk, may(request.user, Permission.CODE_RELEASE)
    is_open = batch.state == "uploaded"
    context = {
        "batch": batch,
        "codes": batch.codes.order_by("position"),
        "may_take_in": is_open and releases and not mine,
        "may_decline": is_open and (releases or mine),
        "others": people_with(Permission.CODE_RELEASE, but=batch.uploaded_by) if is_open else [],
        "entries": timeline_for(batch),
    }
    return render(request, "orders/import_detail.html", context)


@requires(Permission.CODE_RELEASE)
@require_POST
@stepped_up
@once
def import_take_in(request: Request, pk: uuid.UUID) -> HttpResponse:
    batch = get_import(pk)
    bringing_in.take_in_import(by=request.user, batch=batch)
    return see_other(request, "orders:order_detail", pk=batch.order_id)


@requires(Permission.CODE_DELIVER, Permission.CODE_RELEASE)
@require_POST
@once
def import_decline(request: Request, pk: uuid.UUID) -> HttpResponse:
    bringing_in.decline_import(by=request.user, batch=get_import(pk))
    return see_other(request, "orders:import_detail", pk=pk)
