"""The question to a supplier's support about an order whose answer was lost: everything they need to find it, no cost."""

from __future__ import annotations

from procurement.orders.models import Order
from procurement.orders.queries import AttemptRow, face
from procurement.suppliers.clients import client_for

MOMENT = "%Y-%m-%d %H:%M:%S UTC"


def question_to_supplier(order: Order, attempts: list[AttemptRow]) -> str:
    """A text ready to be sent: what left us, when, under which ids, and the three things we must know.

    It asks for nothing to be placed or repeated: a helpful agent must not buy a second time.
    """
    sent = [row for row in attempts if row.exchanges]
    calls = [line for row in sent for line in described(row, keyed=client_for(order.account).idempotent)]
    facts = [
        f"Our account: {order.account}, key ending {order.account.api_key_last4 or 'not set'}",
        f"Ordered: {order.quantity} codes, region {order.region}, {face(order.face_minor, order.face_currency)} each",
        f"Our order number: {order.client_order_id}",
        *calls,
    ]
    return "\n".join(
        [
            "Hello,",
            "",
            "we sent you one order over the API and got no answer that we can read. Please tell us what became of it.",
            "",
            *facts,
            "",
            "Please answer:",
            "1. Did you take an order for this request? If so: its order id, its status, and the amount you charged.",
            "2. If not: please confirm that there is no such order and that nothing was charged.",
            "3. If you charged without an order: please name the booking, and pay it back or deliver.",
            "",
            "Please do not place or repeat this order for us.",
        ]
    )


def described(row: AttemptRow, *, keyed: bool) -> list[str]:
    """One attempt for the supplier's log search: each call with both ids, the key if they take one, the body's hash."""
    lines = [
        f"Sent: {call.started_at:{MOMENT}}, {call.method} {call.path}, our request id {call.request_id}"
        + (f", your response id {call.response_id}" if call.response_id else "")
        for call in row.exchanges
    ]
    key = [f"Idempotency key: {row.attempt.idempotency_key}"] if keyed else []
    return [*lines, *key, f"SHA-256 of the body: {row.attempt.body_sha256}"]
