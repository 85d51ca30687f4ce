"""Orders of the scratch database with their approvals, attempts, codes, cases and claims."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from procurement.approvals.models import ApprovalRequest
from procurement.claims.models import Case, Claim
from procurement.demo.bench.shop import Shop
from procurement.orders.models import Attempt, Code, Delivery, Order

DAYS = 60
# The ten latest orders are one of each; of the others, by their last two digits, some are not simply delivered.
LATEST = (
    *("draft", "pending_approval", "approved", "placed", "codes_stored"),
    *("partial", "unknown", "place_failed", "refunded", "manual_review"),
)
ODD = {7: "pending_approval", 17: "partial", 23: "place_failed", 31: "refunded"}
ODD |= {43: "rejected", 57: "cancelled", 61: "supplier_failed"}
SENT = ("placed", "codes_stored", "partial", "refunded", "supplier_failed", "manual_review")
NOT_DECIDED = ("draft", "pending_approval")
WITH_CODES = ("codes_stored", "partial")
ATTEMPTS = {"unknown": "unknown", "place_failed": "not_placed"} | dict.fromkeys(SENT, "placed")
CASE_STATES = ("todo", "waiting_supplier", "waiting_customer", "solved", "solved", "solved", "closed", "solved")
CASE_EVERY, APPROVAL_EVERY, BIG_BATCH = 20, 5, 8
# What the last four of some codes are, so that a search for them finds several and never too many.
SOUGHT, SOUGHT_EVERY = "AAAA", 1000


@dataclass
class Made:
    """One order with what belongs to it; `rank` is 0 for the latest order."""

    number: int
    rank: int
    order: Order
    approval: ApprovalRequest | None = None
    attempt: Attempt | None = None
    delivery: Delivery | None = None
    codes: list[Code] = field(default_factory=list)
    case: Case | None = None
    claim: Claim | None = None


def write_orders(shop: Shop, numbers: Sequence[int], total: int) -> list[Made]:
    """Orders number `numbers` of `total`, spread evenly over DAYS."""
    made = [make(shop, number, total) for number in numbers]
    ApprovalRequest.objects.bulk_create([one.approval for one in made if one.approval])
    Order.objects.bulk_create([one.order for one in made])
    Attempt.objects.bulk_create([one.attempt for one in made if one.attempt])
    Delivery.objects.bulk_create([one.delivery for one in made if one.delivery])
    Code.objects.bulk_create([code for one in made for code in one.codes])
    Case.objects.bulk_create([one.case for one in made if one.case])
    for one in made:
        if one.case and one.case.state != "todo" and one.codes:
            one.claim = claim_of(shop, one.case, one.codes[0])
    Claim.objects.bulk_create([one.claim for one in made if one.claim])
    return made


def make(shop: Shop, number: int, total: int) -> Made:
    rank = total - 1 - number
    state = LATEST[rank] if rank < len(LATEST) else ODD.get(rank % 100, "codes_stored")
    at = shop.ends - timedelta(days=DAYS) / total * rank
    one = Made(number, rank, order_of(shop, number, state, at))
    if (state not in NOT_DECIDED and number % APPROVAL_EVERY == 0) or state in ("pending_approval", "rejected"):
        one.approval = one.order.approval = approval_of(shop, one.order)
    if state in ATTEMPTS:
        one.attempt = attempt_of(one.order)
    if state in WITH_CODES:
        one.delivery = Delivery(
            order=one.order, fetched_at=at, count=one.order.delivered_quantity, checksum=digest(f"set {number}").hex()
        )
        one.codes = [code_of(one, position) for position in range(1, one.order.delivered_quantity + 1)]
    if one.codes and (rank % CASE_EVERY == CASE_EVERY - 1 or rank < len(LATEST)):
        one.case = case_of(shop, one)
    return one


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def order_of(shop: Shop, number: int, state: str, at: datetime) -> Order:
    """One order, priced from its mapping's product, paid and delivered as far as its state says."""
    mapping = shop.mappings[number * 7 % len(shop.mappings)]
    product, quantity = mapping.product, 2 + number % BIG_BATCH
    sent = state in SENT
    return Order(
        client_order_id=f"BENCH-{number:06d}", sku=mapping.sku, mapping=mapping, product=product, account=mapping.account,
        sold_region=mapping.sku.region, sold_currency=mapping.sku.currency, sold_face_minor=mapping.sku.face_minor,
        region=product.region, face_currency=product.currency, face_minor=product.denomination_minor,
        quantity=quantity, unit_cost_minor=product.cost_minor or 1, cost_currency="USD", price_read_at=at,
        purpose="Weekend stock", state=state, requested_by=shop.people["buyer"], created_at=at,
        approved_at=None if state in NOT_DECIDED else at, remote_id=f"R-{digest(f'order {number}').hex()[:12]}" if sent else "",
        placed_at=at if sent else None, delivered_at=at if state in WITH_CODES else None,
        available_at=at if state in WITH_CODES else None,
        total_cost_minor=quantity * (product.cost_minor or 1) if sent else None,
        delivered_quantity={"codes_stored": quantity, "partial": quantity - 1}.get(state, 0), checked_at=at,
    )  # fmt: skip


