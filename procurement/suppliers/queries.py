"""What pages show of supplier accounts, exchanges and webhook events."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urljoin

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from procurement.suppliers.clients.redaction import readable
from procurement.suppliers.models import (
    BalanceSnapshot,
    Exchange,
    RefusedCount,
    SupplierAccount,
    WebhookEvent,
)
from procurement.suppliers.standing import Standing, standing_of
from procurement.suppliers.states import BEING_HANDLED, NOT_PROVEN, ORDER_NOT_FOUND
from procurement.vault import Purpose, SealBroken, open_sealed
from procurement.web.subjects import links_of
from procurement.work.queries import waiting_by_rank
from procurement.work.registry import CLAIMS, CODES, FIRST, LAST, POLLS, USUAL

EXCHANGES_SHOWN = 30
BODY_SHOWN = 64 * 1024
# Who waits for a place, in the order in which they get one.
WAITING_WORDS = {
    FIRST: "order to be sent|orders to be sent",
    CODES: "order to be read|orders to be read",
    CLAIMS: "claim",
    USUAL: "other call",
    POLLS: "search for an order|searches for orders",
    LAST: "price list",
}


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
class Health:
    """How an account is doing, for one line of a page."""

    account: SupplierAccount
    standing: Standing
    balances: list[BalanceSnapshot]
    last_success: datetime | None
    last_failure: Exchange | None
    remaining_calls: int | None
    last_event_at: datetime | None
    refused_today: int


def health_of(account: SupplierAccount) -> Health:
    """The account's balance, last success and failure, limits and webhook state."""
    calls = Exchange.objects.filter(account=account).order_by("-started_at")
    good = Q(status__gte=200, status__lt=300, error_class="")
    counted = calls.filter(remaining_calls__isnull=False).first()
    return Health(
        account=account,
        standing=standing_of(account),
        balances=latest_balances(account),
        last_success=calls.filter(good).values_list("started_at", flat=True).first(),
        last_failure=calls.exclude(good).exclude(outcome="under way").first(),
        remaining_calls=counted.remaining_calls if counted else None,
        last_event_at=last_event_at(account),
        refused_today=refused_today(account),
    )


def all_health() -> list[Health]:
    return [health_of(account) for account in accounts()]


def last_event_at(account: SupplierAccount) -> datetime | None:
    """When the last message with a right signature came."""
    events = WebhookEvent.objects.filter(account=account).exclude(result__in=NOT_PROVEN)
    return events.order_by("-received_at").values_list("received_at", flat=True).first()


def refused_today(account: SupplierAccount | None = None) -> int:
    """Messages refused since midnight UTC, also those not kept as rows."""
    rows = RefusedCount.objects.filter(day=timezone.now().date())
    return sum((rows.filter(account=account) if account else rows).values_list("count", flat=True))


def turned_away_today() -> int:
    """Messages that came too fast today (UTC) and were not looked at."""
    return sum(RefusedCount.objects.filter(day=timezone.now().date()).values_list("throttled", flat=True))


def signed_by_secret(account: SupplierAccount) -> dict[str, datetime]:
    """When the last message of the past week came that each secret signed; while two are taken it says whether to wait."""
    week = WebhookEvent.objects.filter(account=account, received_at__gte=timezone.now() - timedelta(days=7))
    signed = week.exclude(signed_by="").values_list("signed_by").annotate(last=Max("received_at"))
    return dict(signed.order_by("signed_by"))


def recent_exchanges(account: SupplierAccount) -> list[Exchange]:
    rows = account.exchanges.order_by("-started_at").defer("request_body", "response_body")
    return with_subjects(list(rows[:EXCHANGES_SHOWN]))


def with_subjects(exchanges: list[Exchange]) -> list[Exchange]:
    """The same rows, each knowing what it was for; one query for each kind of object."""
    links = links_of((row.subject_kind, row.subject_id) for row in exchanges)
    for row in exchanges:
        row.subject = links.get((row.subject_kind, row.subject_id))
    return exchanges


def exchanges_about(kind: str, ref: str) -> QuerySet[Exchange]:
    """Every call made for one subject, oldest first: the evidence of an attempt or a claim."""
    return Exchange.objects.filter(subject_kind=kind, subject_id=ref).order_by("started_at")


def waiting_for(account: SupplierAccount) -> list[tuple[int, str]]:
    """How many wait for a call to this account, with the noun of each class, the most urgent first (R44, R45)."""
    counts = waiting_by_rank(str(account.pk), but="account.balance")
    return [(counts[rank], words) for rank, words in WAITING_WORDS.items() if rank in counts]


def hook_url(account: SupplierAccount) -> str:
    """The address to give the supplier, as it is reached from outside (R56)."""
    return urljoin(settings.SITE_URL + "/", reverse("suppliers:hook", args=[account.hook_slug]))


def events_for_list() -> QuerySet[WebhookEvent]:
    return WebhookEvent.objects.select_related("account").defer("body_sealed")


def events_of_order(account_id: uuid.UUID, remote_order_id: str) -> QuerySet[WebhookEvent]:
    """What one account said of one order, oldest first; never refused messages."""
    found = WebhookEvent.objects.filter(account_id=account_id, remote_order_id=remote_order_id)
    return found.exclude(result__in=NOT_PROVEN).defer("body_sealed").order_by("received_at")


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
    turned_away: int
    unmatched: int
    waiting: int
    last_hour: int
    day_before: int


def events_in_words() -> EventsInWords:
    """The first line of the webhook log."""
    now = timezone.now()
    hour = timedelta(hours=1)
    real = WebhookEvent.objects.exclude(result__in=NOT_PROVEN)
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
    return EventsInWords(last_at=last, refused_today=refused_today(), turned_away=turned_away_today(), **counts)
