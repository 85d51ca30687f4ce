"""One case: open it, read it, work it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.audit.services import record
from procurement.claims import case_page, packets, policies, queries
from procurement.claims.facts import facts_of, rule_of, verdict_of
from procurement.claims.forms import (
    RULE,
    CaseForm,
    ErrorTextForm,
    FindForm,
    NoteForm,
    OverruleForm,
    RegionForm,
    WhyForm,
    region_choices,
)
from procurement.claims.models import Case
from procurement.claims.services import cases
from procurement.claims.verdict import needs_account_region
from procurement.errors import DomainError, Missing
from procurement.orders.models import Code, Order
from procurement.orders.services.revealing import reveals_left
from procurement.orders.trail import trail_of
from procurement.staff.access import may, requires
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.http import Request, is_fragment, never_keep, see_other
from procurement.web.once import once

OPENERS = (Permission.CASE_WORK, Permission.CLAIM_FILE)


def get_case(pk: int) -> Case:
    try:
        return queries.case_for_page(pk)
    except Case.DoesNotExist:
        raise Missing(f"There is no case C-{pk}. Nothing was changed. Search for the order or the code.") from None


def case_as_seen(request: Request, pk: int) -> Case:
    """The case under the version the person's page showed, so that a stale page changes nothing."""
    case = get_case(pk)
    version = request.POST.get("version", "")
    if version.isascii() and version.isdigit() and len(version) < 9:
        case.version = int(version)
    return case


# Opening


@never_keep
@requires(*OPENERS)
@require_http_methods(["GET", "POST"])
def case_find(request: Request) -> HttpResponse:
    """Find what the customer writes about; a single hit leads straight to the form."""
    form = FindForm(request.POST or None)
    found = None
    if request.method == "POST" and form.is_valid():
        found = queries.find(form.cleaned_data["find"])
        if queries.is_full_code(form.cleaned_data["find"]):
            record("code.searched", by=request.user, subject=request.user, found=len(found))
        if len(found) == 1:
            return see_other(request, new_url(found[0].order, found[0].code))
    rows = [(hit, new_url(hit.order, hit.code)) for hit in found or []]
    status = 422 if form.is_bound and not rows else 200
    return render(
        request, "claims/case_find.html", {"form": form, "rows": rows, "searched": found is not None}, status=status
    )


def new_url(order: Order, code: Code | None) -> str:
    query = {"code": str(code.pk)} if code else {"order": str(order.pk)}
    return f"{reverse('claims:case_new')}?{urlencode(query)}"


@requires(*OPENERS)
@require_http_methods(["GET", "POST"])
@once
def case_new(request: Request) -> HttpResponse:
    """Open a case for `?code=` or `?order=`; a code with an open case leads to that one."""
    code, order = meant(request)
    if order is None:
        return see_other(request, "claims:case_find")
    present = queries.open_case_for(code) if code else None
    if present:
        messages.info(request, f"{present} is open for this code already. No second case was opened.")
        return see_other(request, "claims:case_detail", pk=present.pk)
    codes = [code] if code else list(order.codes.order_by("position")[:100])
    initial = {"code": str(code.pk), "customer_order": code.customer_order} if code else {}
    form = CaseForm(request.POST or None, order=order, codes=codes, initial=initial)
    if request.method == "POST" and form.is_valid():
        case = opened(request.user, order, codes, form)
        if case:
            return see_other(request, "claims:case_detail", pk=case.pk)
    context = {"form": form, "order": order, "code": code, "regions": region_choices()}
    return render(request, "claims/case_new.html", context, status=422 if form.is_bound else 200)


def meant(request: Request) -> tuple[Code | None, Order | None]:
    """The code or order the address names; nothing for an address that names neither."""
    code_id, order_id = as_uuid(request.GET.get("code", "")), as_uuid(request.GET.get("order", ""))
    if code_id:
        code = Code.objects.select_related("order__account", "account").filter(pk=code_id).first()
        return code, code.order if code else None
    return None, Order.objects.select_related("account").filter(pk=order_id).first() if order_id else None


