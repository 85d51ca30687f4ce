"""What pages show of cases and claims. No cost is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import (
    BooleanField,
    CharField,
    Count,
    ExpressionWrapper,
    F,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Cast, Coalesce
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.audit.queries import as_entry
from procurement.claims.models import Case, Claim
from procurement.claims.policies import CLAIMABLE
from procurement.claims.states import OPEN_CASE, OPEN_CLAIM
from procurement.claims.window import CLAIM_WINDOW, DUE_SOON, is_open, window_ends
from procurement.orders.models import Code, Order
from procurement.orders.queries import find_codes
from procurement.orders.services.receiving import WELL_FORMED
from procurement.staff.models import User
from procurement.suppliers.models import Exchange
from procurement.vault import normalise_code
from procurement.web.parts import TimelineEntry
from procurement.web.subjects import SubjectLink, names_subjects

FAR = datetime(9999, 12, 31, tzinfo=UTC)
WAITING = ("waiting_customer", "waiting_supplier")
DONE = ("solved", "closed")


def cases_for_list() -> QuerySet[Case]:
    """All cases with what a row shows; by `window_closed` and `deadline_order` what can still be claimed comes first."""
    last_event = AuditEvent.objects.filter(
        subject_kind="claims.case", subject_id=Cast(OuterRef("pk"), output_field=CharField())
    ).order_by("-id")
    related = ("order__account", "order__sku", "order__mapping__activated_by", "code", "owner")
    closed = timezone.now() - CLAIM_WINDOW
    return (
        Case.objects.select_related(*related)
        .prefetch_related(Prefetch("claims", Claim.objects.order_by("drafted_at")), "code__claims")
        .annotate(deadline_order=Coalesce(F("code__available_at"), Value(FAR)))
        .annotate(
            window_closed=ExpressionWrapper(Q(deadline_order__lt=closed), output_field=BooleanField()),
            last_event_at=Subquery(last_event.values("at")[:1]),
        )
    )


def case_for_page(pk: Any) -> Case:
    """One case with everything its page names; raises Case.DoesNotExist."""
    related = ("order__account", "order__sku", "order__product", "order__mapping__activated_by", "owner", "opened_by")
    rows = Case.objects.select_related(*related, "code__order", "code__account")
    return rows.prefetch_related("code__claims", claims_with_proof()).get(pk=pk)


def claims_with_proof() -> Prefetch[str]:
    return Prefetch(
        "claims",
        Claim.objects.select_related("drafted_by", "account", "replacement__order", "replacement__account").order_by(
            "-drafted_at"
        ),
    )


def claim_for_page(pk: Any) -> Claim:
    """One claim with its case, code and order; raises Claim.DoesNotExist."""
    related = (
        "case__order__mapping__activated_by",
        "case__order__sku",
        "case__code",
        "code__order",
        "account",
        "drafted_by",
        "replacement__order",
    )
    return Claim.objects.select_related(*related).get(pk=pk)


def due_soon(rows: QuerySet[Case]) -> QuerySet[Case]:
    """Open cases whose window closes within 48 hours and whose code could still be claimed."""
    now = timezone.now()
    ends_from, ends_to = now - CLAIM_WINDOW, now - CLAIM_WINDOW + DUE_SOON
    pressing = rows.filter(state__in=OPEN_CASE, code__available_at__gte=ends_from, code__available_at__lte=ends_to)
    return pressing.filter(code__state__in=CLAIMABLE)


def supplier_fault(rows: QuerySet[Case]) -> QuerySet[Case]:
    """Cases in which the supplier delivered another region or value than was ordered."""
    other_region = ~Q(code__region="") & ~Q(code__region=F("order__region"))
    other_face = Q(code__face_minor__isnull=False) & ~Q(code__face_minor=F("order__face_minor"))
    return rows.filter(other_region | other_face, code__isnull=False)


def without_account_region(rows: QuerySet[Case]) -> QuerySet[Case]:
    return rows.filter(account_region="", state__in=OPEN_CASE)


@dataclass(frozen=True)
class CaseCounts:
    """How many open cases there are, and how many of them press."""

    todo: int
    waiting: int
    due_soon: int
    next_deadline: datetime | None


def case_counts() -> CaseCounts:
    """Counts for the queue's first line and the overview."""
    rows = Case.objects.aggregate(
        todo=Count("pk", filter=Q(state="todo")), waiting=Count("pk", filter=Q(state__in=WAITING))
    )
    earliest = Code.objects.filter(cases__state__in=OPEN_CASE, available_at__gte=timezone.now() - CLAIM_WINDOW)
    first = earliest.filter(state__in=CLAIMABLE).order_by("available_at").values_list("available_at", flat=True).first()
    soon = due_soon(Case.objects.all()).count()
    return CaseCounts(rows["todo"], rows["waiting"], soon, first + CLAIM_WINDOW if first else None)


