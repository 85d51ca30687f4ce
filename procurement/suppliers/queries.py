"""What pages show of supplier accounts, exchanges and webhook events."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.db.models import Count, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from ledger.money import exponent
from procurement.states import Status
from procurement.suppliers.budget import Use, use_of
from procurement.suppliers.clients.redaction import readable
from procurement.suppliers.models import BalanceSnapshot, Exchange, RefusedCount, SupplierAccount, WebhookEvent
from procurement.suppliers.states import BEING_HANDLED, ORDER_NOT_FOUND, REFUSED_RESULTS
from procurement.vault import Purpose, SealBroken, open_sealed

CHART_HOURS = 48
CHART_POINTS = 60
EXCHANGES_SHOWN = 30
BODY_SHOWN = 64 * 1024
LIMIT_WORDS = {"all": "All calls", "orders": "Orders", "polls": "Order status"}


def accounts() -> QuerySet[SupplierAccount]:
    return SupplierAccount.objects.order_by("name", "code")


def latest_balances(account: SupplierAccount) -> list[BalanceSnapshot]:
    """The last snapshot of every currency the last reading named."""
    last = BalanceSnapshot.objects.filter(account=account).order_by("-taken_at", "-pk").first()
    if last is None:
        return []
    return list(BalanceSnapshot.objects.filter(account=account, request_id=last.request_id).order_by("currency"))


def balance_before(account: SupplierAccount, currency: str, moment: datetime) -> BalanceSnapshot | None:
    """The last snapshot of one currency taken at or before `moment` (UTC)."""
    rows = BalanceSnapshot.objects.filter(account=account, currency=currency, taken_at__lte=moment)
    return rows.order_by("-taken_at", "-pk").first()


@dataclass(frozen=True)
class Line:
    """A balance over time as (label, major units as a number for drawing only)."""

    currency: str
    points: list[tuple[str, float]]


def _thinned(rows: list[Any]) -> list[Any]:
    """At most CHART_POINTS rows, evenly chosen, the last always among them."""
    step = max(1, -(-len(rows) // CHART_POINTS))
    return rows[::-1][::step][::-1]


def balance_lines(account: SupplierAccount) -> list[Line]:
    """The balance of each currency over the last two days, for drawing."""
    since = timezone.now() - timedelta(hours=CHART_HOURS)
    rows = BalanceSnapshot.objects.filter(account=account, taken_at__gte=since).order_by("taken_at", "pk")
    by_currency: dict[str, list[tuple[datetime, int]]] = {}
    for currency, taken_at, available in rows.values_list("currency", "taken_at", "available").iterator():
        by_currency.setdefault(currency, []).append((taken_at, available))
    return [
        Line(
            currency, [(f"{at:%d %b %H:%M}", available / 10 ** exponent(currency)) for at, available in _thinned(found)]
        )
        for currency, found in sorted(by_currency.items())
    ]


@dataclass(frozen=True)
class Health:
    """How an account is doing, for one line of a page."""

    account: SupplierAccount
    balances: list[BalanceSnapshot]
    last_success: datetime | None
    last_failure: Exchange | None
    remaining_calls: int | None
    blocked_until: datetime | None
    last_event_at: datetime | None
    refused_today: int

    @property
    def status(self) -> Status:
        return self.account.status


def health_of(account: SupplierAccount) -> Health:
    """The account's balance, last success and failure, limits and webhook state."""
    now = timezone.now()
    calls = Exchange.objects.filter(account=account).order_by("-started_at")
    good = Q(status__gte=200, status__lt=300, error_class="")
    counted = calls.filter(remaining_calls__isnull=False).first()
    blocked = account.blocked_until if account.blocked_until and account.blocked_until > now else None
    return Health(
        account=account,
        balances=latest_balances(account),
        last_success=calls.filter(good).values_list("started_at", flat=True).first(),
        last_failure=calls.exclude(good).exclude(outcome="under way").first(),
        remaining_calls=counted.remaining_calls if counted else None,
        blocked_until=blocked,
        last_event_at=last_event_at(account),
        refused_today=refused_today(account),
    )


