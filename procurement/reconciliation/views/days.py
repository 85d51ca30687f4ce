"""The compared days, one day, and asking for a day to be compared."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from django.contrib import messages
from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ledger.money import decimal_amount
from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.bookkeeping.deposit_views import read
from procurement.bookkeeping.queries import books_kept
from procurement.bookkeeping.volume import gates
from procurement.errors import Missing, Refused
from procurement.reconciliation import queries
from procurement.reconciliation.documents import documents_of
from procurement.reconciliation.evidence import add_day_evidence
from procurement.reconciliation.matching import proposals_for
from procurement.reconciliation.models import Day, DayEvidence
from procurement.reconciliation.queries import ExportRow
from procurement.reconciliation.services import ask_for_day
from procurement.reconciliation.signing import standing_of
from procurement.reconciliation.statements import statement_of
from procurement.reconciliation.states import CAUSES, DAY
from procurement.reconciliation.window import Window, window_of
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.web.exports import FORMATS, file_response, table_response
from procurement.web.http import Request, see_other
from procurement.web.lists import Column, Filter, ListSpec, Tab, list_page
from procurement.web.once import once


def decimal(minor: int | None, row: Day) -> Decimal | None:
    return None if minor is None else decimal_amount(minor, row.currency)


DAY_COLUMNS: list[Column[Day]] = [
    Column("day", lambda row: row.day.isoformat()),
    Column("supplier account", lambda row: row.account.code),
    Column("currency", lambda row: row.currency),
    Column("opening", lambda row: decimal(row.opening_minor, row)),
    Column("deposits", lambda row: decimal(row.deposits_minor, row)),
    Column("orders", lambda row: decimal(row.orders_minor, row)),
    Column("credits", lambda row: decimal(row.credits_minor, row)),
    Column("ours", lambda row: decimal(row.ours_minor, row)),
    Column("theirs", lambda row: decimal(row.theirs_minor, row)),
    Column("difference", lambda row: decimal(row.difference_minor, row)),
    Column("differences open", lambda row: row.open_count),  # type: ignore[attr-defined]
    Column("state", lambda row: row.status.label),
    Column("signed off", lambda row: row.signed),  # type: ignore[attr-defined]
    Column("compared at", lambda row: row.checked_at),
]
DAYS: ListSpec[Day] = ListSpec(
    noun="day",
    nouns="days",
    sorts={"day": ["day", "account__name", "currency"], "open": ["open_count"]},
    default_sort="-day",
    tabs=[
        Tab("all", "All"),
        Tab("differs", "Has differences", Q(state="differs"), counted=True),
        Tab("waiting", "Waiting", Q(state="waiting"), counted=True),
    ],
    filters=[
        Filter(
            "supplier",
            "Supplier",
            lambda rows, code: rows.filter(account__code=code),
            choices=lambda: list(SupplierAccount.objects.values_list("code", "name")),
        ),
        Filter(
            "state",
            "State",
            lambda rows, state: rows.filter(state=state),
            choices=[(name, status.label) for name, status in DAY.items()],
        ),
    ],
    columns=DAY_COLUMNS,
    export_permission=Permission.RECONCILIATION_VIEW,
)
COLUMNS: list[Column[ExportRow]] = [  # type: ignore[type-var]
    Column("type", lambda row: row.kind),
    Column("order", lambda row: row.order),
    Column("supplier order id", lambda row: row.remote_id),
    Column("ours", lambda row: row.ours),
    Column("theirs", lambda row: row.theirs),
    Column("difference", lambda row: row.difference),
    Column("currency", lambda row: row.currency),
    Column("sentence", lambda row: row.sentence),
    Column("since", lambda row: row.since),
]


@requires(Permission.RECONCILIATION_VIEW)
@require_GET
def day_list(request: Request) -> HttpResponseBase:
    """Does each day agree; if not, by how much and how many differences are open (R91)."""

    def on_export(filters: str, count: int) -> None:
        what = f"reconciliation days ({filters})"
        record("export.made", by=request.user, subject=request.user, what=what, rows=count)

    context = {
        "books": books_kept() if may(request.user, Permission.RECONCILIATION_RUN) else [],
        "yesterday": timezone.now().date() - timedelta(days=1),
        "today": timezone.now().date(),
        "gates": gates() if may(request.user, Permission.COST_VIEW) else [],
    }
    return list_page(
        request, DAYS, queries.days_for_list(), "reconciliation/day_list.html", context, on_export=on_export
    )


def window_from(code: str, currency: str, day: str) -> Window:
    """The day an address names; Missing for anything that is none."""
    account = SupplierAccount.objects.filter(code=code).first()
    try:
        wanted = date.fromisoformat(day)
    except ValueError:
        wanted = date.max
    if account is None or wanted >= date.max or not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        raise Missing("There is no such day. Nothing was changed. Choose one from the list of days.")
    return window_of(account, currency, wanted)


@requires(Permission.RECONCILIATION_VIEW)
@require_GET
def day_detail(request: Request, code: str, currency: str, day: str) -> HttpResponseBase:
    """Does the day agree; if not, by how much, and what does not (R93, R95, R98)."""
    window = window_from(code, currency, day)
    row = queries.day_of(window)
    if request.GET.get("format") in FORMATS and row is not None:
        return export(request, row)
    signing = standing_of(row, request.user) if row else None
    signed = signing.sign_off if signing else None
    context = {
        "window": window,
        "book": queries.book_of(window),
        "row": row,
        "statement": statement_of(window),
        "sentence": queries.sentence_of(row) if row else "",
        "running": queries.running_of(window),
        "groups": queries.differences_of(row) if row else [],
        "proposals": proposals_for(row) if row else [],
        "gone": list(queries.gone_differences(row)[:50]) if row else [],
        "matched": queries.matched_shown(row) if row else [],
        "counts": queries.counts_of(window),
        "documents": documents_of(window, signed.prepared_at if signed else None),
        "may_attach": row is not None
        and may(request.user, Permission.RECONCILIATION_RUN, Permission.RECONCILIATION_SIGN),
        "entries": timeline_for(row, *row.sign_offs.all()) if row else [],
        "signing": signing,
        "causes": CAUSES.items(),
        "may_run": may(request.user, Permission.RECONCILIATION_RUN) and window.start <= window.now,
    }
    return render(request, "reconciliation/day_detail.html", context)


def export(request: Request, row: Day) -> HttpResponseBase:
    """The day's differences and matched orders as a table; on the record before the first row leaves."""
    rows = row.matched + row.differences.filter(gone_at__isnull=True).count()
    record("export.made", by=request.user, subject=request.user, what=f"the reconciliation of {row}", rows=rows)
    about = f"{row}; {row.status.label}; ours {decimal(row.ours_minor, row)}; theirs {decimal(row.theirs_minor, row)}"
    name = f"reconciliation {row.account.code} {row.currency} {row.day}"
    return table_response(request, name, COLUMNS, queries.export_rows(row), about)


