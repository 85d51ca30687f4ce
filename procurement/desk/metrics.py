"""Figures for an operator's Prometheus: what waits, what moves, what is stuck. Gauges only, in a fixed number of queries.

No secret, no code, no customer: names of accounts, kinds, states and numbers. docs/operations.md says when to worry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Max, Min, OuterRef, Q, Subquery
from django.utils import timezone

from procurement.bookkeeping.forecast import covers
from procurement.claims.queries import case_counts
from procurement.orders.models import Lane, Order, RevealAlert
from procurement.orders.states import UNCONFIRMED
from procurement.reconciliation.models import Difference
from procurement.reconciliation.queries import unsigned_days
from procurement.suppliers.models import BalanceSnapshot, Exchange, RefusedCount, SupplierAccount, WebhookEvent
from procurement.work.models import DueWork, Loop, PeriodicSlot

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
Labels = tuple[tuple[str, str], ...]
Sample = tuple[Labels, float]


@dataclass(frozen=True)
class Metric:
    """One figure with what it says; `read(now)` gives a value for each set of labels."""

    name: str
    says: str
    read: Callable[[datetime], Iterable[Sample]]


def exposition() -> str:
    """Every metric in Prometheus' text format, version 0.0.4."""
    now, lines = timezone.now(), []
    for metric in METRICS:
        lines += [f"# HELP countersign_{metric.name} {metric.says}", f"# TYPE countersign_{metric.name} gauge"]
        for labels, value in metric.read(now):
            named = ",".join(f'{name}="{escaped(text)}"' for name, text in labels)
            lines.append(
                f"countersign_{metric.name}{{{named}}} {value:g}" if named else f"countersign_{metric.name} {value:g}"
            )
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def age(now: datetime, at: datetime | None) -> float:
    """Seconds since `at`; 0 where there is nothing."""
    return max(0.0, (now - at).total_seconds()) if at else 0.0


def due_work(now: datetime) -> Iterator[Sample]:
    for kind, count in DueWork.objects.values_list("kind").annotate(n=Count("pk")).order_by("kind"):
        yield (("kind", kind),), count


def overdue(now: datetime) -> Iterator[Sample]:
    rows = DueWork.objects.filter(due_at__lt=now).exclude(lease_until__gt=now)
    for kind, oldest in rows.values_list("kind").annotate(oldest=Min("due_at")).order_by("kind"):
        yield (("kind", kind),), age(now, oldest)


def failing(now: datetime) -> Iterator[Sample]:
    yield (), DueWork.objects.exclude(last_error="").count()


def loops(now: datetime) -> Iterator[Sample]:
    yield (), age(now, Loop.objects.aggregate(last=Max("last_seen_at"))["last"])


def jobs(now: datetime) -> Iterator[Sample]:
    done = PeriodicSlot.objects.values_list("job").annotate(last=Max("finished_at")).order_by("job")
    # Not "job": Prometheus keeps that label for itself and would rename ours.
    for job, last in done:
        if last:
            yield (("periodic_job", job),), age(now, last)


def orders(now: datetime) -> Iterator[Sample]:
    for state, count in Order.objects.values_list("state").annotate(n=Count("pk")).order_by("state"):
        yield (("state", state),), count


def oldest_unconfirmed(now: datetime) -> Iterator[Sample]:
    found = Order.objects.filter(state__in=UNCONFIRMED).aggregate(first=Min("approved_at"))
    yield (), age(now, found["first"])


def frozen_lanes(now: datetime) -> Iterator[Sample]:
    held = Lane.objects.filter(holder__state__in=["unknown", "placed_no_id"])
    for code, since in held.values_list("account__code", "taken_at").order_by("account__code"):
        yield (("account", code),), age(now, since)


def account_states(now: datetime) -> Iterator[Sample]:
    for code, state in SupplierAccount.objects.order_by("code").values_list("code", "state"):
        yield (("account", code), ("state", state)), 1


def blocked(now: datetime) -> Iterator[Sample]:
    for code, until in SupplierAccount.objects.order_by("code").values_list("code", "blocked_until"):
        yield (("account", code),), max(0.0, (until - now).total_seconds()) if until else 0


