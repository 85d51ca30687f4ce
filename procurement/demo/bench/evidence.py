"""What surrounds the orders: calls to suppliers, webhook messages, balance readings, the record, compared days."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from procurement.audit.chain import event_bytes
from procurement.audit.models import AuditEvent
from procurement.claims.models import Case
from procurement.demo.bench.orders import Made, digest
from procurement.demo.bench.shop import Shop
from procurement.orders.models import Order
from procurement.reconciliation.models import Day, Difference
from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount, WebhookEvent
from procurement.vault import Purpose, authenticate

RESULTS = {5: "order_not_found", 9: "bad_signature", 15: "duplicate"}
ANSWER = '{"id": "R-0000", "status": "completed", "currency": "USD", "codes": ["****-****-AAAA"]}' * 4
STORY: tuple[tuple[str, dict[str, object]], ...] = (
    ("order.drafted", {}),
    ("order.submitted", {}),
    ("order.approved", {}),
    ("order.placed", {"remote_id": "R-0000"}),
    ("order.codes_stored", {"count": 5}),
)


def write_evidence(shop: Shop, made: Sequence[Made]) -> None:
    """Per order two calls, one balance reading, two messages and five events; one event per case."""
    Exchange.objects.bulk_create([call for one in made for call in calls_of(one)])
    BalanceSnapshot.objects.bulk_create([snapshot_of(one) for one in made])
    WebhookEvent.objects.bulk_create([message for one in made if one.order.remote_id for message in messages_of(one)])
    AuditEvent.objects.bulk_create([event for one in made for event in story_of(shop, one)])


def calls_of(one: Made) -> Iterator[Exchange]:
    """The order and a status call. Only one supplier says how many calls remain; one call in a hundred fails."""
    for purpose, method in (("place order", "POST"), ("order status", "GET")):
        failed = one.rank % 100 == 23
        yield Exchange(
            account=one.order.account, request_id=uuid.uuid4(), purpose=purpose, method=method, path="/orders",
            subject_kind="orders.attempt", subject_id=str(one.attempt.pk) if one.attempt else "",
            started_at=one.order.created_at, duration_ms=240, sent=True, status=503 if failed else 200,
            remaining_calls=59 if one.order.account.code == "psnb2b" else None, outcome="failed" if failed else "ok",
            request_body="{}" * 100, response_body=ANSWER,
        )  # fmt: skip


def snapshot_of(one: Made) -> BalanceSnapshot:
    return BalanceSnapshot(
        account=one.order.account,
        currency="USD",
        available=1_000_000 + one.number,
        taken_at=one.order.created_at,
        request_id=uuid.uuid4(),
    )


def messages_of(one: Made) -> Iterator[WebhookEvent]:
    for status in ("paid", "completed"):
        yield WebhookEvent(
            account=one.order.account, received_at=one.order.created_at, dedupe_key=f"{one.number}-{status}",
            event_id=f"evt-{one.number}-{status}", event_type="order.updated", remote_order_id=one.order.remote_id,
            remote_status=status, occurred_at=one.order.created_at, result=RESULTS.get(one.rank % 50, "applied"),
            checks=[], headers={"Content-Type": "application/json"}, body_sealed=b"-" * 400,
            body_sha256=digest(f"{one.number} {status}").hex(), size=372, applied_at=one.order.created_at,
        )  # fmt: skip


def story_of(shop: Shop, one: Made) -> Iterator[AuditEvent]:
    """The order's events by the people who cause them, and the case's first."""
    buyer = shop.people["buyer"]
    subjects: list[tuple[Order | Case, str, dict[str, object]]] = [
        (one.order, action, {**facts}) for action, facts in STORY
    ]
    if one.case:
        subjects.append((one.case, "case.opened", {}))
    for step, (subject, action, facts) in enumerate(subjects):
        event = AuditEvent(
            at=one.order.created_at + timedelta(seconds=step), action=action, actor=buyer, actor_name=str(buyer),
            subject_kind=subject._meta.label_lower, subject_id=str(subject.pk), subject_label=str(subject), facts=facts,
            request_id=f"{one.number}-{step}",
        )  # fmt: skip
        event.mac = authenticate(event_bytes(event), purpose=Purpose.AUDIT_MAC)
        yield event


def write_days(shop: Shop, days: int) -> None:
    """The last `days` days of each account, every tenth with a difference."""
    rows = [day_of(account, shop.ends.date(), back) for back in range(days) for account in shop.accounts]
    Day.objects.bulk_create(rows)
    Difference.objects.bulk_create([difference_of(day) for day in rows if day.state == "differs"])


def day_of(account: SupplierAccount, last: date, back: int) -> Day:
    state = "agrees" if back % 10 else "differs"
    return Day(
        account=account, currency="USD", day=last - timedelta(days=back), theirs_minor=0, matched=10, state=state
    )


def difference_of(day: Day) -> Difference:
    sentence = "The supplier holds 5.00 USD less than we do."
    return Difference(
        day=day, kind="balance", reference="balance", amount_minor=-500, currency="USD", sentence=sentence
    )
