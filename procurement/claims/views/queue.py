"""The queue of cases, and what other pages learn of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_GET

from procurement.audit.services import record
from procurement.claims import queries
from procurement.claims.facts import verdict_of
from procurement.claims.models import Case
from procurement.claims.window import window_ends
from procurement.orders.extras import order_page_extra
from procurement.orders.models import Order
from procurement.staff.access import may, requires
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import Status
from procurement.suppliers.models import SupplierAccount
from procurement.web.http import Request
from procurement.web.lists import Column, Filter, ListSpec, Tab, list_page
from procurement.web.nav import nav_count

nav_count("claims:case_list")(lambda user: queries.cases_waiting_for(user) if may(user, Permission.CASE_WORK) else 0)


def search(rows: QuerySet[Case], text: str) -> QuerySet[Case]:
    """By case number, customer order, order id of either side, or last four."""
    match = (
        Q(customer_order__icontains=text) | Q(order__client_order_id__icontains=text) | Q(order__remote_id__iexact=text)
    )
    number = text.upper().removeprefix("C-")
    if number.isascii() and number.isdigit() and len(number) < 16:
        match |= Q(pk=int(number))
    return rows.filter(match | Q(code__last4=text.upper()))


COLUMNS: list[Column[Case]] = [
    Column("case", lambda case: case.number),
    Column("state", lambda case: case.status.label),
    Column("customer order", lambda case: case.customer_order),
    Column("order", lambda case: case.order.client_order_id),
    Column("supplier account", lambda case: case.order.account.code),
    Column("supplier order id", lambda case: case.order.remote_id),
    Column("sku", lambda case: case.order.sku.code),
    Column("sold region", lambda case: case.order.sold_region),
    Column("ordered region", lambda case: case.order.region),
    Column("delivered region", lambda case: case.code.region if case.code else ""),
    Column("account region", lambda case: case.account_region),
    Column("verdict", lambda case: verdict_of(case).key),
    Column("fault", lambda case: verdict_of(case).owner_words),
    Column("claim window ends", lambda case: window_ends(case.code) if case.code else None),
    Column("claim filed", lambda case: queries.filed_at(list(case.claims.all()))),
    Column("owner", lambda case: str(case.owner or "")),
    Column("opened", lambda case: case.opened_at),
]
TABS: list[Tab] = [
    Tab("todo", "To do", Q(state="todo"), counted=True),
    Tab("waiting", "Waiting", Q(state__in=queries.WAITING), counted=True),
    Tab("done", "Done", Q(state__in=queries.DONE)),
    Tab("all", "All"),
]


def case_list_spec(user: User) -> ListSpec[Case]:
    """The queue as this person sees it: "Mine" depends on who asks."""
    views = {
        "mine": ("Mine", lambda rows: rows.filter(owner=user)),
        "due": ("Due in 48 h", queries.due_soon),
        "supplier": ("Supplier fault", queries.supplier_fault),
        "region": ("No account region", queries.without_account_region),
    }
    return ListSpec(
        noun="case",
        nouns="cases",
        sorts={"deadline": ["window_closed", "deadline_order"], "opened": ["opened_at"], "event": ["last_event_at"]},
        default_sort="deadline",
        tabs=TABS,
        filters=[
            Filter("q", "Search", search, kind="text", placeholder="Case, order or last four"),
            Filter(
                "show",
                "Show",
                lambda rows, key: views[key][1](rows),
                choices=[(key, label) for key, (label, _) in views.items()],
            ),
            Filter(
                "supplier",
                "Supplier",
                lambda rows, code: rows.filter(order__account__code=code),
                choices=lambda: list(SupplierAccount.objects.values_list("code", "name")),
            ),
        ],
        columns=COLUMNS,
        export_permission=Permission.CASE_VIEW,
    )


@requires(Permission.CASE_VIEW)
@require_GET
def case_list(request: Request) -> HttpResponseBase:
    """What customers report, the nearest claim deadline first."""

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"cases ({filters})", rows=count)

    context = {
        "counts": queries.case_counts(),
        "may_open": may(request.user, Permission.CASE_WORK, Permission.CLAIM_FILE),
    }
    rows = queries.cases_for_list()
    return list_page(
        request, case_list_spec(request.user), rows, "claims/case_list.html", context=context, on_export=on_export
    )


@dataclass(frozen=True)
class CaseLine:
    """A case as a line of the order's page."""

    number: str
    url: str
    words: str
    status: Status


@order_page_extra
def on_order_page(order: Order, user: User) -> Mapping[str, Any]:
    """Cases of the order, where to open one, and when the claim window of its codes closes."""
    if not may(user, Permission.CASE_VIEW):
        return {}
    cases = [
        CaseLine(
            case.number,
            reverse("claims:case_detail", args=[case.pk]),
            f"code ending {case.code.last4}" if case.code else "",
            case.status,
        )
        for case in queries.cases_of_order(order)
    ]
    extra: dict[str, Any] = {"cases": cases, "claim_deadline": queries.first_deadline(order)}
    if may(user, Permission.CASE_WORK, Permission.CLAIM_FILE):
        new = reverse("claims:case_new")
        extra |= {"case_url": f"{new}?order={order.pk}", "case_code_url": new}
    return extra