def calls(now: datetime) -> Iterator[Sample]:
    recent = Exchange.objects.filter(account__in=SupplierAccount.objects.all(), started_at__gt=now - MINUTE, sent=True)
    placing = Q(method="POST", subject_kind="orders.attempt")
    rows = recent.values_list("account__code").annotate(posts=Count("pk", filter=placing), n=Count("pk"))
    for code, posts, count in rows.order_by("account__code"):
        yield (("account", code), ("what", "orders")), posts
        yield (("account", code), ("what", "all")), count


def webhooks(now: datetime) -> Iterator[Sample]:
    recent = WebhookEvent.objects.filter(received_at__gt=now - DAY)
    for code, result, count in recent.values_list("account__code", "result").annotate(n=Count("pk")).order_by():
        yield (("account", code), ("result", result)), count


def refused_messages(now: datetime) -> Iterator[Sample]:
    rows = RefusedCount.objects.filter(day=now.date()).order_by("account__code")
    for code, count in rows.values_list("account__code", "count"):
        yield (("account", code),), count


def balances(now: datetime) -> Iterator[Sample]:
    newest = BalanceSnapshot.objects.filter(account=OuterRef("pk"), currency=OuterRef("settlement_currency"))
    rows = SupplierAccount.objects.annotate(left=Subquery(newest.order_by("-taken_at").values("available")[:1]))
    for code, currency, left in rows.order_by("code").values_list("code", "settlement_currency", "left"):
        if left is not None:
            yield (("account", code), ("currency", currency)), left


def unusual_reveals(now: datetime) -> Iterator[Sample]:
    yield (), RevealAlert.objects.filter(looked_by__isnull=True).count()


def claims(now: datetime) -> Iterator[Sample]:
    yield (), case_counts().due_soon


def differences(now: datetime) -> Iterator[Sample]:
    yield (), Difference.objects.filter(gone_at__isnull=True, cause="").exclude(kind="carried").count()


def cover(now: datetime) -> Iterator[Sample]:
    for one in covers():
        if one.days is not None:
            yield (("account", one.book.account.code), ("currency", one.book.currency)), one.days


def unsigned(now: datetime) -> Iterator[Sample]:
    for book, days in unsigned_days(now):
        yield (("account", book.account.code), ("currency", book.currency)), len(days)


METRICS = (
    Metric("due_work", "Pieces of work in the queue, by kind.", due_work),
    Metric("overdue_seconds", "How long the oldest piece of work that nobody holds has been due, by kind.", overdue),
    Metric("failing_work", "Pieces of work whose last run failed.", failing),
    Metric("loop_age_seconds", "Seconds since any work loop gave a sign of life.", loops),
    Metric("job_age_seconds", "Seconds since a periodic job last finished.", jobs),
    Metric("orders", "Orders by state.", orders),
    Metric(
        "unconfirmed_age_seconds", "Age of the oldest order nobody is sure of, from its approval.", oldest_unconfirmed
    ),
    Metric("lane_frozen_seconds", "How long an unconfirmed order has kept an account from placing.", frozen_lanes),
    Metric("account_state", "The state of each supplier account, as 1.", account_states),
    Metric("account_blocked_seconds", "For how long an account must not be called, as the supplier asked.", blocked),
    Metric("calls_last_minute", "Calls sent to an account in the last 60 seconds: all, and paid orders.", calls),
    Metric("webhook_events_last_day", "Webhook events of the last 24 hours by result.", webhooks),
    Metric("refused_messages_today", "Messages refused today, also those not kept.", refused_messages),
    Metric("balance_minor", "The newest balance of an account, in minor units of its settlement currency.", balances),
    Metric("unusual_reveals", "Unusual reveals that nobody looked at yet.", unusual_reveals),
    Metric("claims_due_soon", "Open cases with less than 48 hours left to claim.", claims),
    Metric("cover_days", "Days that a book's free balance lasts at the last 14 days' spending.", cover),
    Metric("days_unsigned", "Days of the last week that nobody signed by their hour.", unsigned),
    Metric("differences_unexplained", "Reconciliation differences nobody explained.", differences),
)
