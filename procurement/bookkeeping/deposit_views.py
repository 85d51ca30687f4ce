"""Deposits: the list, one of them with its steps and documents, and announcing one."""

from __future__ import annotations

import uuid
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from ledger.money import decimal_amount, format_amount
from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.bookkeeping import deposits, papers, postings, queries
from procurement.bookkeeping.forms import CreditForm, DepositForm
from procurement.bookkeeping.models import Deposit, Evidence
from procurement.bookkeeping.states import DEPOSIT, NEXT, UNDER_WAY, WAYS
from procurement.errors import DomainError, Missing, Refused
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount
from procurement.web.exports import file_response
from procurement.web.http import Request, see_other
from procurement.web.lists import Column, Filter, ListSpec, Tab, list_page
from procurement.web.once import once


def decimal(minor: int | None, row: Deposit) -> Decimal | None:
    return None if minor is None else decimal_amount(minor, row.currency)


def matching(rows: QuerySet[Deposit], text: str) -> QuerySet[Deposit]:
    return rows.filter(Q(reference__icontains=text) | Q(txid__icontains=text))


LIST: ListSpec[Deposit] = ListSpec(
    noun="deposit",
    nouns="deposits",
    sorts={"announced": ["announced_at"], "amount": ["currency", "amount_minor"]},
    default_sort="-announced",
    tabs=[
        Tab("all", "All"),
        Tab("open", "Not credited", Q(state__in=UNDER_WAY), counted=True),
        Tab("credited", "Credited", Q(state="credited")),
    ],
    filters=[
        Filter("q", "Search", matching, kind="text", placeholder="Invoice number or transaction id"),
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
            choices=[(name, status.label) for name, status in DEPOSIT.statuses.items()],
        ),
        Filter(
            "network",
            "Network",
            lambda rows, network: rows.filter(network=network),
            choices=sorted({(way.network, way.network) for way in WAYS.values()}),
        ),
    ],
    columns=[
        Column("invoice number", lambda row: row.reference),
        Column("supplier account", lambda row: row.account.code),
        Column("state", lambda row: row.status.label),
        Column("announced", lambda row: decimal(row.amount_minor, row)),
        Column("credited", lambda row: decimal(row.credited_minor, row)),
        Column("currency", lambda row: row.currency),
        Column("asset", lambda row: row.asset),
        Column("network", lambda row: row.network),
        Column("transaction id", lambda row: row.txid),
        Column("announced by", lambda row: str(row.announced_by or "System")),
        Column("announced at", lambda row: row.announced_at),
        Column("credited on", lambda row: row.credited_on.isoformat() if row.credited_on else None),
        Column("credited as", lambda row: row.get_credited_how_display()),
        Column("credited by", lambda row: str(row.credited_by or "")),
    ],
)


@requires(Permission.LEDGER_VIEW)
@require_GET
def deposit_list(request: Request) -> HttpResponseBase:
    """Which money is on its way, and what became of all the rest (R83)."""

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"deposits ({filters})", rows=count)

    rows = Deposit.objects.select_related("account", "announced_by", "credited_by")
    context = {
        "may_announce": may(request.user, Permission.DEPOSIT_RECORD),
        "late": {row.pk for row in queries.late_deposits()},
    }
    return list_page(request, LIST, rows, "bookkeeping/deposit_list.html", context, on_export=on_export)


@requires(Permission.DEPOSIT_RECORD)
@once
def deposit_new(request: Request) -> HttpResponse:
    """Announce a deposit; nothing is booked by it."""
    form = DepositForm(request.POST) if request.method == "POST" else DepositForm(initial=request.GET.dict())
    if form.is_valid():
        data = form.cleaned_data
        try:
            made = deposits.announce_deposit(
                by=request.user,
                account=data["account"],
                amount_minor=data["amount_minor"],
                currency=data["currency"],
                way=data["way"],
                reference=data["reference"],
                note=data["note"],
            )
        except Refused as refusal:
            form.add_error("reference", refusal.sentence)
        else:
            messages.success(request, "Announced. Nothing is booked before the supplier has credited it.")
            return see_other(request, "bookkeeping:deposit_detail", pk=made.pk)
    return render(request, "bookkeeping/deposit_new.html", {"form": form}, status=422 if form.errors else 200)


def get_deposit(pk: uuid.UUID) -> Deposit:
    rows = Deposit.objects.select_related("account", "announced_by", "credited_by", "shown_by")
    found = rows.filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such deposit. Nothing was changed. Look at the list of deposits.")
    return found


