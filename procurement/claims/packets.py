"""Texts for the supplier's support, for what no API takes: a claim by hand, and a late request (N4, N6).

They name the order, the last four of one code, the region and the reason. The full code, the customer's name and other
codes of the order stay here; if support asks for the code, a person reveals it and sends it through the supplier's
own portal.
"""

from __future__ import annotations

from procurement.claims.facts import verdict_of
from procurement.claims.models import Case, Claim
from procurement.claims.window import window_ends
from procurement.orders.models import Code, Order
from procurement.orders.queries import face
from procurement.orders.trail import trail_of
from procurement.web.clock import stamp


def claim_packet(claim: Claim) -> str:
    """The claim as a text to send by hand."""
    lines = [
        f"Subject: Claim for order {claim.code.order.remote_id}",
        "",
        "Hello,",
        "",
        "we claim for one code:",
        "",
        *proof(claim.code.order, claim.code),
        f"Reason: {claim.get_reason_display()}",
        f"What happened: {claim.description or verdict_of(claim.case).sentence}",
        "",
        "Please replace or credit it, and send us your reference for this claim.",
    ]
    return "\n".join(lines)


def late_request(case: Case) -> str:
    """What to write when the window is closed: the supplier may still help if the fault is its own (N4)."""
    if case.code is None:
        return ""
    lines = [
        f"Subject: Late request for order {case.order.remote_id}",
        "",
        "Hello,",
        "",
        f"the 7 days for claims on this code ended {stamp(window_ends(case.code), weekday=True)} UTC. We ask you "
        "to look at it all the same:",
        "",
        *proof(case.order, case.code),
        f"What we found: {verdict_of(case).sentence}",
        "",
        "Please tell us whether you confirm the fault and what you offer.",
    ]
    return "\n".join(lines)


def question(case: Case) -> str:
    """What to ask when the supplier stated no region, or the verdict stays open."""
    if case.code is None:
        return ""
    lines = [
        f"Subject: Question about order {case.order.remote_id}",
        "",
        "Hello,",
        "",
        "for one code we need to know for which region and value it was issued, and whether it is activated:",
        "",
        *proof(case.order, case.code),
        "",
        "Please answer with the region, the value and the state of this code.",
    ]
    return "\n".join(lines)


def proof(order: Order, code: Code) -> list[str]:
    """The facts a supplier needs to find the code, with its own labels unchanged (R4, R66)."""
    ordered = f"{order.region} {face(order.face_minor, order.face_currency)}"
    value = "" if code.face_minor is None else f" {face(code.face_minor, order.face_currency)}"
    return [
        f"Order: {order.remote_id}",
        f"Code ending: {code.last4}" + (f", serial {code.serial}" if code.serial else ""),
        f"Ordered: {ordered}",
        f"Delivered: {code.region or 'no region stated'}{value}",
        f"Available to us since: {stamp(code.available_at, seconds=True)} UTC",
        f"Access at our desk before delivery: {access(code)}",
    ]


def access(code: Code) -> str:
    """How often people here saw the code before it was handed over, without their names (N16)."""
    times = len(trail_of(code).before)
    if not times:
        return "none; the code was sealed as it came"
    return f"{times} {'time' if times == 1 else 'times'}, each on record with person, time and reason"