def as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def opened(user: User, order: Order, codes: list[Code], form: CaseForm) -> Case | None:
    """The new case; None with the refusal on the form."""
    data = form.cleaned_data
    chosen = next((code for code in codes if str(code.pk) == data.get("code")), None)
    try:
        return cases.open_case(
            by=user,
            order=order,
            code=chosen,
            customer_order=data["customer_order"],
            error_text=data["error_text"],
            account_region=data["account_region"],
        )
    except DomainError as refusal:
        form.add_error(None, refusal.sentence)
        return None


# Reading


@requires(Permission.CASE_VIEW)
@require_GET
def case_detail(request: Request, pk: int) -> HttpResponse:
    """Whose fault it is and what to do next, then the proof, the code, the clock, the message and the story."""
    return show_case(request, get_case(pk))


def show_case(
    request: Request, case: Case, *, region: RegionForm | None = None, error: ErrorTextForm | None = None
) -> HttpResponse:
    """The case page; a form that was refused is shown again with what was typed, as 422."""
    user, found = request.user, verdict_of(case)
    may_reveal = case.code is not None and may(user, Permission.CODE_REVEAL)
    mine = case.owner_id == user.pk or may(user, Permission.CODE_REVEAL_BY_ORDER)
    claim, trail = queries.latest_claim_of(case), trail_of(case.code) if case.code else None
    letters = case_page.letters(case, found)
    context = {
        "case": case,
        "found": found,
        "overruled_rule": rule_of(case) if case.overruled else None,
        "cells": case_page.strip(case, found),
        "claim": claim,
        "replacement": claim.replacement if claim else None,
        "why_not": policies.why_not_file(user, case) if may(user, Permission.CLAIM_FILE) else "",
        "late": packets.late_request(case) if case.code and not queries.window_is_open(case) else "",
        "question": packets.question(case) if found.action == "ask_supplier" else "",
        "letter": letters[0],
        "letters": letters[1:],
        "evidence": case_page.evidence(case, trail),
        "entries": queries.timeline(case),
        "related": queries.related_cases(case),
        "trail": trail,
        "reveals_left": reveals_left(user).now if may_reveal else None,
        "may_reveal": may_reveal and case.is_open and mine,
        "reveal_ground": f"case:{case.pk}",
        "reveal_reason": f"Case {case}: the customer reports a fault",
        "replace_purpose": f"Replacement at our cost for {case}",
        "asks_region": case.code is not None and needs_account_region(facts_of(case)),
        "region_form": region or RegionForm(initial={"region": case.account_region}),
        "error_form": error or ErrorTextForm(initial={"error_text": case.error_text}),
        "regions": region_choices(),
        **rights(user, case),
    }
    return render(request, "claims/case_detail.html", context, status=422 if region or error else 200)


def rights(user: User, case: Case) -> dict[str, bool]:
    """What this person may do with this case now."""
    works = may(user, Permission.CASE_WORK)
    return {
        "works": works and case.is_open,
        "may_reopen": works and case.state != "todo",
        "may_file": may(user, Permission.CLAIM_FILE) and case.is_open,
        "may_order": may(user, Permission.ORDER_CREATE),
        "is_mine": case.owner_id == user.pk,
    }


# Working


@requires(Permission.CASE_WORK)
@require_POST
@once
def case_take(request: Request, pk: int) -> HttpResponse:
    cases.take_case(by=request.user, case=case_as_seen(request, pk))
    return see_other(request, "claims:case_detail", pk=pk)


@requires(Permission.CASE_WORK)
@require_POST
@once
def case_region(request: Request, pk: int) -> HttpResponse:
    """Note the account's country; a refusal shows the case again with what was typed."""
    form = RegionForm(request.POST)
    if done(
        form,
        lambda data: cases.set_account_region(by=request.user, case=case_as_seen(request, pk), region=data["region"]),
    ):
        return see_other(request, "claims:case_detail", pk=pk)
    return show_case(request, get_case(pk), region=form)