@requires(Permission.RECONCILIATION_RUN, Permission.RECONCILIATION_SIGN)
@require_POST
@once
def day_evidence_add(request: Request, code: str, currency: str, day: str) -> HttpResponse:
    """Keep a document with the day."""
    row, file = queries.day_of(window_from(code, currency, day)), request.FILES.get("file")
    if row is None or file is None:
        raise Refused("Choose a file for a day that was compared. Nothing was kept.")
    made = add_day_evidence(by=request.user, row=row, name=str(file.name), content=read(file))
    messages.success(request, f"{made} is kept with the day.")
    return see_other(request, "reconciliation:day_detail", code=code, currency=currency, day=day)


@requires(Permission.RECONCILIATION_VIEW)
@require_GET
def day_evidence(request: Request, code: str, currency: str, day: str, number: int) -> HttpResponse:
    """One document of a day, always as a download: what it holds never runs in this site's name."""
    window = window_from(code, currency, day)
    of_day = {"day__account": window.account, "day__currency": window.currency, "day__day": window.day}
    found = DayEvidence.objects.filter(**of_day, pk=number).first()
    if found is None:
        raise Missing("There is no such document. Nothing was changed. Look at the day's page.")
    return file_response(bytes(found.content), name=found.name, media_type=found.media_type)


@requires(Permission.RECONCILIATION_RUN)
@require_POST
def day_run(request: Request) -> HttpResponse:
    """Let the work loop compare a day now; its page shows how far it is."""
    code, _, currency = request.POST.get("book", "").partition(":")
    window = window_from(code, currency, request.POST.get("day", ""))
    ask_for_day(by=request.user, account=window.account, currency=window.currency, day=window.day)
    return see_other(request, "reconciliation:day_detail", code=code, currency=currency, day=window.day.isoformat())
