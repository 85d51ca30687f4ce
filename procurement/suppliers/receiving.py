"""Keeping webhook messages: each one once, refused ones too but not without end, and waking the order they name."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from datetime import date, datetime

from django.db import IntegrityError, transaction
from django.db.models import Count, F, Sum
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Refused
from procurement.faultpoints import faultpoint
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers import throttle
from procurement.suppliers.models import (
    CapturedDelivery,
    RefusedCount,
    SupplierAccount,
    WebhookCalibration,
    WebhookEvent,
)
from procurement.suppliers.schemes import read_scheme
from procurement.suppliers.states import (
    APPLIED,
    BEING_HANDLED,
    DUPLICATE,
    ERROR,
    NOT_PROVEN,
    ORDER_NOT_FOUND,
    UNVERIFIED,
)
from procurement.suppliers.webhooks import Judgement, judge
from procurement.vault import Purpose, seal
from procurement.work.services import make_due

LARGEST = 256 * 1024
REFUSED_ROWS_A_DAY = 1_000
CAPTURED_AT_MOST = 50
REPLAYED_AT_ONCE = 200
CAPTURED_BYTES = 2 * 1024 * 1024
NEVER_CAPTURED = ("authorization", "cookie", "proxy-authorization")
KEPT_OF_REFUSED = 2 * 1024
ORDER_HINT = "order.hint"


def hint_ref(account_id: uuid.UUID, remote_order_id: str) -> str:
    """The reference of the work `order.hint`: which order of which account to look at."""
    return f"{account_id}:{remote_order_id}"


def kept_headers(headers: Mapping[str, str], signature_name: str) -> dict[str, str]:
    """The few headers worth keeping, the signature shortened; without NULs, which PostgreSQL keeps in no text."""
    kept = {name: headers[name][:200] for name in ("Content-Type", "User-Agent", "X-Request-Id") if headers.get(name)}
    if signature := headers.get(signature_name, ""):
        kept[signature_name] = signature[:16] + "…"
    return {name: value.replace("\x00", "�") for name, value in kept.items()}


def new_event(
    account: SupplierAccount, raw: bytes, found: Judgement, headers: dict[str, str], now: datetime
) -> WebhookEvent:
    """The row of a message; refused ones get a key of their own, so that a forgery can't take a real event's place."""
    digest = hashlib.sha256(raw).hexdigest()
    refused = found.result in NOT_PROVEN
    event = WebhookEvent(
        account=account,
        received_at=now,
        event_id=found.event_id,
        event_type=found.event_type,
        remote_order_id=found.order_id,
        remote_status=found.status,
        occurred_at=found.occurred_at,
        result=found.result,
        signed_by=found.signed_by,
        checks=found.checks,
        headers=headers,
        body_sha256=digest,
        size=len(raw),
    )
    event.dedupe_key = (
        f"refused:{event.pk}" if refused else f"id:{found.event_id}" if found.event_id else f"body:{digest}"
    )
    kept = raw[:KEPT_OF_REFUSED] if refused else raw
    event.body_sealed = seal(kept, purpose=Purpose.WEBHOOK, context=event.context()) if kept else b""
    return event


def count_refused(account_id: uuid.UUID, day: date, column: str, more: int) -> None:
    """Add to a counter of one account and day (UTC)."""
    rows = RefusedCount.objects.filter(account_id=account_id, day=day)
    for _ in range(3):
        if rows.update(**{column: F(column) + more}):
            return
        try:
            with transaction.atomic():
                RefusedCount.objects.create(account_id=account_id, day=day)
        except IntegrityError:
            continue


def may_keep_refused(account: SupplierAccount, now: datetime) -> bool:
    """Count a refused message; True while the day's rows are not used up."""
    count_refused(account.pk, now.date(), "count", 1)
    rows = RefusedCount.objects.filter(account=account, day=now.date())
    return rows.filter(count__lte=REFUSED_ROWS_A_DAY).exists()


def note_turned_away() -> None:
    """Write down how many messages came too fast, at most once a second however many they are."""
    for account_id, more in throttle.due_counts().items():
        count_refused(account_id, timezone.now().date(), "throttled", more)


def capture(account: SupplierAccount, raw: bytes, headers: Mapping[str, str], now: datetime) -> None:
    """Keep a message whole for the calibration under way, sealed: at most 50 of them and 2 MiB together."""
    calibration = WebhookCalibration.objects.filter(account=account, ended_at=None).first()
    if calibration is None:
        return
    kept = calibration.deliveries.aggregate(count=Count("pk"), size=Sum("size"))
    if kept["count"] >= CAPTURED_AT_MOST or (kept["size"] or 0) + len(raw) > CAPTURED_BYTES:
        return
    delivery = CapturedDelivery(calibration=calibration, received_at=now, size=len(raw))
    named = {name: value for name, value in list(headers.items())[:60] if name.lower() not in NEVER_CAPTURED}
    message = {"headers": {name: value[:2000] for name, value in named.items()}, "body": base64.b64encode(raw).decode()}
    delivery.sealed = seal(json.dumps(message), purpose=Purpose.WEBHOOK, context=delivery.context())
    delivery.save(force_insert=True)


