"""What pages and exports show of compared days."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import groupby, islice

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum
from django.utils import timezone

from ledger.money import Money, decimal_amount
from procurement.bookkeeping.balances import Purchase, iter_purchases
from procurement.bookkeeping.queries import Book, books_kept
from procurement.bookkeeping.statement import start_of
from procurement.claims.models import Case, Claim
from procurement.orders.models import Attempt, Code, Delivery
from procurement.reconciliation.facts import orders_by_id, records_by_id
from procurement.reconciliation.models import Day, Difference, SignOff
from procurement.reconciliation.states import KINDS
from procurement.reconciliation.window import WORK_KIND, Window
from procurement.staff.access import may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.clock import span_words
from procurement.web.nav import nav_count
from procurement.work.queries import next_due

MATCHED_SHOWN = 100
SIGN_BY_HOUR = 12
LOOK_BACK_DAYS = 7
CHUNK = 500


def days_for_list() -> QuerySet[Day]:
    """Every compared day: how many differences are open, since when the oldest is, and whether it is signed off."""
    still_open = Q(differences__gone_at__isnull=True)
    return Day.objects.select_related("account").annotate(
        open_count=Count("differences", filter=still_open),
        oldest=Min("differences__first_seen_at", filter=still_open),
        signed=Exists(SignOff.objects.filter(day=OuterRef("pk"), state="signed")),
    )


@nav_count("reconciliation:day_list")
def differences_waiting_for(user: User) -> int:
    """Differences nobody explained, for the people who do, and days that others prepared, for those who sign."""
    waiting = 0
    if may(user, Permission.RECONCILIATION_RUN):
        waiting += Difference.objects.filter(gone_at__isnull=True, cause="").exclude(kind="carried").count()
    if may(user, Permission.RECONCILIATION_SIGN):
        waiting += SignOff.objects.filter(state="prepared").exclude(prepared_by=user).count()
    return waiting


def unsigned_days(now: datetime) -> list[tuple[Book, list[date]]]:
    """Days of the last week that nobody signed by their hour, oldest first, for each book that has some.

    The hour is that of the next day, in UTC: `settings["sign_by_hour"]` of the account.
    """
    days = [now.date() - timedelta(days=back) for back in range(LOOK_BACK_DAYS, 0, -1)]
    found = SignOff.objects.filter(state="signed", day__day__in=days)
    signed = set(found.values_list("day__account_id", "day__currency", "day__day"))
    late = []
    for book in books_kept():
        wait = timedelta(days=1, hours=int(book.account.settings.get("sign_by_hour", SIGN_BY_HOUR)))
        due = [day for day in days if start_of(day) + wait <= now and day >= book.account.created_at.date()]
        mine = [day for day in due if (book.account.pk, book.currency, day) not in signed]
        late += [(book, mine)] if mine else []
    return late


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
        left = row.differences.filter(gone_at__isnull=True, cause="").count()
        words = "to explain" if left == total else f"of which {left} to explain" if left else "explained"
        return f"{total} {'difference' if total == 1 else 'differences'} {words}: {named}."
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
    difference: Decimal
    currency: str
    sentence: str
    since: datetime | None


def export_rows(row: Day) -> Iterator[ExportRow]:
    """Differences first, then every matched order."""
    for one in row.differences.filter(gone_at__isnull=True).select_related("order").order_by("kind", "reference"):
        remote_id = one.order.remote_id if one.order else ""
        amount = decimal_amount(one.amount_minor, one.currency)
        facts = (one.label, one.reference, remote_id, one.ours, one.theirs, amount, one.currency, one.sentence)
        yield ExportRow(*facts, since=one.first_seen_at)
    for matched in matched_rows(row):
        theirs = "" if matched.theirs is None else str(Money(matched.theirs, row.currency))
        ours = str(Money(matched.ours, row.currency))
        zero = decimal_amount(0, row.currency)
        yield ExportRow("Matched", matched.label, matched.remote_id, ours, theirs, zero, row.currency, "", matched.at)


def book_of(window: Window) -> Book:
    return Book(window.account, window.currency)
