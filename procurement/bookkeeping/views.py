"""The ledger, and one movement."""

from __future__ import annotations

import uuid

from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from ledger.plaintext import STYLES, write
from procurement.audit.services import record
from procurement.bookkeeping import forecast, queries, statement
from procurement.bookkeeping.rules import GROUPS
from procurement.bookkeeping.statement import Query, Row
from procurement.errors import Missing
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.web.exports import FORMATS, table_response, text_response
from procurement.web.http import Request
from procurement.web.lists import Column

COLUMNS: list[Column[Row]] = [  # type: ignore[type-var]
    Column("time", lambda row: row.at),
    Column("what", lambda row: row.what),
    Column("reference", lambda row: row.label),
    Column("amount", lambda row: row.decimals[0]),
    Column("held", lambda row: row.decimals[1]),
    Column("balance after", lambda row: row.decimals[2]),
    Column("currency", lambda row: row.currency),
    Column("memo", lambda row: row.memo),
    Column("by", lambda row: row.actor),
    Column("movement", lambda row: str(row.entry_id)),
]


@requires(Permission.LEDGER_VIEW)
@require_GET
def ledger(request: Request) -> HttpResponseBase:
    """What the balance of one book is, and every movement that made it so (R83)."""
    kept = queries.books_kept()
    may_deposit = may(request.user, Permission.DEPOSIT_RECORD)
    if not kept:
        return render(request, "bookkeeping/ledger.html", {"kept": kept, "may_deposit": False})
    query = statement.read_query(request.GET.dict(), kept)
    wanted = request.GET.get("format", "")
    if wanted in FORMATS:
        return export(request, query)
    if wanted in STYLES:
        return export_book(request, query.book, wanted)
    context = {
        "kept": kept,
        "query": query,
        "groups": [(name, label) for name, (label, _) in GROUPS.items()],
        "standing": queries.standing_of(query.book),
        "cover": forecast.covers([query.book])[0],
        "sums": statement.sums_of(query),
        "page": statement.page_of(query),
        "today": timezone.now().date(),
        "may_deposit": may_deposit,
        "may_correct": may(request.user, Permission.RECONCILIATION_RUN),
        "proposed": query.book.account.corrections.filter(state="proposed", currency=query.book.currency),
    }
    return render(request, "bookkeeping/ledger.html", context)


def export(request: Request, query: Query) -> HttpResponseBase:
    """All movements of the query as a table; on the record before the first row leaves."""
    count = statement.count_of(query)
    record("export.made", by=request.user, subject=request.user, what=f"the ledger ({query.in_words()})", rows=count)
    name = f"ledger {query.book.account.code} {query.book.currency}"
    return table_response(request, name, COLUMNS, statement.all_rows(query), query.in_words())


def export_book(request: Request, book: queries.Book, style: str) -> HttpResponseBase:
    """A whole book, from its first movement, for hledger or beancount."""
    lines = write(style, owner=book.account.code, currency=book.currency)
    count = queries.lines_in(book)
    record(
        "export.made", by=request.user, subject=request.user, what=f"the whole ledger of {book} for {style}", rows=count
    )
    return text_response(f"ledger {book.account.code} {book.currency}", style, lines)


@requires(Permission.LEDGER_VIEW)
@require_GET
def entry_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """One movement with both its sides, who made it and what belongs to it."""
    view = queries.entry_view(pk)
    if view is None:
        raise Missing("There is no such movement. Nothing was changed. Look for it on the ledger page.")
    return render(request, "bookkeeping/entry_detail.html", {"view": view, "entry": view.entry})