@requires(Permission.CASE_WORK)
@require_POST
@once
def case_error(request: Request, pk: int) -> HttpResponse:
    """Note the error text; a refusal shows the case again with what was typed."""
    form = ErrorTextForm(request.POST)
    if done(
        form,
        lambda data: cases.set_error_text(by=request.user, case=case_as_seen(request, pk), text=data["error_text"]),
    ):
        return see_other(request, f"{reverse('claims:case_detail', args=[pk])}#evidence")
    return show_case(request, get_case(pk), error=form)


@requires(Permission.CASE_WORK)
@require_POST
@once
def case_message(request: Request, pk: int) -> HttpResponse:
    """The agent copied a message: note it."""
    cases.note_message_copied(by=request.user, case=case_as_seen(request, pk), message=request.POST.get("message", ""))
    messages.success(request, "Noted: the message was sent to the customer.")
    return see_other(request, "claims:case_detail", pk=pk)


def done(form: forms.Form, action: Callable[[dict[str, Any]], None]) -> bool:
    """Run `action` with a valid form's data; False, with what is wrong on the form, so that nothing typed is lost."""
    if not form.is_valid():
        return False
    try:
        action(form.cleaned_data)
    except DomainError as refusal:
        form.add_error(None, refusal.sentence)
        return False
    return True


@dataclass(frozen=True)
class Act:
    """A step that asks for a word first: its page or dialog."""

    title: str
    lead: str
    button: str
    kind: str = "primary"


def act(request: Request, case: Case, form: forms.Form, about: Act) -> HttpResponse:
    template = (
        "claims/_case_act_dialog.html" if is_fragment(request) and request.method == "GET" else "claims/case_act.html"
    )
    context = {"case": case, "form": form, "act": about, "title": about.title, "consequence": about.lead}
    return render(request, template, context, status=422 if form.is_bound else 200)


@requires(Permission.CASE_WORK)
@require_http_methods(["GET", "POST"])
@once
def case_overrule(request: Request, pk: int) -> HttpResponse:
    """Choose another verdict, with a reason."""
    case = case_as_seen(request, pk)
    form = OverruleForm(request.POST or None, initial={"verdict": case.overruled or RULE})
    if done(form, lambda data: cases.overrule_verdict(by=request.user, case=case, **data)):
        return see_other(request, "claims:case_detail", pk=pk)
    about = Act("Overrule the verdict", f"The rule says: {rule_of(case).sentence}", "Overrule")
    return act(request, get_case(pk), form, about)


@requires(Permission.CASE_WORK)
@require_http_methods(["GET", "POST"])
@once
def case_solve(request: Request, pk: int) -> HttpResponse:
    case = case_as_seen(request, pk)
    form = NoteForm(request.POST or None)
    if done(form, lambda data: cases.solve_case(by=request.user, case=case, note=data["reason"])):
        return see_other(request, "claims:case_detail", pk=pk)
    return act(
        request,
        get_case(pk),
        form,
        Act("Mark as solved", "The customer is served. The case can be opened again.", "Mark as solved"),
    )


@requires(Permission.CASE_WORK)
@require_http_methods(["GET", "POST"])
@once
def case_close(request: Request, pk: int) -> HttpResponse:
    case = case_as_seen(request, pk)
    form = WhyForm(request.POST or None)
    if done(form, lambda data: cases.close_case(by=request.user, case=case, reason=data["reason"])):
        return see_other(request, "claims:case_detail", pk=pk)
    return act(
        request,
        get_case(pk),
        form,
        Act("Close the case", "Nothing recorded is lost. The case can be opened again.", "Close case"),
    )


@requires(Permission.CASE_WORK)
@require_POST
@once
def case_reopen(request: Request, pk: int) -> HttpResponse:
    cases.reopen_case(by=request.user, case=case_as_seen(request, pk))
    return see_other(request, "claims:case_detail", pk=pk)
