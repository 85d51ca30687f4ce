"""Webhooks out: what an event says, how each supplier signs it, and sending it until it is taken.

Alpha stamps each attempt anew and keeps the event id. PSN:B2B repeats the same bytes, stamped with the event's time.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any

import httpx
from django.db import transaction

from procurement.sandbox import clock, memory
from procurement.sandbox.models import Order, Webhook

GIVE_UP_AFTER = timedelta(hours=24)
CLAIM_FOR = timedelta(seconds=30)
ALPHA_EVENTS = {
    "processing": "order.processing",
    "completed": "order.fulfilled",
    "partially_completed": "order.partially_fulfilled",
    "failed": "order.failed",
    "refunded": "order.refunded",
}
# Fresh connections: a receiver that restarts must not cost an attempt.
CLIENT = httpx.Client(timeout=10, trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))


def queue_event(order: Order, previous_status: str, at: datetime) -> None:
    """Note the order's new state for delivery, as its script has it."""
    script = order.script
    if "no_webhook" in script:
        return
    flaw = next((kind for kind in ("bad_signature", "old_timestamp") if kind in script), "")
    event_id = f"evt_{hashlib.sha256(f'{order.remote_id} {order.status} {at.isoformat()}'.encode()).hexdigest()[:16]}"
    copies = int(script.get("webhook_three_times", {}).get("copies", 1))
    Webhook.objects.bulk_create(
        Webhook(
            account_id=order.account_id,
            order=order,
            event_id=event_id,
            status=order.status,
            previous_status=previous_status,
            flaw=flaw,
            happened_at=at,
            due_at=at,
        )
        for _ in range(copies)
    )


def sign(secret: str, content: bytes) -> str:
    return hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()


def canonical(payload: dict[str, Any]) -> bytes:
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def message(event: Webhook) -> tuple[dict[str, str], bytes]:
    """Headers and body of one attempt."""
    secret = event.account.webhook_secret + ("-not" if event.flaw == "bad_signature" else "")
    if event.account_id == "alpha":
        return {"Content-Type": "application/json"}, alpha_body(event, secret)
    body = canonical(
        {
            "event": "order.status_changed",
            "order_id": event.order.remote_id,
            "status": event.status,
            "previous_status": event.previous_status,
            "timestamp": clock.text(event.happened_at - age(event)),
        }
    )
    return {"Content-Type": "application/json", "X-PSNB2B-Signature": sign(secret, body)}, body


def alpha_body(event: Webhook, secret: str) -> bytes:
    """The signature stands inside: over `<timestamp>.<the body without it, keys sorted, no white space>` (assumed)."""
    payload = {
        "event": ALPHA_EVENTS[event.status],
        "event_id": event.event_id,
        "order_id": event.order.remote_id,
        "client_order_id": event.order.client_order_id,
        "status": event.status,
        "timestamp": clock.text(clock.now() - age(event)),
    }
    signed = f"{payload['timestamp']}.".encode() + canonical(payload)
    return json.dumps(payload | {"signature": f"sha256={sign(secret, signed)}"}, ensure_ascii=False).encode()


def age(event: Webhook) -> timedelta:
    if event.flaw != "old_timestamp":
        return timedelta(0)
    return timedelta(minutes=event.order.script["old_timestamp"]["minutes"])


def claim_due(*, order: Order | None = None, addressed: bool = False) -> list[Webhook]:
    """Take up to 200 events due now for this sender: another loop sees them again only after 30 seconds."""
    now = clock.now()
    due = Webhook.objects.select_related("account", "order").filter(due_at__lte=now).order_by("due_at", "id")
    if order is not None:
        due = due.filter(order=order)
    if addressed:
        due = due.exclude(account__webhook_url="")
    mine = []
    with memory.turn, transaction.atomic():
        for event in due[:200]:
            if Webhook.objects.filter(pk=event.pk, due_at=event.due_at).update(due_at=now + CLAIM_FOR):
                mine.append(event)
    return mine


def send_due() -> list[dict[str, Any]]:
    """Send what is due to each account's address; without an address an event waits to be collected."""
    return send(claim_due(addressed=True))


def send(events: list[Webhook]) -> list[dict[str, Any]]:
    """One attempt for each claimed event, and what became of it."""
    sent = []
    for event in events:
        headers, body = message(event)
        try:
            response = CLIENT.post(event.account.webhook_url, content=body, headers=headers)
            taken, answer = response.is_success, str(response.status_code)
        except httpx.HTTPError as error:
            taken, answer = False, type(error).__name__
        settle(event, taken, answer)
        sent.append({"supplier": event.account_id, "order_id": event.order.remote_id, "answer": answer})
    return sent


def settle(event: Webhook, taken: bool, answer: str) -> None:
    """Note an attempt; one not taken comes again after twice the wait, for 24 hours. Flawed ones are sent once."""
    now, tries = clock.now(), event.tries + 1
    again = now + timedelta(seconds=memory.world().webhook_retry_seconds * 2 ** min(tries - 1, 20))
    over = taken or bool(event.flaw) or again > event.happened_at + GIVE_UP_AFTER
    with memory.turn:
        Webhook.objects.filter(pk=event.pk).update(tries=tries, answer=answer, due_at=None if over else again)


def collect_due() -> list[dict[str, Any]]:
    """Hand over what is due instead of sending it; each counts as taken."""
    collected = []
    while events := claim_due():
        for event in events:
            headers, body = message(event)
            settle(event, True, "collected")
            collected.append(
                {
                    "supplier": event.account_id,
                    "order_id": event.order.remote_id,
                    "url": event.account.webhook_url,
                    "headers": headers,
                    "body": body.decode(),
                }
            )
    return collected