@requires(Permission.LEDGER_VIEW)
@require_GET
def deposit_detail(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Where one deposit stands, what comes next and by whom, its documents and its story."""
    return show(request, get_deposit(pk))


def show(request: Request, row: Deposit, refusal: str = "", credit: CreditForm | None = None) -> HttpResponse:
    """The page; after a refused step with what was typed."""
    records, confirms = may(request.user, Permission.DEPOSIT_RECORD), may(request.user, Permission.DEPOSIT_CONFIRM)
    shown = deposits.shown_in(row)
    initial = {"amount": format_amount(row.amount_minor, row.currency), "credited_on": timezone.now().date()}
    may_credit = confirms and row.state in ("sent", "confirmed") and (bool(shown) or row.announced_by != request.user)
    context = {
        "row": row,
        "next": NEXT[row.state],
        "late": queries.is_late(row),
        "days": queries.days_to_credit(row.account),
        "entry": queries.entry_of_deposit(row),
        "similar": queries.similar_deposits(row)[:3] if row.is_open else [],
        "shown": shown,
        "documents": row.evidence.defer("content").select_related("added_by").order_by("added_at"),
        "records": records,
        "may_add": (records or confirms) and row.evidence.count() < papers.MOST_FILES,
        "credit": (credit or CreditForm(initial=initial, currency=row.currency)) if may_credit else None,
        "others": people_with(Permission.DEPOSIT_CONFIRM, but=row.announced_by) if row.is_open else [],
        "refusal": refusal,
        "typed": request.POST,
        "entries": timeline_for(row),
    }
    failed = bool(refusal or (credit and credit.errors))
    return render(request, "bookkeeping/deposit_detail.html", context, status=422 if failed else 200)


@requires(Permission.DEPOSIT_RECORD)
@require_POST
@once
def deposit_step(request: Request, pk: uuid.UUID, step: str) -> HttpResponse:
    """What finance notes of its way: sent, confirmed, withdrawn."""
    row, sent = get_deposit(pk), request.POST
    try:
        if step == "sent":
            deposits.note_sent(by=request.user, deposit=row, txid=sent.get("txid", "")[:120])
        elif step == "confirmed":
            deposits.note_confirmed(by=request.user, deposit=row)
        elif step == "withdrawn":
            deposits.withdraw_deposit(by=request.user, deposit=row, reason=sent.get("reason", ""))
        else:
            raise Missing("There is no such step. Nothing was changed. Look at the deposit's page.")
    except Refused as refusal:
        return show(request, row, refusal.sentence)
    messages.success(request, f"Noted: {row.status.label.lower()}.")
    return see_other(request, "bookkeeping:deposit_detail", pk=pk)


@requires(Permission.DEPOSIT_CONFIRM)
@require_POST
@once
def deposit_credit(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Book what the supplier credited."""
    row = get_deposit(pk)
    form = CreditForm(request.POST, currency=row.currency)
    if not form.is_valid():
        return show(request, row, credit=form)
    data = form.cleaned_data
    try:
        deposits.credit_deposit(
            by=request.user,
            deposit=row,
            amount_minor=data["amount_minor"],
            credited_on=data["credited_on"],
            reason=data["reason"],
        )
    except Refused as refusal:
        return show(request, row, refusal.sentence, form)
    free = postings.amount_text(postings.free_balance(row.account.code, row.currency), row.currency)
    messages.success(request, f"The deposit is on the ledger. {row.account} has {free} free now.")
    return see_other(request, "bookkeeping:deposit_detail", pk=pk)


@requires(Permission.DEPOSIT_RECORD, Permission.DEPOSIT_CONFIRM)
@require_POST
@once
def deposit_evidence_add(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Keep a document with the deposit."""
    row, file = get_deposit(pk), request.FILES.get("file")
    if file is None:
        return show(request, row, "Choose a file first. Nothing was kept.")
    try:
        made = deposits.add_evidence(by=request.user, deposit=row, name=str(file.name), content=read(file))
    except DomainError as refusal:
        return show(request, row, refusal.sentence)
    messages.success(request, f"{made} is kept with the deposit.")
    return see_other(request, "bookkeeping:deposit_detail", pk=pk)


def read(file: Any) -> bytes:
    """No more of an upload than tells that it is too large."""
    content: bytes = file.read(papers.MOST_BYTES + 1)
    return content


@requires(Permission.LEDGER_VIEW)
@require_GET
def deposit_evidence(request: Request, pk: uuid.UUID, number: int) -> HttpResponse:
    """One document, as a download."""
    found = Evidence.objects.filter(deposit_id=pk, pk=number).first()
    if found is None:
        raise Missing("There is no such document. Nothing was changed. Look at the deposit's page.")
    return file_response(bytes(found.content), name=found.name, media_type=found.media_type)