def cases_due_soon(limit: int = 10) -> list[Case]:
    """The cases to look at first, nearest deadline on top."""
    return list(due_soon(Case.objects.select_related("order")).order_by("code__available_at")[:limit])


def cases_waiting_for(user: User) -> int:
    """How many cases wait for this person's own action."""
    return Case.objects.filter(Q(owner=user) | Q(owner__isnull=True), state="todo").count()


def first_deadline(order: Order) -> datetime | None:
    """When the first of an order's codes that could still be claimed runs out of time; None when none could."""
    codes = order.codes.filter(state__in=CLAIMABLE, available_at__gte=timezone.now() - CLAIM_WINDOW)
    first = codes.order_by("available_at").values_list("available_at", flat=True).first()
    return first + CLAIM_WINDOW if first else None


@dataclass(frozen=True)
class Found:
    """An order, and a code of it if one was meant, that a case may be about."""

    order: Order
    code: Code | None


def find(text: str) -> list[Found]:
    """Codes by full code or last four, else orders by either side's id or the customer's order; at most 20."""
    codes = find_codes(text)
    if not codes:
        codes = list(Code.objects.filter(customer_order__iexact=text.strip()).select_related("order", "account")[:20])
    if codes:
        return [Found(code.order, code) for code in codes]
    match = Q(client_order_id__iexact=text.strip()) | Q(remote_id__iexact=text.strip())
    return [Found(order, None) for order in Order.objects.filter(match).select_related("account")[:20]]


def is_full_code(text: str) -> bool:
    """Whether somebody typed a whole code, which is recorded and never shown back."""
    return bool(WELL_FORMED.fullmatch(normalise_code(text)))


def open_case_for(code: Code) -> Case | None:
    return Case.objects.filter(code=code, state__in=OPEN_CASE).first()


def cases_of_order(order: Order) -> list[Case]:
    """All cases of an order, newest first."""
    return list(Case.objects.filter(order=order).select_related("code", "owner").order_by("-opened_at")[:20])


def related_cases(case: Case) -> list[Case]:
    """Other cases of the same order or the same customer order; several in one order hint at a bad batch (N14, N22)."""
    match = Q(order=case.order)
    if case.customer_order:
        match |= Q(customer_order=case.customer_order)
    return list(Case.objects.filter(match).exclude(pk=case.pk).select_related("code").order_by("-opened_at")[:10])


def timeline(case: Case, limit: int = 100) -> list[TimelineEntry]:
    """The story of the case, its claims and its code, newest first."""
    about = Q(subject_kind="claims.case", subject_id=str(case.pk))
    claims = [str(claim.pk) for claim in case.claims.all()]
    about |= Q(subject_kind="claims.claim", subject_id__in=claims)
    if case.code_id:
        # A claim's events stand on the claim and on the code; here they are told once.
        about |= Q(subject_kind="orders.code", subject_id=str(case.code_id), action__startswith="code.")
    return [as_entry(event) for event in AuditEvent.objects.filter(about).order_by("-id")[:limit]]


def claim_timeline(claim: Claim) -> list[TimelineEntry]:
    events = AuditEvent.objects.filter(subject_kind="claims.claim", subject_id=str(claim.pk)).order_by("id")[:100]
    return [as_entry(event) for event in events]


def exchanges_of(claim: Claim) -> list[Exchange]:
    """What was sent and answered, with codes masked."""
    return list(
        Exchange.objects.filter(subject_kind="claims.claim", subject_id=str(claim.pk)).order_by("started_at")[:20]
    )


def open_claim_of(case: Case) -> Claim | None:
    """The claim in hand, from the prefetched ones."""
    return next((claim for claim in case.claims.all() if claim.state in OPEN_CLAIM), None)


def latest_claim_of(case: Case) -> Claim | None:
    return next(iter(sorted(case.claims.all(), key=lambda claim: claim.drafted_at, reverse=True)), None)


def filed_at(claims: Sequence[Claim]) -> datetime | None:
    """When the code was first asked for; None if it never was."""
    return min((claim.filed_at for claim in claims if claim.filed_at), default=None)


def window_is_open(case: Case) -> bool:
    return case.code is not None and is_open(window_ends(case.code))


@names_subjects("claims.claim")
def name_claims(keys: list[str]) -> dict[str, SubjectLink]:
    """Claims by the number of their case, with their pages."""
    return {
        str(claim.pk): SubjectLink(f"claim of {claim.case}", reverse("claims:claim_detail", args=[claim.pk]))
        for claim in Claim.objects.filter(pk__in=keys).select_related("case")
    }
