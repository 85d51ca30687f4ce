"""What rows of cases show: the verdict and the claim clock."""

from __future__ import annotations

from datetime import datetime

from django import template

from procurement.claims.facts import verdict_of
from procurement.claims.models import Case, Claim
from procurement.claims.queries import filed_at
from procurement.claims.verdict import Verdict
from procurement.claims.window import clock_words, window_ends

register = template.Library()
TONES = {"us": "attention", "supplier": "bad", "both": "bad", "customer": "neutral", "none": "good", "unknown": "hold"}


@register.filter
def verdict(case: Case) -> Verdict:
    """The verdict that counts."""
    return verdict_of(case)


@register.filter
def owner_badge(found: Verdict) -> tuple[str, str]:
    """Whose fault, with its tone, for the badge tag."""
    return found.owner_words, TONES[found.owner]


@register.filter
def ends(case: Case) -> datetime | None:
    """When the claim window of an open case closes; None when no clock runs."""
    return window_ends(case.code) if case.code and case.is_open else None


@register.filter
def filed_words(case: Case) -> str:
    """`Filed in time, 2 d 4 h before`, or nothing while no claim was filed."""
    at = filed_at(list(case.claims.all()))
    return clock_words(window_ends(case.code), at) if case.code and at else ""


@register.filter
def claim_words(claim: Claim) -> str:
    """The clock of a claim: how early it was filed, or what is left."""
    return clock_words(claim.window_ends, claim.filed_at)
