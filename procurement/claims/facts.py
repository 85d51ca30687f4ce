"""From the records of a case to the four facts, and from them to the verdict that counts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from procurement.catalog.models import Mapping
from procurement.catalog.regions import canonical
from procurement.claims.messages import message_for
from procurement.claims.models import Case
from procurement.claims.verdict import Facts, Side, Verdict, verdict, verdict_named
from procurement.orders.models import Code, Order


def facts_of(case: Case) -> Facts:
    """What was sold and mapped, as frozen on the order; what the supplier states for the code; what the customer says.

    Labels are compared in one spelling (a supplier's UK is our GB); pages and claims show them unchanged (R4).
    """
    order, code = case.order, case.code
    return Facts(
        sold=Side(canonical(order.sold_region), order.sold_currency, order.sold_face_minor),
        mapped=Side(canonical(order.region), order.face_currency, order.face_minor),
        delivered=Side(canonical(code.region), order.face_currency, code.face_minor) if code else Side(),
        account_region=canonical(case.account_region),
        mapping=mapping_words(order.mapping),
        damaged=code is not None and came_damaged(code),
    )


def came_damaged(code: Code) -> bool:
    """Set aside when it came, since it is not 12 characters. A code whose claim was declined is not meant."""
    return code.state == "invalid" and not list(code.claims.all())


def mapping_words(mapping: Mapping) -> str:
    """The version used, and who activated it when: `v3 by Ana, 2 Nov`."""
    words = f"v{mapping.number}"
    if mapping.activated_by:
        words += f" by {mapping.activated_by}"
    if mapping.activated_at:
        words += f", {mapping.activated_at.day} {mapping.activated_at:%b}"
    return words


def rule_of(case: Case) -> Verdict:
    """What the table says, before any person."""
    if case.code is None:
        return verdict_named("not_delivered", facts_of(case))
    return verdict(facts_of(case))


def verdict_of(case: Case) -> Verdict:
    """The verdict that counts: the table's or the one a person chose; its message fits the state of the order."""
    found = rule_of(case)
    if case.overruled:
        chosen = verdict_named(case.overruled, facts_of(case))
        found = replace(
            chosen, certainty="told" if chosen.certainty == "proven" else chosen.certainty, also=(found.sentence,)
        )
    return replace(found, message=message_for(found.message, case.order.state, age_of(case.order)))


def age_of(order: Order) -> timedelta:
    """How long ago the order was placed, or drafted."""
    return timezone.now() - (order.placed_at or order.created_at)
