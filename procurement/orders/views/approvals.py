"""The manager's queue and the one page on which a purchase is decided."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.approvals.models import ApprovalRequest
from procurement.approvals.policies import check_can_decide, check_open
from procurement.bookkeeping import postings
from procurement.bookkeeping.volume import gate_of
from procurement.errors import DomainError, Missing
from procurement.orders import queries
from procurement.orders.models import Order
from procurement.orders.services import approving, drafting
from procurement.staff.access import may, requires
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.lists import Filter, ListSpec, Tab, list_page
from procurement.web.nav import nav_count
from procurement.web.once import once

DECISIONS: dict[str, tuple[Callable[..., None], str]] = {
    "approve": (approving.approve_order, "Approved {order}; it goes out now."),
    "reject": (approving.reject_order, "Rejected {order}."),
    "send_back": (approving.send_back_order, "Sent {order} back to the buyer."),
}
FROZEN = {"account": "Supplier account", "client_order_id": "Storefront order id"}


@nav_count("approvals:request_list")
def waiting_for(user: User) -> int:
    """Open requests this person may decide."""
    if not may(user, Permission.ORDER_APPROVE):
        return 0
    return ApprovalRequest.objects.filter(state="open").exclude(requested_by=user).count()


def request_list_spec(user: User) -> ListSpec[ApprovalRequest]:
    return ListSpec(
        noun="request",
        nouns="requests",
        sorts={"waiting": ["requested_at"], "amount": ["amount_minor"]},
        default_sort="waiting",
        tabs=[
            Tab("mine", "For me", Q(state="open") & ~Q(requested_by=user), counted=True),
            Tab("others", "Waiting on others", Q(state="open", requested_by=user)),
            Tab("decided", "Decided", ~Q(state="open")),
        ],
        filters=[
            Filter(
                "q",
                "Search",
                lambda rows, text: rows.filter(subject_label__icontains=text),
                kind="text",
                placeholder="Order id",
            )
        ],
    )


@requires(Permission.APPROVAL_VIEW)
@require_GET
def request_list(request: Request) -> HttpResponseBase:
    """What waits for a decision, oldest first."""
    spec = request_list_spec(request.user)
    return list_page(request, spec, queries.approvals_for_list(), "approvals/request_list.html")


def get_request(pk: uuid.UUID) -> tuple[ApprovalRequest, Order]:
    found = queries.approvals_for_list().filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such request. Nothing was changed.")
    return found, queries.order_for_page(found.subject_id)


def obstacle_for(user: User, question: ApprovalRequest) -> str:
    """Why this person can't decide this request now, as the sentence the page shows instead of buttons; empty if they can."""
    try:
        check_can_decide(user, question)
        check_open(question, question.content_hash)
    except DomainError as refusal:
        return refusal.sentence
    return ""


@requires(Permission.APPROVAL_VIEW)
@require_GET
def request_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Everything that matters for the decision on one screen."""
    question, order = get_request(pk)
    return show_request(request, question, order)


def show_request(
    request: Request, question: ApprovalRequest, order: Order, refusal: str = "", status: int = 200
) -> HttpResponse:
    free = postings.free_balance(order.account.code, order.cost_currency)
    context = {
        "question": question,
        "order": order,
        "what": queries.what(order),
        "cells": queries.strip(order)[:2],
        "refusal": refusal,
        "obstacle": obstacle_for(request.user, question),
        "free": free,
        "free_after": free - question.amount_minor,
        "gate": gate_of(order.account, order.cost_currency),
        "spent_today": drafting.spent_today(question.requested_by, order.cost_currency),
        "past": queries.price_past(order),
        "warnings": drafting.warnings(order.mapping, order.quantity, but=order),
        "others": queries.latest_orders_of(question.requested_by, but=order),
        "frozen": [
            (FROZEN.get(key, key.replace("_", " ").capitalize()), value) for key, value in question.content.items()
        ],
        "entries": queries.timeline(order, with_cost=True),
    }
    return render(request, "approvals/request_detail.html", context, status=status)


@requires(Permission.ORDER_APPROVE)
@require_POST
@once
def request_decide(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Approve, reject or send back exactly what was shown; the form carries the hash of it."""
    question, order = get_request(pk)
    decide, said = DECISIONS.get(request.POST.get("decision", ""), (None, ""))
    if decide is None:
        raise Missing("Choose Approve, Send back or Reject. Nothing was decided.")
    reason = request.POST.get("reason", "")[:500]
    if request.POST["decision"] != "approve" and not reason.strip() and not obstacle_for(request.user, question):
        refusal = "Say why in a few words: the buyer reads it. Nothing was decided."
        return show_request(request, question, order, refusal, status=422)
    decide(by=request.user, order=order, shown_hash=request.POST.get("shown", ""), reason=reason)
    messages.success(request, said.format(order=order))
    following = (
        ApprovalRequest.objects.filter(state="open").exclude(requested_by=request.user).order_by("requested_at").first()
    )
    if following:
        return see_other(request, "approvals:request_detail", pk=following.pk)
    return see_other(request, "approvals:request_list")
