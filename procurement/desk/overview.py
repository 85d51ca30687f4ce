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
from procurement.bookkeeping.corrections import corrections_to_confirm
from procurement.bookkeeping.forecast import covers
from procurement.bookkeeping.queries import deposits_to_confirm, late_deposits
from procurement.bookkeeping.statement import start_of
from procurement.catalog.models import Mapping, Sku
from procurement.claims.models import Case
from procurement.claims.queries import cases_due_soon
from procurement.onboarding.queries import contradictions
from procurement.orders.models import Delivery, Order
from procurement.orders.services.bringing_in import imports_to_decide
from procurement.orders.services.handing_over import files_to_release
from procurement.orders.states import UNCONFIRMED
from procurement.orders.unconfirmed import waiting_for as waiting_for_verdict
from procurement.orders.views.approvals import waiting_for
from procurement.orders.watching import alerts_to_look_at
from procurement.reconciliation.models import Difference
from procurement.reconciliation.queries import unsigned_days
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission as P
from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount
from procurement.terms.queries import waiting_for as waiting_for_agreement

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
    """All of them in one line, however many: their page has each with its evidence (R28)."""
    if not may(user, P.ORDER_APPROVE, P.CASE_WORK, P.RECONCILIATION_RUN):
        return
    count = Order.objects.filter(state__in=UNCONFIRMED).exclude(requested_by=user).count()
    if count:
        mine = waiting_for_verdict(user)
        yours = f" {mine} of them {'waits' if mine == 1 else 'wait'} for you." if mine else ""
        sentence = f"{plural(count, 'order is', 'orders are')} unconfirmed. Do not order them again.{yours}"
        yield Need("hold", sentence, reverse("orders:unconfirmed_list"), "Look at the evidence")


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
        yield Need("hold", sentence, reverse("orders:unconfirmed_order", args=[order.pk]), "Look at it")


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
    for case in cases_due_soon(limit=5):
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
    if not may(user, P.CASE_WORK, P.ORDER_CREATE, P.RECONCILIATION_RUN):
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


def deposits(user: User) -> Iterable[Need]:
    """Money that should have been credited by now, and what waits for a second person."""
    if may(user, P.DEPOSIT_RECORD):
        for row in late_deposits()[:3]:
            since = f"{row.announced_at.day} {row.announced_at:%b}"
            sentence = f"Deposit {row.reference} at {row.account}: announced {since} and not credited."
            yield Need("bad", sentence, reverse("bookkeeping:deposit_detail", args=[row.pk]), "Look into it")
    count = deposits_to_confirm(user) if may(user, P.DEPOSIT_CONFIRM) else 0
    if count:
        url = f"{reverse('bookkeeping:deposit_list')}?state=confirmed"
        yield Need(
            "attention", f"{plural(count, 'deposit waits', 'deposits wait')} for a second person.", url, "Confirm"
        )


def low_balances(user: User) -> Iterable[Need]:
    if may(user, P.DEPOSIT_RECORD, P.ORDER_CREATE):
        for cover in covers():
            if cover.is_low:
                url = f"{reverse('bookkeeping:ledger')}?account={cover.book.key}"
                yield Need("bad", f"{cover.book}: {cover.sentence}", url, "Look at it")


def unsigned(user: User) -> Iterable[Need]:
    if may(user, P.RECONCILIATION_SIGN):
        for book, days in unsigned_days(timezone.now()):
            first = f"{days[0].day} {days[0]:%b}"
            which = f"{first} is" if len(days) == 1 else f"{plural(len(days), 'day')} from {first} on are"
            url = f"{reverse('reconciliation:day_list')}?supplier={book.account.code}"
            yield Need("attention", f"{book}: {which} not signed off.", url, "Sign off")


def corrections(user: User) -> Iterable[Need]:
    waiting = corrections_to_confirm(user)
    if waiting:
        url = reverse("bookkeeping:correction_detail", args=[waiting[0].pk])
        sentence = f"{plural(len(waiting), 'correction waits', 'corrections wait')} for a second person."
        yield Need("attention", sentence, url, "Decide")


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


def terms_to_agree(user: User) -> Iterable[Need]:
    """What another administrator wrote down and this one may confirm, and what has to be asked for anew."""
    if not may(user, P.ACCOUNT_MANAGE):
        return
    for waiting in waiting_for_agreement(user):
        url = reverse("terms:account_terms", args=[waiting.account_id])
        if waiting.to_agree:
            count = plural(waiting.to_agree, "statement or answer", "statements or answers")
            yield Need("attention", f"{waiting.name}: {count} to confirm.", url, "Look them up")
        if waiting.expired:
            yield Need("attention", f"{waiting.name}: {plural(waiting.expired, 'term')} expired.", url, "Ask anew")


def broken_contracts(user: User) -> Iterable[Need]:
    """Accounts that do otherwise than their contract says, found by the last probe that looked."""
    if not may(user, P.ACCOUNT_MANAGE):
        return
    for account, says in contradictions().items():
        said = f"{account} contradicts {plural(len(says), 'clause')} of its contract: “{says[0]}”"
        yield Need("bad", said, reverse("onboarding:contract_detail", args=[account.pk]), "Look at it")


def unusual_reveals(user: User) -> Iterable[Need]:
    """Somebody saw codes in an unusual way; whoever reads the record looks into it."""
    count = alerts_to_look_at(user) if may(user, P.AUDIT_VIEW) else 0
    if count:
        sentence = f"{plural(count, 'unusual reveal')} of codes to look at."
        yield Need("bad", sentence, reverse("orders:alert_list"), "Look at it")


def delivery_files(user: User) -> Iterable[Need]:
    count = files_to_release(user) if may(user, P.CODE_RELEASE) else 0
    if count:
        sentence = f"{plural(count, 'delivery file waits', 'delivery files wait')} for a second person."
        yield Need("attention", sentence, f"{reverse('orders:delivery_list')}?view=waiting", "Decide")


def codes_by_hand(user: User) -> Iterable[Need]:
    for batch in imports_to_decide(user):
        sentence = f"{plural(batch.count, 'code')} of {batch.order} came by hand and {'waits' if batch.count == 1 else 'wait'} for you."
        yield Need("attention", sentence, reverse("orders:import_detail", args=[batch.pk]), "Decide")


ORDER_OF_TONES = ("hold", "bad", "attention")
SOURCES = (
    own_orders,
    unconfirmed_orders,
    claims_due,
    unusual_reveals,
    approvals,
    delivery_files,
    codes_by_hand,
    accounts_in_trouble,
    broken_contracts,
    differences,
    low_balances,
    unsigned,
    deposits,
    corrections,
    short_orders,
    mappings,
    terms_to_agree,
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
