"""The key room: what seals what, proposals to destroy a key, and erasing one code."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.queries import timeline_for
from procurement.custody import erasing, queries
from procurement.custody.forms import ReasonForm
from procurement.custody.models import Destruction
from procurement.errors import Missing, Refused
from procurement.orders.models import Code
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.staff.stepping_up import stepped_up
from procurement.vault.models import CryptoKey
from procurement.web.http import Request, see_other
from procurement.web.once import once


@requires(Permission.KEY_VIEW)
@require_GET
def key_list(request: Request) -> HttpResponse:
    """Keys by purpose, how far a rotation is, and what is proposed."""
    context = {"groups": queries.groups(), "proposals": queries.open_destructions()}
    return render(request, "custody/key_list.html", context)


def get_key(pk: int) -> CryptoKey:
    found = CryptoKey.objects.filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such key. Nothing was changed. Look at the list of keys.")
    return found


@requires(Permission.KEY_VIEW)
@require_GET
def key_detail(request: Request, pk: int) -> HttpResponse:
    """One key, and whether it may be destroyed."""
    return show_key(request, get_key(pk), ReasonForm())


def show_key(request: Request, key: CryptoKey, form: ReasonForm) -> HttpResponse:
    scope, why_not = queries.destructible(key)
    rows = key.destructions.select_related("proposed_by", "decided_by").order_by("-proposed_at")
    proposed = next((row for row in rows if row.state == "proposed"), None)
    manages = may(request.user, Permission.KEY_MANAGE)
    context = {
        "shown": queries.shown(key, queries.values_by_key()),
        "scope": scope,
        "why_not": why_not,
        "form": form,
        "may_propose": manages and scope is not None and proposed is None,
        "proposed": proposed,
        "may_decide": manages and proposed is not None,
        "mine": proposed is not None and proposed.proposed_by == request.user,
        "others": people_with(Permission.KEY_MANAGE, but=proposed.proposed_by) if proposed else [],
        "entries": [entry for row in rows for entry in timeline_for(row)],
    }
    return render(request, "custody/key_detail.html", context, status=422 if form.errors else 200)


@requires(Permission.KEY_MANAGE)
@require_POST
@stepped_up
@once
def key_propose(request: Request, pk: int) -> HttpResponse:
    """Ask another administrator to destroy it."""
    key, form = get_key(pk), ReasonForm(request.POST)
    if form.is_valid():
        try:
            erasing.propose_destruction(by=request.user, key=key, reason=form.cleaned_data["reason"])
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, "Proposed. Another administrator confirms it; nothing is erased yet.")
            return see_other(request, "custody:key_detail", pk=pk)
    return show_key(request, key, form)


def get_destruction(pk: int) -> Destruction:
    found = Destruction.objects.select_related("key", "proposed_by").filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such proposal. Nothing was changed. Look at the list of keys.")
    return found


@requires(Permission.KEY_MANAGE)
@require_POST
@stepped_up
@once
def destruction_confirm(request: Request, pk: int) -> HttpResponse:
    """Destroy the key that another administrator proposed."""
    row = get_destruction(pk)
    erasing.confirm_destruction(by=request.user, row=row)
    messages.success(request, "Destroyed. Backups follow with the next master key: docs/operations.md says how.")
    return see_other(request, "custody:key_detail", pk=row.key_id)


@requires(Permission.KEY_MANAGE)
@require_POST
@once
def destruction_decline(request: Request, pk: int) -> HttpResponse:
    """Disagree, or take one's own proposal back."""
    row = get_destruction(pk)
    erasing.decline_destruction(by=request.user, row=row)
    return see_other(request, "custody:key_detail", pk=row.key_id)


@requires(Permission.KEY_MANAGE)
@stepped_up
@once
def code_erase(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Erase one code after it was handed over; its last four and its record stay."""
    code = Code.objects.select_related("order", "account").filter(pk=pk).first()
    if code is None:
        raise Missing("There is no such code. Nothing was changed.")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            erasing.erase_code(by=request.user, code=code, reason=form.cleaned_data["reason"])
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, f"Erased. Of the code ending {code.last4} nothing but that is left.")
            return see_other(request, "orders:order_detail", pk=code.order_id)
    context = {"code": code, "form": form}
    return render(request, "custody/code_erase.html", context, status=422 if form.errors else 200)
