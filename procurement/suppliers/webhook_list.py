"""The webhook log as a list: its filters, order and tabs."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.states import BEING_HANDLED, ORDER_NOT_FOUND, REFUSED_RESULTS, UNVERIFIED, WEBHOOK_RESULTS
from procurement.web.lists import Column, Filter, ListSpec, Tab

Events = QuerySet[WebhookEvent]


def result_choices() -> list[tuple[str, str]]:
    return [(name, status.label) for name, status in WEBHOOK_RESULTS.items()]


def account_choices() -> list[tuple[str, str]]:
    return [(account.code, account.name) for account in SupplierAccount.objects.order_by("name")]


def matching(rows: Events, text: str) -> Events:
    """Events whose own id, order id or type holds the text."""
    return rows.filter(Q(event_id__icontains=text) | Q(remote_order_id__icontains=text) | Q(event_type__icontains=text))


def on_day(rows: Events, text: str) -> Events:
    """Events of one day (UTC); all of them when the text is no date."""
    try:
        start = datetime.combine(date.fromisoformat(text), time(), ZoneInfo("UTC"))
    except ValueError:
        return rows
    return rows.filter(received_at__gte=start, received_at__lt=start + timedelta(days=1))


EVENTS: ListSpec[WebhookEvent] = ListSpec(
    noun="event",
    nouns="events",
    sorts={"received": ["received_at", "pk"]},
    default_sort="-received",
    tabs=[
        Tab("all", "All"),
        Tab("waiting", "Not applied", Q(result__in=[BEING_HANDLED, ORDER_NOT_FOUND]), counted=True),
        Tab("hints", "Unverified", Q(result=UNVERIFIED)),
        Tab("refused", "Refused", Q(result__in=REFUSED_RESULTS)),
    ],
    columns=[
        Column("received", lambda event: event.received_at),
        Column("account", lambda event: event.account.name),
        Column("event", lambda event: event.event_type),
        Column("event id", lambda event: event.event_id),
        Column("order at the supplier", lambda event: event.remote_order_id),
        Column("says", lambda event: event.remote_status),
        Column("stamped", lambda event: event.occurred_at or ""),
        Column("result", lambda event: event.status.label),
        Column("signed by", lambda event: event.signed_by),
        Column("checks", lambda event: "; ".join(f"{check['name']}: {check['outcome']}" for check in event.checks)),
        Column("repeats", lambda event: event.duplicates),
        Column("applied", lambda event: event.applied_at or ""),
    ],
    export_permission=Permission.WEBHOOK_VIEW,
    filters=[
        Filter("q", "Search", matching, kind="text", placeholder="Event or order id"),
        Filter("result", "Result", lambda rows, name: rows.filter(result=name), choices=result_choices),
        Filter("account", "Account", lambda rows, code: rows.filter(account__code=code), choices=account_choices),
        Filter("day", "Day", on_day, kind="date"),
    ],
)
