"""Unusual reveals: the list, one of them with what is on record of the code, and who looked at it."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.services import record
from procurement.errors import DomainError, Missing
from procurement.orders.custody import RevealAlert
from procurement.orders.forms import ReasonForm
from procurement.orders.services.revealing import reveals_of
from procurement.orders.watching import PATTERNS, look_at_alert
from procurement.staff.access import requires
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.web.http import Request, see_other
from procurement.web.lists import Column, Filter, ListSpec, Tab, list_page
from procurement.web.once import once


def says(alert: RevealAlert) -> str:
    return f"{alert.person} {PATTERNS[alert.pattern].says}."


ALERTS: ListSpec[RevealAlert] = ListSpec(
    noun="alert",
    nouns="alerts",
    sorts={"found": ["found_at"]},
    default_sort="-found",
    tabs=[
        Tab("open", "To look at", Q(looked_by__isnull=True), counted=True),
        Tab("seen", "Looked at", Q(looked_by__isnull=False)),
        Tab("all", "All"),
    ],
    filters=[
        Filter(
            "pattern",
            "What",
            lambda rows, name: rows.filter(pattern=name),
            choices=lambda: [(name, pattern.says.capitalize()) for name, pattern in PATTERNS.items()],
        ),
        Filter(
            "person",
            "Person",
            lambda rows, name: rows.filter(person__username=name),
            choices=lambda: list(User.objects.order_by("display_name").values_list("username", "display_name")),
        ),
    ],
    columns=[
        Column("found", lambda alert: alert.found_at.isoformat()),
        Column("person", lambda alert: str(alert.person)),
        Column("what", says),
        Column("code ending", lambda alert: alert.reveal.code.last4),
        Column("order", lambda alert: str(alert.reveal.code.order)),
        Column("for", lambda alert: alert.reveal.ground_label),
        Column("looked at by", lambda alert: str(alert.looked_by or "")),
        Column("note", lambda alert: alert.note),
    ],
    export_permission=Permission.AUDIT_VIEW,
)
RELATED = ("person", "looked_by", "reveal__code__order__account", "reveal__person")


@requires(Permission.AUDIT_VIEW)
@require_GET
def alert_list(request: Request) -> HttpResponseBase:
    """What nobody looked at yet, newest first."""

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"alerts ({filters})", rows=count)

    rows = RevealAlert.objects.select_related(*RELATED)
    context = {"words": {name: pattern.says for name, pattern in PATTERNS.items()}}
    return list_page(request, ALERTS, rows, "orders/alert_list.html", context, on_export=on_export)


def get_alert(pk: int) -> RevealAlert:
    found = RevealAlert.objects.select_related(*RELATED).filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such alert. Nothing was changed. Look at the list of alerts.")
    return found


@requires(Permission.AUDIT_VIEW)
@require_GET
def alert_detail(request: Request, pk: int) -> HttpResponse:
    return show_alert(request, get_alert(pk), ReasonForm())


def show_alert(request: Request, alert: RevealAlert, form: ReasonForm) -> HttpResponse:
    context = {
        "alert": alert,
        "reveal": alert.reveal,
        "says": PATTERNS[alert.pattern].says,
        "seen": reveals_of(alert.reveal.code),
        "form": form,
        "may_look": alert.looked_by_id is None and alert.person_id != request.user.pk,
    }
    return render(request, "orders/alert_detail.html", context, status=422 if form.is_bound else 200)


@requires(Permission.AUDIT_VIEW)
@require_POST
@once
def alert_look(request: Request, pk: int) -> HttpResponse:
    """Say what was found; a refusal shows the alert again with what was typed."""
    alert, form = get_alert(pk), ReasonForm(request.POST)
    if form.is_valid():
        try:
            look_at_alert(by=request.user, alert=alert, note=form.cleaned_data["reason"])
        except DomainError as refusal:
            form.add_error("reason", refusal.sentence)
        else:
            return see_other(request, "orders:alert_list")
    return show_alert(request, alert, form)
