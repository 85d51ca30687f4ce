"""The record as a page: who did what, to what, when and why."""

from __future__ import annotations

from datetime import date

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from django.views.decorators.http import require_GET

from procurement.audit.chain import head
from procurement.audit.models import AuditEvent
from procurement.audit.queries import sentence_of
from procurement.audit.services import record
from procurement.staff.access import requires
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.http import Request
from procurement.web.lists import Column, Filter, ListSpec, Tab, list_page

GROUPS = [
    ("order", "Orders"),
    ("approval", "Approvals"),
    ("code", "Codes"),
    ("delivery_file", "Delivery files"),
    ("case", "Cases"),
    ("claim", "Claims"),
    ("mapping", "Mappings"),
    ("account", "Supplier accounts"),
    ("statement", "Terms"),
    ("question", "Buyer's questions"),
    ("price_list", "Price lists"),
    ("access", "API access"),
    ("deposit", "Deposits"),
    ("export", "Exports"),
    ("user", "People"),
]


def by_day(rows: QuerySet[AuditEvent], text: str, lookup: str) -> QuerySet[AuditEvent]:
    """Events from or up to a day (UTC); a day that can't be read narrows nothing."""
    try:
        return rows.filter(**{f"at__date__{lookup}": date.fromisoformat(text)})
    except ValueError:
        return rows


def containing(rows: QuerySet[AuditEvent], text: str) -> QuerySet[AuditEvent]:
    return rows.filter(Q(subject_label__icontains=text) | Q(reason__icontains=text))


EVENTS_LIST: ListSpec[AuditEvent] = ListSpec(
    noun="event",
    nouns="events",
    sorts={"time": ["id"]},
    default_sort="-time",
    tabs=[
        Tab("all", "All"),
        Tab("reveals", "Reveals", Q(action__startswith="code.reveal")),
        Tab("exports", "Exports", Q(action="export.made")),
    ],
    filters=[
        Filter("q", "Search", containing, kind="text", placeholder="Object or reason"),
        Filter("group", "What", lambda rows, group: rows.filter(action__startswith=f"{group}."), choices=GROUPS),
        Filter(
            "person",
            "Person",
            lambda rows, name: rows.filter(actor__username=name),
            choices=lambda: list(User.objects.order_by("display_name").values_list("username", "display_name")),
        ),
        Filter("from", "From", lambda rows, day: by_day(rows, day, "gte"), kind="date"),
        Filter("to", "To", lambda rows, day: by_day(rows, day, "lte"), kind="date"),
    ],
    columns=[
        Column("time", lambda event: event.at.isoformat()),
        Column("person", lambda event: event.actor_name),
        Column("action", lambda event: event.action),
        Column("object", lambda event: event.subject_label),
        Column("sentence", sentence_of),
        Column("reason", lambda event: event.reason),
        Column("request id", lambda event: event.request_id),
    ],
    export_permission=Permission.AUDIT_VIEW,
)


@requires(Permission.AUDIT_VIEW)
@require_GET
def event_list(request: Request) -> HttpResponseBase:
    """The whole record, newest first, with filters and export; read-only."""

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"audit events ({filters})", rows=count)

    return list_page(
        request, EVENTS_LIST, AuditEvent.objects.all(), "audit/event_list.html", {"head": head()}, on_export=on_export
    )
