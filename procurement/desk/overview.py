"""What needs this person now, whether the suppliers are up, and how today compares: facts for the overview."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils import timezone

from procurement.bookkeeping import postings
from procurement.catalog.models import Mapping, Sku
from procurement.claims.models import Case
from procurement.claims.window import CLAIM_WINDOW
from procurement.orders.models import Code, Order
from procurement.orders.states import UNCONFIRMED
from procurement.orders.views.approvals import waiting_for
from procurement.reconciliation.models import Difference
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission as P
from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount

DAYS = 14


@dataclass(frozen=True)
class Need:
    """One sentence and one button; `tone` orders the list, worst first."""

    tone: str
    sentence: str
    url: str
    action: str

    @property
    def word(self) -> str:
        return {"hold": "Uncertain", "bad": "Urgent"}.get(self.tone, "To do")


def plural(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def unconfirmed_orders(user: User) -> Iterable[Need]:
    if not may(user, P.ORDER_APPROVE, P.CASE_WORK, P.RECONCILIATION_RUN):
        return
    for order in Order.objects.filter(state__in=UNCONFIRMED).select_related("account").order_by("created_at")[:5]:
        url = reverse("orders:order_detail", args=[order.pk])
        yield Need(
            "hold",
            f"{order} at {order.account}: {order.status.label.lower()}. Do not order it again.",
            url,
            "Look at it",
        )


def approvals(user: User) -> Iterable[Need]:
    count = waiting_for(user)
    if count:
        yield Need(
            "attention",
            f"{plural(count, 'purchase waits', 'purchases wait')} for your approval.",
            reverse("approvals:request_list"),
            "Decide",
        )


def claims_due(user: User) -> Iterable[Need]:
    if not may(user, P.CASE_WORK):
        return
    now = timezone.now()
    start, end = now - CLAIM_WINDOW, now - CLAIM_WINDOW + timedelta(hours=48)
    cases = Case.objects.filter(
        state__in=["todo", "waiting_customer"], code__available_at__gt=start, code__available_at__lte=end
    )
    late = cases.exclude(code__claims__state__in=["filed", "unconfirmed"]).order_by("code__available_at")
    for case in late.select_related("order")[:5]:
        yield Need(
            "bad",
            f"{case} of {case.order}: less than 48 hours left to claim.",
            reverse("claims:case_detail", args=[case.pk]),
            "Open case",
        )
    todo = Case.objects.filter(state="todo").count()
    if todo:
        yield Need("attention", f"{plural(todo, 'case')} to do.", reverse("claims:case_list"), "Open queue")


def short_orders(user: User) -> Iterable[Need]:
    if not may(user, P.CASE_WORK, P.ORDER_CREATE):
        return
    count = Order.objects.filter(state="partial").count()
    if count:
        url = f"{reverse('orders:order_list')}?view=needs&state=partial"
        yield Need("attention", f"{plural(count, 'order')} came with fewer codes than ordered.", url, "Show")


def differences(user: User) -> Iterable[Need]:
    if not may(user, P.RECONCILIATION_RUN):
        return
    count = Difference.objects.filter(gone_at__isnull=True).count()
    if count:
        yield Need(
            "bad",
            f"{plural(count, 'difference')} with the suppliers to explain.",
            reverse("reconciliation:day_list"),
            "Explain",
        )


def mappings(user: User) -> Iterable[Need]:
    if may(user, P.MAPPING_ACTIVATE):
        drafts = Mapping.objects.filter(state="draft").exclude(drafted_by=user).count()
        if drafts:
            yield Need(
                "attention", f"{plural(drafts, 'drafted mapping')} to activate.", reverse("catalog:sku_list"), "Check"
            )
    if may(user, P.MAPPING_DRAFT):
        unmapped = Sku.objects.filter(active=True).exclude(mappings__state__in=["active", "draft"]).count()
        if unmapped:
            yield Need(
                "attention", f"{plural(unmapped, 'SKU')} sold without a mapping.", reverse("catalog:sku_list"), "Map"
            )


def accounts_in_trouble(user: User) -> Iterable[Need]:
    if not may(user, P.ACCOUNT_VIEW):
        return
    for account in SupplierAccount.objects.exclude(state="live"):
        url = reverse("suppliers:account_detail", args=[account.pk])
        tone = "attention" if account.state == "paused" else "bad"
        yield Need(tone, f"{account}: {account.status.label.lower()}. {account.paused_reason}".strip(), url, "Open")


ORDER_OF_TONES = ("hold", "bad", "attention")
SOURCES = (unconfirmed_orders, claims_due, approvals, accounts_in_trouble, differences, short_orders, mappings)


def needs_of(user: User) -> list[Need]:
    """What waits for this person's own hands, worst first."""
    found = [need for source in SOURCES for need in source(user)]
    return sorted(found, key=lambda need: ORDER_OF_TONES.index(need.tone))


@dataclass(frozen=True)
class AccountLine:
    """One supplier account in one line; balance in minor units, None where it was never read."""

    account: SupplierAccount
    snapshot: BalanceSnapshot | None
    free_minor: int
    last_exchange: Exchange | None


def account_lines() -> list[AccountLine]:
    lines = []
    for account in SupplierAccount.objects.order_by("name"):
        snapshot = account.snapshots.filter(currency=account.settlement_currency).order_by("-taken_at").first()
        exchange = account.exchanges.filter(status__lt=400).order_by("-started_at").first()
        free = postings.free_balance(account.code, account.settlement_currency)
        lines.append(AccountLine(account, snapshot, free, exchange))
    return lines


@dataclass(frozen=True)
class Daily:
    """One figure for each of the last 14 UTC days, oldest first; the last is today."""

    label: str
    values: list[int]

    @property
    def today(self) -> int:
        return self.values[-1]

    @property
    def week_ago(self) -> int:
        return self.values[-8]

    @property
    def note(self) -> str:
        return f"today; {self.week_ago:,} a week ago"


def spread(rows: Iterable[tuple[date, int]], today: date) -> list[int]:
    found = dict(rows)
    return [int(found.get(today - timedelta(days=back), 0) or 0) for back in range(DAYS - 1, -1, -1)]


def daily_figures() -> list[Daily]:
    """Orders, codes and failures of each day."""
    now = timezone.now()
    since, today = now - timedelta(days=DAYS), now.date()
    orders = Order.objects.filter(created_at__gte=since).annotate(on=TruncDate("created_at")).values_list("on")
    failed = orders.filter(state__in=["place_failed", "supplier_failed", "refunded"])
    codes = Code.objects.filter(stored_at__gte=since).annotate(on=TruncDate("stored_at")).values_list("on")
    return [
        Daily("Orders", spread(orders.annotate(n=Count("id")), today)),
        Daily("Codes received", spread(codes.annotate(n=Count("id")), today)),
        Daily("Failed orders", spread(failed.annotate(n=Count("id")), today)),
    ]


def daily_spend(currency: str) -> Daily:
    """What orders cost on each day, in minor units of one currency: currencies are never added together (R92)."""
    now = timezone.now()
    rows = Order.objects.filter(
        placed_at__gte=now - timedelta(days=DAYS), cost_currency=currency, total_cost_minor__isnull=False
    )
    days = rows.annotate(on=TruncDate("placed_at")).values_list("on").annotate(total=Sum("total_cost_minor"))
    return Daily(f"Spent, {currency}", spread(days, now.date()))
