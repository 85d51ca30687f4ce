"""What pages show of orders, attempts and codes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from ledger.money import format_amount
from procurement.approvals.models import ApprovalRequest
from procurement.audit.models import AuditEvent
from procurement.audit.queries import as_entry
from procurement.catalog.models import Mapping, PriceObservation
from procurement.orders.finding import codes_held_as
from procurement.orders.models import Attempt, Code, Order
from procurement.orders.services.timing import ahead_of
from procurement.orders.standing import lane_blocker
from procurement.orders.states import AWAITED, UNCONFIRMED
from procurement.suppliers.models import Exchange
from procurement.vault import normalise_code
from procurement.web.parts import StripCell, TimelineEntry
from procurement.web.subjects import SubjectLink, names_subjects

# States in which the page looks for news by itself.
MOVING = ("approved", "placing", "placed", "paid", "delivered")
NEEDS_SOMEONE = ("pending_approval", "partial", "supplier_failed", *UNCONFIRMED)
OPEN = ("draft", "pending_approval", "approved", "placing", *AWAITED, *UNCONFIRMED)
FAILED = ("place_failed", "rejected", "refunded", "expired", "cancelled")
# Codes somebody must claim: the order's own state only says that they came.
NOT_AS_ORDERED = ("wrong_region", "invalid")
UNSENT = ("draft", "pending_approval", "approved", "rejected", "place_failed", "expired", "cancelled")


def orders_for_list() -> QuerySet[Order]:
    """All orders with what a list row shows."""
    return Order.objects.select_related("account", "requested_by", "sku").annotate(not_as_ordered=not_as_ordered())


def order_for_page(pk: Any) -> Order:
    """One order with everything its page names; raises Order.DoesNotExist."""
    related = ("account", "requested_by", "sku", "product", "mapping", "approval__decided_by", "approval__requested_by")
    return Order.objects.select_related(*related).annotate(not_as_ordered=not_as_ordered()).get(pk=pk)


def not_as_ordered() -> Coalesce:
    """How many codes of an order are for another region or value, or are invalid, and not claimed yet."""
    wrong = Code.objects.filter(order=OuterRef("pk"), state__in=NOT_AS_ORDERED).order_by()
    return Coalesce(Subquery(wrong.values("order").annotate(n=Count("pk")).values("n")), 0)


def what(order: Order) -> str:
    """The order in words: `200 × US 50 USD`."""
    return f"{order.quantity:,} × {order.region} {face(order.face_minor, order.face_currency)}"


def face(minor: int, currency: str) -> str:
    """A face value as people say it, without empty decimals: `50 USD`."""
    return f"{format_amount(minor, currency).removesuffix('.00')} {currency}"


def summary(order: Order) -> str:
    """The one sentence under the order's title: where it is and what follows."""
    got = f"{order.delivered_quantity:,} of {order.quantity:,} {'code' if order.quantity == 1 else 'codes'}"
    sentences = {
        "draft": "Nothing is ordered yet.",
        "pending_approval": "Waits for a manager who did not ask for it. Nothing is ordered yet.",
        "approved": behind(order) or "Approved; it is sent as soon as the supplier's limits allow.",
        "placing": "Being sent to the supplier now.",
        "placed": f"{order.account} took it as {order.remote_id}. The codes are awaited.",
        "paid": f"{order.account} took the money. The codes are awaited.",
        "delivered": f"{order.account} delivered; the codes are being fetched.",
        "codes_stored": f"{got} {'is' if order.quantity == 1 else 'are'} in custody." + set_aside(order),
        "partial": f"{got} came; the price of the others was paid back."
        if order.refunded_minor
        else f"{got} came. {order.account} is asked for the others for seven days; after that, claim them.",
        "unknown": "We do not know whether the supplier took this order. Do not order it again.",
        "placed_no_id": "The supplier took this order but named no id. Do not order it again.",
        "manual_review": "The supplier contradicts itself. People decide; nothing is sent. Do not order it again.",
        "supplier_failed": f"{order.account} failed to deliver. The refund is awaited.",
        "refunded": f"{order.account} failed to deliver and paid the money back.",
        "place_failed": "The supplier did not take the order. No money was spent.",
        "rejected": "A manager rejected it. Nothing was ordered.",
        "cancelled": "Cancelled before it was sent. Nothing was ordered.",
        "expired": "The approval expired before it was sent. Nothing was ordered.",
    }
    return sentences[order.state]


