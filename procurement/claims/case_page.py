"""The parts of a case's page that prove and explain: the strip, the checklist, the messages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from procurement.catalog.regions import name_of
from procurement.claims.facts import facts_of
from procurement.claims.messages import MESSAGES, fill
from procurement.claims.models import Case
from procurement.claims.queries import latest_claim_of
from procurement.claims.verdict import Verdict
from procurement.orders.queries import face
from procurement.orders.trail import Trail
from procurement.web.clock import stamp
from procurement.web.parts import StripCell


def strip(case: Case, found: Verdict) -> list[StripCell]:
    """Sold, mapped, delivered, account, each with its source; between them same or differs, the break marked."""
    order, code = case.order, case.code
    facts = facts_of(case)
    sold, mapped, delivered = ((side.region, side.face) for side in (facts.sold, facts.mapped, facts.delivered))
    cells = [
        StripCell(
            "Sold",
            words(order.sold_region, order.sold_face_minor, order.sold_currency),
            f"SKU {order.sku}",
            "Storefront",
        ),
        StripCell(
            "Mapped",
            words(order.region, order.face_minor, order.face_currency),
            facts.mapping,
            "Frozen on the order",
            joined(sold, mapped),
            found.owner in {"us", "both"},
        ),
    ]
    if code is None:
        return [*cells, StripCell("Delivered", "no code concerned", "", "Supplier", "not known")]
    return [
        *cells,
        StripCell(
            "Delivered",
            words(code.region, code.face_minor, order.face_currency) or "no region stated",
            stamp(code.available_at),
            str(order.account),
            joined(mapped, (delivered[0], delivered[1] or mapped[1])) if delivered[0] else "not known",
            found.owner in {"supplier", "both"},
        ),
        StripCell(
            "Account",
            region_words(case.account_region) or "not asked yet",
            "what the customer says",
            "Customer",
            ("same" if facts.account_region == delivered[0] else "differs")
            if facts.account_region and delivered[0]
            else "not known",
            found.key == "account_region",
        ),
    ]


def words(region: str, face_minor: int | None, currency: str) -> str:
    value = "" if face_minor is None else face(face_minor, currency)
    return " · ".join(filter(None, [region_words(region), value]))


def region_words(region: str) -> str:
    """The supplier's or customer's label with its name: `TR Türkiye`."""
    return f"{region} {name_of(region)}".strip()


def joined(left: object, right: object) -> Literal["same", "differs"]:
    return "same" if left == right else "differs"


@dataclass(frozen=True)
class Evidence:
    """One thing a claim needs, and whether it is there."""

    label: str
    done: bool
    note: str


def evidence(case: Case, trail: Trail | None) -> list[Evidence]:
    """What the supplier asks for with a claim (N6, N13), ticked from the records."""
    code, order = case.code, case.order
    if code is None or trail is None:
        return [Evidence("Supplier's order id", bool(order.remote_id), order.remote_id)]
    return [
        Evidence("Supplier's order id", bool(order.remote_id), order.remote_id),
        Evidence("Code", True, f"ending {code.last4}"),
        Evidence("Ordered", True, words(order.region, order.face_minor, order.face_currency)),
        Evidence("Delivered region", bool(code.region), region_words(code.region) or "the supplier stated none"),
        Evidence("Available since", True, f"{stamp(code.available_at, seconds=True)} UTC"),
        Evidence("Access before hand-over", True, trail.sentence),
        Evidence(
            "Account region",
            bool(case.account_region),
            region_words(case.account_region) or "ask the customer",
        ),
        Evidence("Error text", bool(case.error_text), "noted below" if case.error_text else "ask the customer"),
    ]


@dataclass(frozen=True)
class Letter:
    """A message filled for this case."""

    key: str
    label: str
    text: str
    chosen: bool


def letters(case: Case, found: Verdict) -> list[Letter]:
    """Every message, filled; the one that fits is chosen and first."""
    chosen = chosen_message(case, found)
    made = [Letter(key, message.label, letter_text(case, key), key == chosen) for key, message in MESSAGES.items()]
    return sorted(made, key=lambda letter: not letter.chosen)


def letter_text(case: Case, key: str) -> str:
    """The message with the customer's order and the listing's own words. A replacement is of the region that was sold,
    every other message speaks of the region of the code that the customer has."""
    delivered = case.code.region if case.code else ""
    label = case.order.sold_region if key == "replacement_ready" else delivered or case.order.region
    return fill(
        key,
        customer_order=case.customer_order or "(order number)",
        product=case.order.sku.title,
        region=name_of(label) or label,
    )


def chosen_message(case: Case, found: Verdict) -> str:
    """A decided claim comes before the verdict: the replacement is ready, or there is money instead of a code."""
    claim = latest_claim_of(case)
    if claim and claim.replacement_id:
        return "replacement_ready"
    return "failed" if claim and claim.state == "credited" else found.message
