"""What needs this person now, whether the suppliers are up, and how today compares: facts for the overview."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Aggregate, Count, Q, QuerySet, Sum
from django.urls import reverse
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import postings
from procurement.bookkeeping.statement import start_of
from procurement.catalog.models import Mapping, Sku
from procurement.claims.models import Case
from procurement.claims.window import CLAIM_WINDOW
from procurement.orders.models import Delivery, Order
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
    for order in (
        Order.objects.filter(state__in=UNCONFIRMED)
        .exclude(requested_by=user)
        .select_related("account")
        .order_by("created_at")[:5]
    ):
        url = reverse("orders:order_detail", args=[order.pk])
        yield Need(
            "hold",
            f"{order} at {order.account}: {order.status.label.lower()}. Do not order it again.",
            url,
            "Look at it",
        )


def own_orders(user: User) -> Iterable[Need]:
    """What a buyer asked for and must know of: came back as a draft, or nobody is sure of it."""
    mine = Order.objects.filter(requested_by=user).order_by("-created_at")
    sent_back = ApprovalRequest.objects.filter(requested_by=user, state="sent_back").order_by("-decided_at")[:20]
    reasons = {request.subject_id: request.decision_reason for request in sent_back}
    for order in mine.filter(state="draft", pk__in=list(reasons))[:3]:
        yield Need("attention", f"{order} was sent back: “{reasons[str(order.pk)]}”", order_url(order), "Look at it")
    for order in mine.filter(state="draft").exclude(problem="")[:3]:
        yield Need("attention", f"{order} came back to you: {order.problem}", order_url(order), "Look at it")
    for order in mine.filter(state__in=UNCONFIRMED)[:3]:
        sentence = f"Your {order} at {order.account}: {order.status.label.lower()}. Do not order it again."
        yield Need("hold", sentence, order_url(order), "Look at it")


def order_url(order: Order) -> str:
    return reverse("orders:order_detail", args=[order.pk])


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
    count = Difference.objects.filter(gone_at__isnull=True).exclude(kind="carried").count()
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
SOURCES = (
    own_orders,
    unconfirmed_orders,
    claims_due,
    approvals,
    accounts_in_trouble,
    differences,
    short_orders,
    mappings,
)


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


def each_day(rows: QuerySet[Any], moment: str, figure: type[Aggregate], of: str) -> list[int]:
    """`figure` of the field `of` for each of the last 14 UTC days by the time in `moment`, oldest first, in one query.

    Compared with each day's ends instead of grouped by date: SQLite would call back into Python for every row.
    """
    today = start_of(timezone.now().date())
    starts = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    of_day = [Q((f"{moment}__gte", start), (f"{moment}__lt", start + timedelta(days=1))) for start in starts]
    figures = {f"day_{number}": figure(of, filter=match) for number, match in enumerate(of_day)}
    found = rows.filter((f"{moment}__gte", starts[0])).aggregate(**figures)
    return [int(found[name] or 0) for name in figures]


def daily_figures() -> list[Daily]:
    """Orders, codes and failures of each day."""
    failed = Order.objects.filter(state__in=["place_failed", "supplier_failed", "refunded"])
    return [
        Daily("Orders", each_day(Order.objects.all(), "created_at", Count, "pk")),
        Daily("Codes received", each_day(Delivery.objects.all(), "fetched_at", Sum, "count")),
        Daily("Failed orders", each_day(failed, "created_at", Count, "pk")),
    ]


def daily_spend(currency: str) -> Daily:
    """What orders cost on each day, in minor units of one currency: currencies are never added together (R92)."""
    rows = Order.objects.filter(cost_currency=currency, total_cost_minor__isnull=False)
    return Daily(f"Spent, {currency}", each_day(rows, "placed_at", Sum, "total_cost_minor"))
