"""What proves a day: statements, deposits with their documents, corrections, delivery files, cases and claims (R94, R95)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.urls import reverse

from ledger.money import Money
from procurement.bookkeeping.models import Correction, Deposit, Evidence
from procurement.claims.models import Case, Claim
from procurement.orders.models import Delivery
from procurement.reconciliation.models import AccountStatement, DayEvidence
from procurement.reconciliation.window import Window

SHOWN = 50
# Without their content, which can be megabytes.
PAPERS = Prefetch("evidence", Evidence.objects.defer("content").select_related("added_by").order_by("added_at", "pk"))


@dataclass(frozen=True)
class Document:
    """One thing that proves something of the day: its name, where it is, and what is to be known of it."""

    name: str
    url: str
    facts: str


@dataclass(frozen=True)
class Documents:
    """All of one sort; `more` is how many are not shown."""

    label: str
    rows: list[Document]
    more: int = 0


def documents_of(window: Window, signed_at: datetime | None = None) -> list[Documents]:
    """What proves the day, by sort; sorts without any are left out. The number of queries does not grow with them.

    `signed_at` is when what is signed was frozen: a document of the day that came later says that nobody signed for it.
    """
    day = (window.start, window.end - timedelta(microseconds=1))
    mine = {"account": window.account, "currency": window.currency}
    statements = AccountStatement.objects.filter(**mine, first__lte=window.day, last__gte=window.day).defer("lines")
    deposits = Deposit.objects.filter(**mine, credited_on=window.day).prefetch_related(PAPERS)
    corrections = Correction.objects.filter(**mine, day=window.day).exclude(state="declined")
    of_account = Q(order__account=window.account, order__cost_currency=window.currency)
    files = Delivery.objects.filter(of_account, fetched_at__range=day).select_related("order")
    cases = Case.objects.filter(of_account, opened_at__range=day).select_related("order")
    touched = Q(filed_at__range=day) | Q(outcome_at__range=day)
    claims = Claim.objects.filter(touched, account=window.account, code__order__cost_currency=window.currency)
    kept = DayEvidence.objects.filter(day__account=window.account, day__currency=window.currency, day__day=window.day)
    kept = kept.defer("content").select_related("added_by", "day__account")
    found = [
        sort("Documents of the day", kept.order_by("added_at", "pk"), partial(paper, signed_at)),
        sort("Account statements", statements.order_by("uploaded_at", "pk"), statement),
        deposits_with_documents(deposits.order_by("reference")),
        sort("Correcting entries", corrections.order_by("pk"), correction),
        sort("Delivery files", files.order_by("fetched_at", "pk"), delivery),
        sort("Cases", cases.order_by("opened_at", "pk"), case),
        sort("Claims", claims.select_related("code__order", "case").order_by("filed_at", "pk"), claim),
    ]
    return [documents for documents in found if documents.rows]


def sort(label: str, rows: QuerySet[Any], document: Callable[[Any], Document]) -> Documents:
    shown = list(rows[: SHOWN + 1])
    more = rows.count() - SHOWN if len(shown) > SHOWN else 0
    return Documents(label, [document(row) for row in shown[:SHOWN]], more)


def statement(row: AccountStatement) -> Document:
    used = "compared with" if row.applied_at else "only checked, not compared with"
    facts = f"{row.first} to {row.last}, {used}; SHA-256 {row.sha256[:16]}…"
    return Document(row.name, reverse("reconciliation:statement_detail", args=[row.pk]), facts)


def deposits_with_documents(deposits: Iterable[Deposit]) -> Documents:
    """Each deposit credited that day, followed by its documents; one without any says so."""
    rows = []
    for one in deposits:
        papers = list(one.evidence.all())
        facts = f"{Money(one.credited_minor or 0, one.currency)} credited" + (
            "" if papers else "; no document attached"
        )
        rows.append(Document(str(one), reverse("bookkeeping:deposit_detail", args=[one.pk]), facts))
        for paper in papers:
            address = reverse("bookkeeping:deposit_evidence", args=[one.pk, paper.pk])
            rows.append(Document(paper.name, address, f"added by {paper.added_by}; SHA-256 {paper.sha256[:16]}…"))
    return Documents("Deposits", rows)


def paper(signed_at: datetime | None, row: DayEvidence) -> Document:
    place = (row.day.account.code, row.day.currency, row.day.day.isoformat(), row.pk)
    later = "; added after what was signed" if signed_at and row.added_at > signed_at else ""
    facts = f"added by {row.added_by}; SHA-256 {row.sha256[:16]}…{later}"
    return Document(row.name, reverse("reconciliation:day_evidence", args=place), facts)


def correction(row: Correction) -> Document:
    facts = f"{Money(row.amount_minor, row.currency)}, {row.status.label.lower()}: {row.reason}"
    return Document(f"Correction {row.pk}", reverse("bookkeeping:correction_detail", args=[row.pk]), facts)


def delivery(row: Delivery) -> Document:
    facts = f"{row.count} codes at {row.fetched_at:%H:%M:%S} UTC; checksum {row.checksum[:16]}…"
    return Document(str(row.order), reverse("orders:order_detail", args=[row.order_id]), facts)


def case(row: Case) -> Document:
    return Document(
        row.number, reverse("claims:case_detail", args=[row.pk]), f"{row.order}, {row.status.label.lower()}"
    )


def claim(row: Claim) -> Document:
    credit = f", {Money(row.credit_minor, row.code.order.cost_currency)}" if row.credit_minor else ""
    facts = f"{row.code.order}, {row.status.label.lower()}{credit}"
    return Document(row.remote_id or str(row), reverse("claims:claim_detail", args=[row.pk]), facts)
