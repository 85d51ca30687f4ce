"""The desk of unconfirmed orders: the list, the evidence sheet of one, and the orders nobody claims."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.errors import Missing
from procurement.orders import queries, sheet, standing, unclaimed, unconfirmed
from procurement.orders.asking import question_to_supplier
from procurement.orders.evidence import Evidence, evidence_of
from procurement.orders.models import Order
from procurement.orders.services.asking import note_supplier_contact
from procurement.orders.states import UNCONFIRMED
from procurement.orders.views.pages import get_order
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.web.http import Request, see_other
from procurement.web.lists import Filter, ListSpec, build_listing
from procurement.web.once import once

LIST: ListSpec[Order] = ListSpec(
    noun="unconfirmed order",
    nouns="unconfirmed orders",
    sorts={"sent": ["sent_at", "created_at"]},
    default_sort="sent",
    filters=[
        Filter(
            "supplier",
            "Supplier",
            lambda rows, code: rows.filter(account__code=code),
            choices=lambda: list(SupplierAccount.objects.values_list("code", "name")),
        ),
    ],
)


@requires(Permission.ORDER_VIEW)
@require_GET
def unconfirmed_list(request: Request) -> HttpResponse:
    """Every order nobody is sure of, oldest first; then what suppliers hold of which we know no order."""
    listing = build_listing(request, LIST, unconfirmed.unconfirmed_orders())
    context = {
        "listing": listing,
        "rows": unconfirmed.rows_of(listing.rows, request.user),
        "incidents": unclaimed.lines_of(list(unclaimed.open_unclaimed()[: unclaimed.MOST_SHOWN])),
        "with_cost": may(request.user, Permission.COST_VIEW),
    }
    return render(request, "orders/unconfirmed_list.html", context)


@requires(Permission.ORDER_VIEW)
@require_GET
def unconfirmed_order(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Was it placed? Everything that may tell, what it would mean, and the verdict of two people."""
    return show_sheet(request, get_order(pk))


def show_sheet(request: Request, order: Order, refusal: str = "", status: int = 200) -> HttpResponse:
    """The evidence sheet; after a refused proposal with what was typed."""
    with_cost = may(request.user, Permission.COST_VIEW)
    attempts = queries.attempts_of(order, with_cost=with_cost)
    evidence = evidence_of(order)
    picture = sheet.picture_of(evidence)
    if picture is None:
        raise Missing(f"{order} never went to the supplier, so there is nothing to find out. Nothing was changed.")
    decision = unconfirmed.decision_of(order, request.user)
    choices = sheet.choices_of(evidence, decision.verdicts if decision else ())
    context = {
        "order": order,
        "what": queries.what(order),
        "answer": sheet.answer_of(evidence),
        "problem": order.problem if with_cost else queries.without_amounts(order.problem),
        "evidence": evidence,
        "balance_words": sheet.balance_words(evidence),
        "picture": picture,
        "candidates": [(one, sheet.compared(evidence, one, with_cost=with_cost)) for one in evidence.candidates],
        "typed": request.POST or {"remote_id": suggestion(request, evidence)},
        "refusal": refusal,
        "meanings": sheet.meanings_of(evidence) if sheet.is_doubtful(order) else [],
        "with_cost": with_cost,
        "decision": decision,
        "choices": choices,
        "anything_against": any(choice.against for choice in choices),
        "next": standing.next_step(order, None),
        "heard": standing.last_heard(order, [call for row in attempts for call in row.exchanges]),
        "attempts": attempts,
        "question": question_to_supplier(order, attempts),
        "may_note": order.state in UNCONFIRMED and may(request.user, *ASKERS),
        "entries": queries.timeline(order, with_cost=with_cost),
        "past": order.resolutions.exclude(state="open").select_related("proposed_by", "decided_by").order_by("pk"),
    }
    return render(request, "orders/unconfirmed_order.html", context, status=status)


def suggestion(request: Request, evidence: Evidence) -> str:
    """The supplier's order id that the form begins with: the one a link named, or the only one that fits."""
    known = [one.remote_id for one in evidence.candidates]
    fitting = [one.remote_id for one in evidence.fitting]
    asked = request.GET.get("bind", "")
    return asked if asked in known else fitting[0] if len(fitting) == 1 else ""


ASKERS = (Permission.CASE_WORK, Permission.RECONCILIATION_RUN)


@requires(*ASKERS)
@require_POST
@once
def supplier_note(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Keep the ticket of a question to the supplier, or its answer."""
    ticket, answer = request.POST.get("ticket", ""), request.POST.get("answer", "")
    note_supplier_contact(by=request.user, order=get_order(pk), ticket=ticket, answer=answer)
    messages.success(request, "Noted in the history. It decides nothing by itself.")
    return see_other(request, "orders:unconfirmed_order", pk=pk)