def signature_header(account: SupplierAccount) -> str:
    """The header whose value is shortened in the log; none for an account without a scheme."""
    return read_scheme(account.webhook_scheme).name if account.webhook_scheme else ""


def receive(account: SupplierAccount, raw: bytes, headers: Mapping[str, str]) -> str:
    """Judge a message, keep it, and make its order due for a look; returns its result, `duplicate` for a repetition."""
    now = timezone.now()
    if account.capture_until and now < account.capture_until:
        capture(account, raw, headers, now)
    found = judge(account, raw, headers, now)
    event = new_event(account, raw, found, kept_headers(headers, signature_header(account)), now)
    faultpoint("webhook.judged")
    if found.result in NOT_PROVEN:
        return keep_refused(account, event, now)
    try:
        with transaction.atomic():
            event.save(force_insert=True)
            faultpoint("webhook.kept")
            make_due(ORDER_HINT, hint_ref(account.pk, event.remote_order_id))
    except IntegrityError:
        same = WebhookEvent.objects.filter(account=account, dedupe_key=event.dedupe_key)
        same.update(duplicates=F("duplicates") + 1, last_duplicate_at=now)
        return DUPLICATE
    faultpoint("webhook.committed")
    return BEING_HANDLED


def keep_refused(account: SupplierAccount, event: WebhookEvent, now: datetime) -> str:
    """Log a refused message (R47, R49); nothing else changes, but that an unverified one makes its order be read."""
    with transaction.atomic():
        if may_keep_refused(account, now):
            event.save(force_insert=True)
            if event.result == UNVERIFIED:
                make_due(ORDER_HINT, hint_ref(account.pk, event.remote_order_id))
    return event.result


def refuse_unread(account: SupplierAccount, why: str, size: int) -> None:
    """Log a message refused before its body was read: too large, or not JSON."""
    now = timezone.now()
    found = Judgement().refuse(ERROR, "Content", why)
    event = new_event(account, b"", found, {}, now)
    event.size = min(size, 2**31 - 1)
    keep_refused(account, event, now)


def mark_event_applied(account_id: uuid.UUID, remote_order_id: str, *, note: str = "") -> int:
    """Mark what an account said of an order as applied, once the order was read; how many events were."""
    waiting = WebhookEvent.objects.filter(
        account_id=account_id, remote_order_id=remote_order_id, result__in=[BEING_HANDLED, ORDER_NOT_FOUND]
    )
    return waiting.update(result=APPLIED, applied_at=timezone.now(), result_note=note[:300])


def waiting_words(account_id: uuid.UUID, remote_order_id: str) -> list[str]:
    """The status words of events about an order that are not applied yet."""
    waiting = WebhookEvent.objects.filter(
        account_id=account_id, remote_order_id=remote_order_id, result__in=[BEING_HANDLED, ORDER_NOT_FOUND]
    )
    return list(waiting.values_list("remote_status", flat=True))


def mark_event_unmatched(account_id: uuid.UUID, remote_order_id: str) -> int:
    """Mark events of an order that we do not have (yet); they stay and can be matched later (R58)."""
    waiting = WebhookEvent.objects.filter(account_id=account_id, remote_order_id=remote_order_id, result=BEING_HANDLED)
    return waiting.update(result=ORDER_NOT_FOUND)


def replay_event(*, by: User, event: WebhookEvent) -> None:
    """Look at the order of a kept event again. Only events whose signature was right and that were not applied."""
    check_can(by, Permission.WEBHOOK_REPLAY)
    with transaction.atomic():
        changed = WebhookEvent.objects.filter(pk=event.pk, result__in=[BEING_HANDLED, ORDER_NOT_FOUND]).update(
            result=BEING_HANDLED
        )
        if not changed:
            raise Refused(
                "Only an event that passed every check and was not applied can be replayed. Nothing was changed."
            )
        make_due(ORDER_HINT, hint_ref(event.account_id, event.remote_order_id))
        record("webhook.replayed", by=by, subject=event, account=str(event.account), order=event.remote_order_id)


def replay_waiting(*, by: User) -> int:
    """Look again at the orders of events that passed every check and were not applied; how many orders.

    At most 200 at once, those waiting longest first. A message itself changes nothing: its order is read again.
    """
    check_can(by, Permission.WEBHOOK_REPLAY)
    waiting = WebhookEvent.objects.filter(result__in=[BEING_HANDLED, ORDER_NOT_FOUND]).order_by("received_at")
    with transaction.atomic():
        events = list(waiting.select_related("account").defer("body_sealed")[:REPLAYED_AT_ONCE])
        for event in events:
            record("webhook.replayed", by=by, subject=event, account=str(event.account), order=event.remote_order_id)
        orders = {hint_ref(event.account_id, event.remote_order_id) for event in events}
        for ref in sorted(orders):
            make_due(ORDER_HINT, ref)
        waiting.model.objects.filter(pk__in=[event.pk for event in events]).update(result=BEING_HANDLED)
    return len(orders)
