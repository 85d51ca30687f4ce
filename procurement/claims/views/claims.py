"""One claim: check it, file it, follow it, write its outcome down."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.claims import packets, policies, queries
from procurement.claims.facts import verdict_of
from procurement.claims.forms import ClaimForm, OutcomeForm, ReferenceForm, WhyForm
from procurement.claims.models import Claim
from procurement.claims.services import filing
from procurement.claims.services.outcomes import record_outcome
from procurement.claims.views.cases import case_as_seen, done
from procurement.claims.window import window_ends
from procurement.errors import Missing
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.clients import client_for
from procurement.terms.queries import line_of
from procurement.vault import Secret
from procurement.web.http import Request, never_keep, see_other
from procurement.web.once import once

SETTLERS = (Permission.CLAIM_FILE, Permission.DEPOSIT_RECORD)

WHAT_HAPPENED = {
    "filed": "The supplier has the claim. Send the customer the message below.",
    "draft": "The supplier could not be reached. The claim is saved and sent as soon as it answers; it counts as "
    "filed only then.",
    "unconfirmed": "The supplier did not answer. Nobody knows whether the claim arrived. Ask its support; do not "
    "file it again.",
    "refused": "The supplier did not take the claim.",
}


def get_claim(pk: uuid.UUID) -> Claim:
    try:
        return queries.claim_for_page(pk)
    except Claim.DoesNotExist:
        raise Missing("There is no such claim. Nothing was changed. Search for its case or its reference.") from None


@requires(Permission.CLAIM_FILE)
@require_http_methods(["GET", "POST"])
@once
def claim_new(request: Request, pk: int) -> HttpResponse:
    """Show what would be sent, then file it; a refusal keeps what was typed."""
    case = case_as_seen(request, pk)
    found = verdict_of(case)
    form = ClaimForm(request.POST or None, initial={"reason": found.claim_reason, "description": case.error_text})
    filed: list[Claim] = []
    if done(form, lambda data: filed.append(filing.file_claim(by=request.user, case=case, **data))):
        return after_filing(request, filed[0])
    context = {
        "case": case,
        "found": found,
        "form": form,
        "why_not": policies.why_not_file(request.user, case),
        "late": packets.late_request(case) if case.code and not queries.window_is_open(case) else "",
        "ends": window_ends(case.code) if case.code else None,
        "over_api": case.code is not None and client_for(case.code.account).takes_claims,
    }
    return render(request, "claims/claim_new.html", context, status=422 if form.is_bound else 200)


def after_filing(request: Request, claim: Claim) -> HttpResponse:
    """To the case when the supplier has it, else to the claim, which says what to do."""
    if claim.is_by_hand:
        messages.info(
            request,
            "The claim is prepared. Send the text below, then record the supplier's reference; it counts as "
            "filed only then.",
        )
        return see_other(request, "claims:claim_detail", pk=claim.pk)
    say = messages.success if claim.state == "filed" else messages.warning
    say(request, WHAT_HAPPENED[claim.state])
    if claim.state == "filed":
        return see_other(request, f"{reverse('claims:case_detail', args=[claim.case_id])}#message")
    return see_other(request, "claims:claim_detail", pk=claim.pk)


@requires(Permission.CASE_VIEW)
@require_GET
def claim_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Where the claim stands and what is to be done with it."""
    return show_claim(request, get_claim(pk))


def show_claim(
    request: Request,
    claim: Claim,
    *,
    outcome: OutcomeForm | None = None,
    reference: ReferenceForm | None = None,
    why: WhyForm | None = None,
) -> HttpResponse:
    """The claim's page; a form that was refused is shown again with what was typed, as 422."""
    files = may(request.user, Permission.CLAIM_FILE)
    in_hand = claim.state == "unconfirmed" or (claim.state == "draft" and claim.is_by_hand)
    with_credit = policies.may_record_credit(request.user)
    context = {
        "claim": claim,
        "case": claim.case,
        "support_response": line_of(claim.account, "support_response"),
        "packet": packets.claim_packet(claim) if claim.is_by_hand else "",
        "may_reference": files and in_hand,
        "may_switch": files and claim.state == "draft" and not claim.is_by_hand,
        "may_settle": claim.state == "filed" and may(request.user, *SETTLERS),
        "outcome_form": outcome or OutcomeForm(claim=claim, with_credit=with_credit),
        "reference_form": reference or ReferenceForm(),
        "why_form": why or WhyForm(),
        "with_cost": may(request.user, Permission.COST_VIEW),
        "entries": queries.claim_timeline(claim),
        "exchanges": queries.exchanges_of(claim),
    }
    return render(request, "claims/claim_detail.html", context, status=422 if outcome or reference or why else 200)


@requires(Permission.CLAIM_FILE)
@require_POST
@once
def claim_reference(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The claim was sent by hand, or proved to have arrived."""
    claim, form = get_claim(pk), ReferenceForm(request.POST)
    if done(form, lambda data: filing.record_manual_filing(by=request.user, claim=claim, **data)):
        messages.success(request, WHAT_HAPPENED["filed"])
        return see_other(request, f"{reverse('claims:case_detail', args=[claim.case_id])}#message")
    return show_claim(request, get_claim(pk), reference=form)


@requires(Permission.CLAIM_FILE)
@require_POST
@once
def claim_not_arrived(request: Request, pk: uuid.UUID) -> HttpResponse:
    """The claim did not arrive, or will not be sent."""
    claim, form = get_claim(pk), WhyForm(request.POST)
    if done(form, lambda data: filing.record_not_arrived(by=request.user, claim=claim, why=data["reason"])):
        return see_other(request, "claims:case_detail", pk=claim.case_id)
    return show_claim(request, get_claim(pk), why=form)


@requires(Permission.CLAIM_FILE)
@require_POST
@once
def claim_by_hand(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Take a queued claim out of the queue."""
    filing.switch_to_hand(by=request.user, claim=get_claim(pk))
    return see_other(request, "claims:claim_detail", pk=pk)


@never_keep
@requires(*SETTLERS)
@require_POST
@once
def claim_outcome(request: Request, pk: uuid.UUID) -> HttpResponse:
    """What the supplier decided; the replacement code goes straight to the vault."""
    claim = get_claim(pk)
    form = OutcomeForm(request.POST, claim=claim, with_credit=policies.may_record_credit(request.user))
    if done(form, lambda data: record(request, claim, data)):
        return see_other(request, "claims:case_detail", pk=claim.case_id)
    return show_claim(request, get_claim(pk), outcome=form)


def record(request: Request, claim: Claim, data: dict[str, Any]) -> None:
    typed = data["replacement"].strip()
    record_outcome(
        by=request.user,
        claim=claim,
        outcome=data["outcome"],
        note=data["note"],
        credit_minor=data.get("credit"),
        replacement=Secret(typed) if typed else None,
    )
