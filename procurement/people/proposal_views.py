"""Proposals of two administrators, and the limits from which a purchase needs a manager."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from ledger.money import format_amount
from procurement.audit.queries import timeline_for
from procurement.errors import DomainError, Missing, Refused
from procurement.people import proposals, queries
from procurement.people.forms import LimitsForm
from procurement.people.kinds import APPROVAL_RULE, KINDS
from procurement.people.models import Proposal
from procurement.people.states import OPEN
from procurement.staff.access import may, requires
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.staff.stepping_up import stepped_up
from procurement.web.http import Request, see_other
from procurement.web.lists import ListSpec, Tab, list_page
from procurement.web.once import once

PROPOSALS: ListSpec[Proposal] = ListSpec(
    noun="proposal",
    nouns="proposals",
    sorts={"since": ["-proposed_at"]},
    default_sort="since",
    tabs=[Tab("open", "To be confirmed", Q(state=OPEN), counted=True), Tab("decided", "Decided", ~Q(state=OPEN))],
)
READERS = (Permission.PEOPLE_MANAGE, Permission.AUDIT_VIEW)


@requires(*READERS)
@require_GET
def proposal_list(request: Request) -> HttpResponseBase:
    """What waits for a second administrator, and what was decided."""
    return list_page(request, PROPOSALS, queries.proposals_for_list(), "people/proposal_list.html", {"kinds": KINDS})


def get_proposal(pk: uuid.UUID) -> Proposal:
    found = queries.proposals_for_list().filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such proposal. Nothing was changed.")
    return found


def obstacle_for(user: User, proposal: Proposal) -> str:
    """Why this person can't decide this proposal, as the sentence shown instead of buttons; empty if they can."""
    try:
        proposals.check_may_decide(user, proposal)
        proposals.check_open(proposal)
    except DomainError as refusal:
        return refusal.sentence
    return ""


@requires(*READERS)
@require_GET
def proposal_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Before and after, who proposes it and why, and the decision."""
    return show_proposal(request, get_proposal(pk))


def show_proposal(request: Request, proposal: Proposal, refusal: str = "") -> HttpResponse:
    kind = KINDS[proposal.kind]
    before, after = (kind.words(proposal.about, content) for content in (proposal.before, proposal.after))
    context = {
        "proposal": proposal,
        "kind": kind,
        "rows": [(label, old, new) for (label, old), (_, new) in zip(before, after, strict=True)],
        "preview": preview_of(proposal),
        "obstacle": obstacle_for(request.user, proposal),
        "may_withdraw": proposal.is_open and proposal.proposed_by == request.user,
        "refusal": refusal,
        "entries": timeline_for(proposal),
    }
    return render(request, "people/proposal_detail.html", context, status=422 if refusal else 200)


def preview_of(proposal: Proposal) -> tuple[int, int] | None:
    """How many orders of the last 30 days needed a manager by the limits before, and would by those after."""
    if proposal.kind != APPROVAL_RULE:
        return None
    old, new = (queries.would_have_needed(proposal.about, **content) for content in (proposal.before, proposal.after))
    return old, new


DECISIONS: dict[str, tuple[Callable[[User, Proposal, str], None], str]] = {
    "confirm": (lambda by, it, reason: proposals.confirm(by=by, proposal=it), "Confirmed, and done."),
    "decline": (
        lambda by, it, reason: proposals.decline(by=by, proposal=it, reason=reason),
        "Declined. Nothing changed.",
    ),
    "withdraw": (lambda by, it, reason: proposals.withdraw(by=by, proposal=it), "Taken back. Nothing changed."),
}


@requires(Permission.PEOPLE_MANAGE)
@require_POST
@stepped_up
@once
def proposal_decide(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Confirm, decline or take back."""
    proposal = get_proposal(pk)
    act, said = DECISIONS.get(request.POST.get("decision", ""), (None, ""))
    if act is None:
        raise Missing("Choose Confirm, Decline or Take back. Nothing was decided.")
    try:
        act(request.user, proposal, request.POST.get("reason", ""))
    except Refused as refusal:
        return show_proposal(request, proposal, refusal.sentence)
    messages.success(request, said)
    return see_other(request, "people:proposal_detail", pk=pk)


@requires(*READERS)
@require_GET
def limits_list(request: Request) -> HttpResponse:
    """From which amount a purchase needs a manager, in each currency, in sentences."""
    rows = [
        (one, queries.open_proposals().filter(kind=APPROVAL_RULE, about=one.currency).first())
        for one in queries.all_limits()
    ]
    return render(request, "people/limits_list.html", {"rows": rows, "may_change": may(request.user, READERS[0])})


@requires(Permission.PEOPLE_MANAGE)
@once
def limits_change(request: Request, currency: str) -> HttpResponse:
    """Propose other limits for one currency."""
    if currency not in queries.currencies():
        raise Missing(f"Nothing is bought in {currency[:3]} here. Nothing was changed.")
    now = {
        name: format_amount(minor, currency) for name, minor in zip(("order", "daily"), current(currency), strict=True)
    }
    initial = {f"{name}_limit": text for name, text in now.items()}
    form = LimitsForm(request.POST or None, currency=currency, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        after = {name: data[name] for name in ("order_limit_minor", "daily_limit_minor")}
        try:
            made = proposals.propose(
                by=request.user, kind=APPROVAL_RULE, about=currency, after=after, reason=data["reason"]
            )
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, "Proposed. The limits stay until another administrator confirms it.")
            return see_other(request, "people:proposal_detail", pk=made.pk)
    context = {"form": form, "currency": currency, "needed": queries.would_have_needed(currency, *current(currency))}
    return render(request, "people/limits_change.html", context, status=422 if form.errors else 200)


def current(currency: str) -> tuple[int, int]:
    now = KINDS[APPROVAL_RULE].now(currency)
    return now["order_limit_minor"], now["daily_limit_minor"]