def behind(order: Order) -> str:
    """Which unconfirmed order an approved one waits for at an account that takes one at a time; empty if none."""
    blocker = lane_blocker(order)
    return (
        f"Approved, and nothing is sent: {order.account} gets no order until {blocker} is resolved." if blocker else ""
    )


def set_aside(order: Order) -> str:
    """What to do about codes that are not what was ordered; empty when all are."""
    count = order.codes.filter(state__in=NOT_AS_ORDERED).count()
    return (
        f" {count} of them {'is' if count == 1 else 'are'} not what was ordered: open a case to claim." if count else ""
    )


def strip(order: Order) -> list[StripCell]:
    """Sold, ordered, delivered side by side, and whether each equals the one before."""
    sold = (order.sold_region, face(order.sold_face_minor, order.sold_currency))
    ordered = (order.region, face(order.face_minor, order.face_currency))
    cells = [
        StripCell("Sold", " · ".join(sold), f"SKU {order.sku}", "Storefront"),
        StripCell(
            "Ordered",
            " · ".join(ordered),
            str(order.mapping),
            "Mapping",
            "same" if sold == ordered else "differs",
            sold != ordered,
        ),
    ]
    rows = order.codes.values_list("region", "face_minor").annotate(n=Count("id")).order_by("-n")
    if not rows:
        return [*cells, StripCell("Delivered", "nothing yet", "", "Supplier", "not known")]
    told = [
        (region or "no region stated", "" if minor is None else face(minor, order.face_currency), n)
        for region, minor, n in rows
    ]
    words = "; ".join(
        " · ".join(filter(None, [region, value, f"{n} {'code' if n == 1 else 'codes'}" if len(told) > 1 else ""]))
        for region, value, n in told
    )
    same = all(region == order.region and value in ("", ordered[1]) for region, value, _ in told)
    unstated = all(region == "no region stated" for region, _, _ in told)
    joins: Joins = "same" if same else "not known" if unstated else "differs"
    return [
        *cells,
        StripCell(
            "Delivered", words, f"{order.delivered_quantity} of {order.quantity}", "Supplier", joins, joins == "differs"
        ),
    ]


Joins = Literal["same", "differs", "not known"]
# A time of day, such as 03:54:56 UTC, is no amount.
AMOUNT = re.compile(r"(?<![0-9:])[0-9][0-9,]*(\.[0-9]+)? (?!UTC\b)[A-Z]{3}\b")


def without_amounts(text: str) -> str:
    """A sentence for people who may not see costs: each amount of money is left out."""
    return AMOUNT.sub("an amount", text)


# Two rows of the record for one happening: what the approval says of it, with amount and rule, is the fuller one.
TOLD_BY_THE_APPROVAL = {
    "order.submitted": {"approval.requested"},
    "order.approved": {"approval.approved"},
    "order.rejected": {"approval.rejected"},
    "order.sent_back": {"approval.sent_back"},
    "order.withdrawn": {"approval.withdrawn"},
    "order.expired": {"approval.expired"},
}
AT_ONCE = timedelta(seconds=2)


def timeline(order: Order, *, with_cost: bool, limit: int = 100) -> list[TimelineEntry]:
    """The story of the order, its approvals and its codes, oldest first, each happening once: the last `limit` events."""
    about = Q(subject_kind="orders.order", subject_id=str(order.pk))
    asking = ApprovalRequest.objects.filter(subject_kind="orders.order", subject_id=str(order.pk))
    asked = [str(pk) for pk in asking.values_list("pk", flat=True)]
    about |= Q(subject_kind="approvals.approvalrequest", subject_id__in=asked)
    codes = [str(pk) for pk in order.codes.values_list("pk", flat=True)]
    about |= Q(subject_kind="orders.code", subject_id__in=codes)
    events = list(AuditEvent.objects.filter(about).order_by("-id")[:limit])
    entries = [as_entry(event) for event in reversed(events) if not told_twice(event, events)]
    if with_cost:
        return entries
    return [replace(e, sentence=without_amounts(e.sentence), reason=without_amounts(e.reason)) for e in entries]


def told_twice(event: AuditEvent, events: list[AuditEvent]) -> bool:
    """Whether the approval's own event, written in the same moment, says the same."""
    twins = TOLD_BY_THE_APPROVAL.get(event.action)
    return bool(twins) and any(e.action in (twins or ()) and abs(e.at - event.at) <= AT_ONCE for e in events)


