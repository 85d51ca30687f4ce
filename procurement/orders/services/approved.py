"""What was approved is what is sent: the content that a manager decides on, frozen with the attempt, compared before sending."""

from __future__ import annotations

import hashlib
from typing import Any

from procurement.approvals.services import content_hash
from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Order

# How the parts of the content are called where a difference is named.
WORDS = {
    "account": "supplier account",
    "client_order_id": "order id",
    "product": "product",
    "region": "region",
    "face": "face value",
    "quantity": "quantity",
    "unit_cost_cap": "highest cost",
    "mapping": "mapping",
}


def approval_content(order: Order) -> dict[str, Any]:
    """Exactly what a manager approves: supplier, product, quantity, at most this unit cost, for this storefront order."""
    return {
        "account": order.account.code,
        "client_order_id": order.client_order_id,
        "product": order.product.external_id,
        "region": order.region,
        "face": postings.amount_text(order.face_minor, order.face_currency),
        "quantity": order.quantity,
        "unit_cost_cap": postings.amount_text(order.unit_cost_minor, order.cost_currency),
        "mapping": str(order.mapping),
    }


def freeze(order: Order, body: bytes) -> dict[str, Any]:
    """What is kept with an attempt: the content, and the hash of the very bytes that were made of it (R15, R20)."""
    return {**approval_content(order), "request": hashlib.sha256(body).hexdigest()}


def changes_since_approval(order: Order, attempt: Attempt) -> list[str]:
    """What differs now, read afresh, from what was approved and stored, by whatever path it was changed; in words."""
    order = Order.objects.select_related("account", "product", "mapping__sku", "approval").get(pk=order.pk)
    attempt = Attempt.objects.get(pk=attempt.pk)
    frozen = dict(attempt.approved) or (dict(order.approval.content) if order.approval else approval_content(order))
    request = frozen.pop("request", attempt.body_sha256)
    now = approval_content(order)
    found = [words for name, words in WORDS.items() if now[name] != frozen.get(name)]
    if hashlib.sha256(bytes(attempt.body)).hexdigest() != request or attempt.account_id != order.account_id:
        found.append("stored request")
    if order.approval is not None:
        given = order.approval
        about = (given.state, given.subject_id, given.content_hash)
        if about != ("approved", str(order.pk), content_hash(frozen)):
            found.append("approval itself")
    return found


def refuse_changed(order: Order, attempt: Attempt) -> str:
    """Empty if the order still is what was approved; else the sentence, with the finding on record. Nothing is sent."""
    found = changes_since_approval(order, attempt)
    if not found:
        return ""
    what = ", ".join(found)
    record("order.differs", by=None, subject=order, what=what)
    return f"The order is not what was approved any more ({what} changed). It was not sent."