def all_health() -> list[Health]:
    return [health_of(account) for account in accounts()]


def last_event_at(account: SupplierAccount) -> datetime | None:
    """When the last message with a right signature came."""
    events = WebhookEvent.objects.filter(account=account).exclude(result__in=REFUSED_RESULTS)
    return events.order_by("-received_at").values_list("received_at", flat=True).first()


def refused_today(account: SupplierAccount | None = None) -> int:
    """Messages refused since midnight UTC, also those not kept as rows."""
    rows = RefusedCount.objects.filter(day=timezone.now().date())
    return sum((rows.filter(account=account) if account else rows).values_list("count", flat=True))


def recent_exchanges(account: SupplierAccount) -> list[Exchange]:
    return list(account.exchanges.order_by("-started_at").defer("request_body", "response_body")[:EXCHANGES_SHOWN])


def exchanges_about(kind: str, ref: str) -> QuerySet[Exchange]:
    """Every call made for one subject, oldest first: the evidence of an attempt or a claim."""
    return Exchange.objects.filter(subject_kind=kind, subject_id=ref).order_by("started_at")


@dataclass(frozen=True)
class LimitUse:
    words: str
    use: Use


def limits_of(account: SupplierAccount) -> list[LimitUse]:
    return [LimitUse(LIMIT_WORDS[use.name], use) for use in use_of(account)]


def hook_url(account: SupplierAccount) -> str:
    """The address to give the supplier, as it is reached from outside (R56)."""
    return urljoin(settings.SITE_URL + "/", reverse("suppliers:hook", args=[account.hook_slug]))


def events_for_list() -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.select_related("account").defer("body_sealed")


def events_of_order(account_id: uuid.UUID, remote_order_id: str) -> QuerySet[WebhookEvent]:
    """What one account said of one order, oldest first; never refused messages."""
    found = WebhookEvent.objects.filter(account_id=account_id, remote_order_id=remote_order_id)
    return found.exclude(result__in=REFUSED_RESULTS).defer("body_sealed").order_by("received_at")


def unmatched_events(account_id: uuid.UUID, since: datetime, until: datetime) -> QuerySet[WebhookEvent]:
    """Signed messages about orders we do not know, received in [since, until): evidence for a lost answer (R58)."""
    found = WebhookEvent.objects.filter(
        account_id=account_id, result=ORDER_NOT_FOUND, received_at__gte=since, received_at__lt=until
    )
    return found.defer("body_sealed").order_by("received_at")


def event_body(event: WebhookEvent) -> str:
    """The message as text with codes masked, at most 64 kB; a sentence when it can't be opened."""
    if not event.body_sealed:
        return ""
    try:
        raw = open_sealed(event.body_sealed, purpose=Purpose.WEBHOOK, context=event.context()).expose_bytes()
    except SealBroken:
        return "[The stored message could not be opened.]"
    return readable(raw, most=BODY_SHOWN)


@dataclass(frozen=True)
class EventsInWords:
    last_at: datetime | None
    refused_today: int
    unmatched: int
    waiting: int
    last_hour: int
    day_before: int


def events_in_words() -> EventsInWords:
    """The first line of the webhook log."""
    now = timezone.now()
    hour = timedelta(hours=1)
    real = WebhookEvent.objects.exclude(result__in=REFUSED_RESULTS)
    # Two counts, each over a range of an index: the log keeps everything, and most of it is applied and long ago.
    open_ones = WebhookEvent.objects.filter(result__in=[ORDER_NOT_FOUND, BEING_HANDLED])
    counts = open_ones.aggregate(
        unmatched=Count("pk", filter=Q(result=ORDER_NOT_FOUND)), waiting=Count("pk", filter=Q(result=BEING_HANDLED))
    )
    counts |= real.filter(received_at__gte=now - 25 * hour).aggregate(
        last_hour=Count("pk", filter=Q(received_at__gte=now - hour)),
        day_before=Count("pk", filter=Q(received_at__lt=now - 24 * hour)),
    )
    last = real.order_by("-received_at").values_list("received_at", flat=True).first()
    return EventsInWords(last_at=last, refused_today=refused_today(), **counts)