@dataclass(frozen=True)
class AttemptRow:
    """One attempt with the exchange that shows what was sent and answered (R27)."""

    attempt: Attempt
    exchanges: list[Exchange]
    verdict: str

    @property
    def key_fingerprint(self) -> str:
        """Eight characters by which two people compare a key over the phone."""
        return hashlib.sha256(self.attempt.idempotency_key.encode()).hexdigest()[:8]


def new_price(order: Order) -> int | None:
    """The present cost of one code, in minor units, of a draft that was made under a lower one; None else."""
    cost = order.product.cost_minor
    return cost if order.state == "draft" and cost is not None and cost > order.unit_cost_minor else None


def attempts_of(order: Order, *, with_cost: bool) -> list[AttemptRow]:
    """Every attempt with its exchanges and its verdict in words, oldest first."""
    attempts = list(order.attempts.order_by("number"))
    ids = [str(attempt.pk) for attempt in attempts]
    rows = Exchange.objects.filter(subject_kind="orders.attempt", subject_id__in=ids).order_by("started_at")
    return [
        AttemptRow(
            attempt,
            [row for row in rows if row.subject_id == str(attempt.pk)],
            attempt.verdict if with_cost else without_amounts(attempt.verdict),
        )
        for attempt in attempts
    ]


def refused_by_person(order: Order) -> ApprovalRequest | None:
    """The decision that sent this draft back or rejected the order; None in every other state."""
    verdict = {"draft": "sent_back", "rejected": "rejected"}.get(order.state)
    rows = ApprovalRequest.objects.filter(subject_kind="orders.order", subject_id=str(order.pk), state=verdict)
    return rows.select_related("decided_by").order_by("-decided_at").first() if verdict else None


def place_in_queue(order: Order) -> int | None:
    """1 for the next to be sent at its account; None when it is not waiting (R44)."""
    if order.state != "approved":
        return None
    return ahead_of(order) + 1


def codes_of(order: Order, last4: str = "") -> QuerySet[Code]:
    rows = order.codes.select_related("account").order_by("position")
    return rows.filter(last4=last4.upper()) if last4 else rows


def orderable_mappings() -> QuerySet[Mapping]:
    """Active mappings of active SKUs with what an order form shows."""
    rows = Mapping.objects.filter(state="active", sku__active=True, product__active=True)
    return rows.select_related("sku", "product", "account").order_by("sku__code", "product__cost_minor")


def approvals_for_list() -> QuerySet[ApprovalRequest]:
    return ApprovalRequest.objects.select_related("requested_by", "decided_by")


@dataclass(frozen=True)
class PricePast:
    """What this product cost lately, in minor units; None where nothing is known."""

    last_paid_minor: int | None
    last_paid_at: datetime | None
    low_minor: int | None
    high_minor: int | None


def price_past(order: Order) -> PricePast:
    """Last paid price of the same product, and the range of the last 30 days."""
    earlier = (
        Order.objects.filter(product=order.product, placed_at__isnull=False)
        .exclude(pk=order.pk)
        .order_by("-placed_at")
        .first()
    )
    since = timezone.now() - timedelta(days=30)
    costs = list(
        PriceObservation.objects.filter(product=order.product, observed_at__gte=since).values_list(
            "cost_minor", flat=True
        )
    )
    return PricePast(
        earlier.unit_cost_minor if earlier else None,
        earlier.placed_at if earlier else None,
        min(costs, default=None),
        max(costs, default=None),
    )


def latest_orders_of(user: Any, but: Order | None = None, limit: int = 5) -> list[Order]:
    rows = orders_for_list().filter(requested_by=user).order_by("-created_at")
    return list((rows.exclude(pk=but.pk) if but else rows)[:limit])


def find_codes(text: str) -> list[Code]:
    """Codes by the whole code (through its keyed fingerprint, nothing is opened) or by the last four; at most 20."""
    wanted = normalise_code(text)
    rows = Code.objects.select_related("order", "account").order_by("-stored_at")
    if len(wanted) == 4:
        return list(rows.filter(last4=wanted)[:20])
    return codes_held_as(wanted, rows) if len(wanted) >= 8 else []


@names_subjects("orders.attempt")
def name_attempts(keys: list[str]) -> dict[str, SubjectLink]:
    """Attempts as `ORDER-1042, attempt 1`, with their orders' pages."""
    rows = Attempt.objects.filter(pk__in=keys).values_list("pk", "order_id", "order__client_order_id", "number")
    return {
        str(pk): SubjectLink(f"{name}, attempt {number}", reverse("orders:order_detail", args=[order_id]))
        for pk, order_id, name, number in rows
    }