def approval_of(shop: Shop, order: Order) -> ApprovalRequest:
    state = {"pending_approval": "open", "rejected": "rejected"}.get(order.state, "approved")
    return ApprovalRequest(
        subject_kind="orders.order", subject_id=str(order.pk), subject_label=order.client_order_id,
        content={"sku": order.sku.code, "quantity": order.quantity}, content_hash=digest(order.client_order_id).hex(),
        amount_minor=order.max_total_minor, currency="USD", rule="Orders of 500.00 USD or more need a second person",
        state=state, requested_by=shop.people["buyer"], requested_at=order.created_at,
        expires_at=order.created_at + timedelta(days=3),
        decided_by=None if state == "open" else shop.people["second_manager"],
        decided_at=None if state == "open" else order.created_at,
    )  # fmt: skip


def attempt_of(order: Order) -> Attempt:
    return Attempt(
        order=order, account=order.account, number=1, idempotency_key=f"key-{order.pk}", body=b"{}" * 100,
        body_sha256=digest(str(order.pk)).hex(), state=ATTEMPTS[order.state], tries=1, created_at=order.created_at,
        sent_at=order.created_at, answered_at=order.created_at,
    )  # fmt: skip


def code_of(one: Made, position: int) -> Code:
    """A code whose sealed bytes hold nothing: no list opens one."""
    mark = digest(f"code {one.number} {position}")
    sought = position == 1 and (one.rank < len(LATEST) or one.rank % SOUGHT_EVERY == 0)
    return Code(
        order=one.order, delivery=one.delivery, account=one.order.account, position=position, sealed=mark * 3, fingerprint=mark,
        last4=SOUGHT if sought else mark.hex()[:4].upper(), region=one.order.region, face_minor=one.order.face_minor,
        state="handed_over" if one.rank % 3 else "stored", stored_at=one.order.created_at, available_at=one.order.created_at,
        customer_order=f"SHOP-{one.number}-{position}" if one.rank % 3 else "",
    )  # fmt: skip


def case_of(shop: Shop, one: Made) -> Case:
    kind = 0 if one.rank < len(LATEST) and one.order.state == "partial" else 1 + one.rank // CASE_EVERY
    return Case(
        order=one.order, code=one.codes[0], customer_order=f"SHOP-{one.number}", account_region=one.order.sold_region if kind % 3 else "",
        error_text="The code you entered may be incorrect or invalid.", state=CASE_STATES[kind % len(CASE_STATES)],
        owner=shop.people["support"] if kind % 2 else None, opened_by=shop.people["support"], opened_at=one.order.created_at,
    )  # fmt: skip


def claim_of(shop: Shop, case: Case, code: Code) -> Claim:
    return Claim(
        case=case, code=code, account=code.account, reason="invalid", description="The code is not what was ordered.",
        state="filed" if case.state == "waiting_supplier" else "declined", method="api", remote_id=f"C-{case.pk}",
        window_ends=code.available_at + timedelta(days=7), drafted_by=shop.people["support"], drafted_at=case.opened_at,
        filed_at=case.opened_at,
    )  # fmt: skip
