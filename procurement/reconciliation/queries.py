"""What pages and exports show of compared days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, islice

from django.db.models import Count, Min, Q, QuerySet, Sum
from django.utils import timezone

from ledger.money import Money, plain_amount
from procurement.bookkeeping.balances import Purchase, iter_purchases
from procurement.bookkeeping.queries import Book
from procurement.claims.models import Case, Claim
from procurement.orders.models import Attempt, Code, Delivery
from procurement.reconciliation.facts import orders_by_id, records_by_id
from procurement.reconciliation.models import Day, Difference
from procurement.reconciliation.states import KINDS
from procurement.reconciliation.window import WORK_KIND, Window
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.clock import span_words
from procurement.web.nav import nav_count
from procurement.work.queries import next_due

MATCHED_SHOWN = 100
CHUNK = 500


def days_for_list() -> QuerySet[Day]:
    """Every compared day with how many differences are open, and since when the oldest is."""
    still_open = Q(differences__gone_at__isnull=True)
    return Day.objects.select_related("account").annotate(
        open_count=Count("differences", filter=still_open), oldest=Min("differences__first_seen_at", filter=still_open)
    )


@nav_count("reconciliation:day_list")
def differences_waiting_for(user: User) -> int:
    """Open differences, for the people who explain them."""
    if not may(user, Permission.RECONCILIATION_RUN):
        return 0
    return Difference.objects.filter(gone_at__isnull=True).exclude(kind="carried").count()


def day_of(window: Window) -> Day | None:
    rows = Day.objects.select_related("account")
    return rows.filter(account=window.account, currency=window.currency, day=window.day).first()


@dataclass(frozen=True)
class Running:
    """Whether the day is being compared now, or when it will be tried next (UTC)."""

    now: bool
    next_at: datetime | None


def running_of(window: Window) -> Running:
    due = next_due(WORK_KIND, window.ref)
    if due is None:
        return Running(False, None)
    return Running(True, None) if due <= timezone.now() else Running(False, due)


@dataclass(frozen=True)
class Shown:
    """One difference and its age in words."""

    difference: Difference
    age: str


@dataclass(frozen=True)
class Group:
    """All open differences of one kind."""

    label: str
    rows: list[Shown]


def differences_of(row: Day) -> list[Group]:
    """The open differences by kind, in the order in which kinds are listed."""
    now, order = timezone.now(), list(KINDS)
    found = row.differences.filter(gone_at__isnull=True).select_related("order")
    rows = sorted(found, key=lambda one: (order.index(one.kind), one.reference))
    return [
        Group(KINDS[kind], [Shown(one, span_words(now - one.first_seen_at)[0]) for one in same])
        for kind, same in groupby(rows, key=lambda one: one.kind)
    ]


def gone_differences(row: Day) -> QuerySet[Difference]:
    """Differences that an earlier run named and a later one did not find any more."""
    return row.differences.filter(gone_at__isnull=False).select_related("order").order_by("-gone_at", "reference")


def sentence_of(row: Day) -> str:
    """What the day says, in one line."""
    if row.state == "differs":
        kinds = (
            row.differences.filter(gone_at__isnull=True).values_list("kind").annotate(n=Count("id")).order_by("kind")
        )
        counts = [(KINDS[kind].lower(), n) for kind, n in kinds]
        total = sum(n for _, n in counts)
        named = ", ".join(f"{n} {label}" if n > 1 else label for label, n in counts)
        return f"{total} {'difference' if total == 1 else 'differences'} to explain: {named}."
    if row.state == "agrees":
        orders = f"{row.matched:,} {'order' if row.matched == 1 else 'orders'} matched"
        return f"Agrees: {orders}, nothing to explain."
    return waiting_words(row)


def waiting_words(row: Day) -> str:
    if row.unread:
        orders = f"{row.unread:,} {'order is' if row.unread == 1 else 'orders are'}"
        return f"{orders} still to be read at the supplier. Nothing is known to differ before that."
    if row.theirs_minor is None:
        return "The supplier's balance near the cut-off is not known. It is not zero; it was not read."
    return "The supplier could not be asked. The figures are ours alone."


@dataclass(frozen=True)
class MatchedRow:
    """An order both sides agree on; amounts in minor units, `theirs` None when the supplier states none."""

    label: str
    order_id: str
    remote_id: str
    at: datetime
    ours: int
    theirs: int | None


def matched_rows(row: Day) -> Iterator[MatchedRow]:
    """The orders of the day without a difference, oldest first, a chunk at a time."""
    differing = {str(pk) for pk in row.differences.filter(gone_at__isnull=True).values_list("order_id", flat=True)}
    start = row.ends_at - timedelta(days=1)
    bought = iter_purchases(row.account.code, row.currency, start, row.ends_at)
    matched = (purchase for purchase in bought if purchase.order_id not in differing)
    while chunk := list(islice(matched, CHUNK)):
        yield from with_records(row, chunk)


def with_records(row: Day, chunk: list[Purchase]) -> Iterator[MatchedRow]:
    orders = orders_by_id([purchase.order_id for purchase in chunk])
    records = records_by_id(row.account, [order.remote_id for order in orders.values() if order.remote_id])
    for purchase in chunk:
        order = orders.get(purchase.order_id)
        record = records.get(order.remote_id) if order else None
        if order and record:
            total = record.total_minor
            yield MatchedRow(order.client_order_id, str(order.pk), order.remote_id, purchase.at, purchase.cost, total)


def matched_shown(row: Day) -> list[MatchedRow]:
    return list(islice(matched_rows(row), MATCHED_SHOWN))


@dataclass(frozen=True)
class Counts:
    """What moved besides money on that day at that account: attempts, codes, files, cases, claims (R95)."""

    attempts: int
    failed: int
    files: int
    codes: int
    handed_over: int
    cases: int
    filed: int
    replaced: int
    credited: int
    credit_minor: int


def counts_of(window: Window) -> Counts:
    """Counts of the UTC day; currencies share them, because a code has no currency of cost."""
    day, account = (window.start, window.end - timedelta(microseconds=1)), window.account
    attempts = Attempt.objects.filter(account=account, sent_at__range=day)
    files = Delivery.objects.filter(order__account=account, fetched_at__range=day)
    claims = Claim.objects.filter(account=account)
    done = claims.filter(outcome_at__range=day).aggregate(
        replaced=Count("pk", filter=Q(state="replaced")),
        credited=Count("pk", filter=Q(state="credited")),
        credit_minor=Sum("credit_minor", filter=Q(state="credited")),
    )
    tried = attempts.aggregate(all=Count("pk"), failed=Count("pk", filter=Q(state="not_placed")))
    came = files.aggregate(files=Count("pk"), codes=Sum("count"))
    return Counts(
        attempts=tried["all"],
        failed=tried["failed"],
        files=came["files"],
        codes=came["codes"] or 0,
        handed_over=Code.objects.filter(account=account, handed_over_at__range=day).count(),
        cases=Case.objects.filter(order__account=account, opened_at__range=day).count(),
        filed=claims.filter(filed_at__range=day).count(),
        replaced=done["replaced"],
        credited=done["credited"],
        credit_minor=done["credit_minor"] or 0,
    )


@dataclass(frozen=True)
class ExportRow:
    """One line of a day's export."""

    kind: str
    order: str
    remote_id: str
    ours: str
    theirs: str
    difference: str
    currency: str
    sentence: str
    since: datetime | None


def export_rows(row: Day) -> Iterator[ExportRow]:
    """Differences first, then every matched order."""
    for one in row.differences.filter(gone_at__isnull=True).select_related("order").order_by("kind", "reference"):
        remote_id = one.order.remote_id if one.order else ""
        amount = plain_amount(one.amount_minor, one.currency)
        facts = (one.label, one.reference, remote_id, one.ours, one.theirs, amount, one.currency, one.sentence)
        yield ExportRow(*facts, since=one.first_seen_at)
    for matched in matched_rows(row):
        theirs = "" if matched.theirs is None else str(Money(matched.theirs, row.currency))
        ours = str(Money(matched.ours, row.currency))
        zero = plain_amount(0, row.currency)
        yield ExportRow("Matched", matched.label, matched.remote_id, ours, theirs, zero, row.currency, "", matched.at)


def book_of(window: Window) -> Book:
    return Book(window.account, window.currency)
