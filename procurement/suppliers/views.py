"""Pages of supplier accounts and the webhook log."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from procurement.audit.queries import timeline_for
from procurement.audit.services import record
from procurement.errors import DomainError
from procurement.staff.access import may, requires
from procurement.staff.permissions import Permission
from procurement.suppliers import configuring, history, queries, rotating, services
from procurement.suppliers.budget import use_of
from procurement.suppliers.fallback import late_words
from procurement.suppliers.forms import (
    AccountForm,
    ApiKeyForm,
    CredentialForm,
    ReasonForm,
    RegistrationForm,
    SettingsForm,
)
from procurement.suppliers.models import Exchange, SupplierAccount, WebhookEvent
from procurement.suppliers.receiving import replay_event
from procurement.suppliers.states import BEING_HANDLED, ORDER_NOT_FOUND, PAUSED
from procurement.suppliers.webhook_list import EVENTS
from procurement.web.http import Request, never_keep, see_other
from procurement.web.lists import list_page
from procurement.web.once import once

NEW_HOST = " The old API key was forgotten: set the key for the new host, then resume the account."
API_KEY, WEBHOOK = "api_key", "webhook"
CREDENTIALS = {
    API_KEY: (
        "New API key",
        "It is tested with a balance reading first. Only if that succeeds is it stored.",
    ),
    WEBHOOK: ("New webhook secret", "Messages signed with the secret before are taken for seven more days."),
}


@requires(Permission.ACCOUNT_VIEW)
def account_list(request: Request) -> HttpResponseBase:
    """Can we buy, how much is left, are the keys in order: one row for each account."""
    context = {"all_health": queries.all_health(), "may_manage": may(request.user, Permission.ACCOUNT_MANAGE)}
    return render(request, "suppliers/account_list.html", context)


@requires(Permission.ACCOUNT_VIEW)
def account_detail(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """One account: balance over time, limits, credentials, recent calls, and what happened to it."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    span = history.span_of(request.GET.get("span", ""))
    context = {
        "account": account,
        "health": queries.health_of(account),
        "spans": history.SPANS,
        "span": span,
        "lines": history.balance_lines(account, span),
        "tier_changes": history.tier_changes(account, span),
        "limits": use_of(account),
        "waiting": queries.waiting_for(account),
        "sent_again": configuring.sent_again_words(account),
        "caps": configuring.caps_words(account),
        "exchanges": queries.recent_exchanges(account),
        "hook_url": queries.hook_url(account),
        "registration": RegistrationForm(initial={"note": account.hook_registration}),
        "entries": timeline_for(account, limit=50),
        "may_manage": may(request.user, Permission.ACCOUNT_MANAGE),
        "may_see_webhooks": may(request.user, Permission.WEBHOOK_VIEW),
        "is_paused": account.state == PAUSED,
    }
    return render(request, "suppliers/account_detail.html", context)


@requires(Permission.ACCOUNT_MANAGE)
@once
def account_new(request: Request) -> HttpResponse:
    """Connect a supplier account, without its credentials."""
    form = AccountForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            account = services.create_account(by=request.user, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.sentence)
        else:
            return see_other(request, "suppliers:account_key", pk=account.pk)
    return render(request, "suppliers/account_new.html", {"form": form}, status=422 if form.errors else 200)


def _credential_forms(request: Request, account: SupplierAccount, kind: str) -> dict[str, CredentialForm]:
    """Both forms; only the one that was sent is bound. A time is offered where a key could be held until then."""
    with_time = request.method == "POST" or (account.has_key and not account.next_key_from)
    classes = {API_KEY: ApiKeyForm if with_time else CredentialForm, WEBHOOK: CredentialForm}
    return {
        name: classes[name](request.POST if name == kind else None, prefix=name, label=label, hint=hint)
        for name, (label, hint) in CREDENTIALS.items()
    }


def _store(request: Request, account: SupplierAccount, kind: str, data: dict[str, Any]) -> str:
    """Store a credential; what to tell the person."""
    value, switch_at = data["value"], data.get("switch_at")
    if kind == WEBHOOK:
        services.set_webhook_secret(by=request.user, account=account, secret=value)
        return f"The new webhook secret is in use. It ends {account.webhook_secret_last4}."
    if switch_at:
        rotating.hold_next_key(by=request.user, account=account, key=value, switch_at=switch_at)
        return (
            f"The key ending {account.next_key_last4} was tested. It takes over at {switch_at:%Y-%m-%d %H:%M} UTC; "
            f"until then the key ending {account.api_key_last4} is used."
        )
    services.set_api_key(by=request.user, account=account, key=value, test=True)
    return f"The new key was tested and is in use. It ends {account.api_key_last4}."


@never_keep
@requires(Permission.ACCOUNT_MANAGE)
@once
def account_key(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Set the API key or the webhook secret; neither is ever shown again (R100, R101)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    kind = request.POST.get("kind", "")
    forms = _credential_forms(request, account, kind)
    form = forms.get(kind)
    if form is not None and form.is_valid():
        try:
            told = _store(request, account, kind, form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, told)
            return see_other(request, "suppliers:account_detail", pk=account.pk)
    context = {"account": account, "key_form": forms[API_KEY], "secret_form": forms[WEBHOOK]}
    return render(request, "suppliers/account_key.html", context, status=422 if request.method == "POST" else 200)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
@once
def account_next_key(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Use a held API key at once, or forget it (R102)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    last4 = account.next_key_last4
    if request.POST.get("act") == "use":
        rotating.use_next_key(by=request.user, account=account)
        messages.success(request, f"The key ending {last4} was tested and is in use. The one before is forgotten.")
    else:
        rotating.cancel_next_key(by=request.user, account=account)
        messages.success(request, f"The key ending {last4} is forgotten. The key ending {account.api_key_last4} stays.")
    return see_other(request, "suppliers:account_key", pk=account.pk)


@requires(Permission.ACCOUNT_MANAGE)
@once
def account_settings(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Change address, limits and key window, with a reason (R105)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = SettingsForm(request.POST or None, initial=configuring.settings_of(account))
    if request.method == "POST" and form.is_valid():
        try:
            other_host = configuring.change_account(by=request.user, account=account, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.sentence)
        else:
            messages.success(request, "The settings were changed." + (NEW_HOST if other_host else ""))
            page = "suppliers:account_key" if other_host else "suppliers:account_detail"
            return see_other(request, page, pk=account.pk)
    context = {"account": account, "form": form}
    return render(request, "suppliers/account_settings.html", context, status=422 if form.errors else 200)


@requires(Permission.ACCOUNT_MANAGE)
@once
def account_pause(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Stop new orders at an account, with a reason."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.pause_account(by=request.user, account=account, reason=form.cleaned_data["reason"])
        return see_other(request, "suppliers:account_detail", pk=account.pk)
    context = {"account": account, "form": form}
    return render(request, "suppliers/account_pause.html", context, status=422 if form.errors else 200)


@requires(Permission.ACCOUNT_MANAGE)
@once
def account_resume(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Let orders go to an account again, with a reason."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        services.resume_account(by=request.user, account=account, reason=form.cleaned_data["reason"])
        return see_other(request, "suppliers:account_detail", pk=account.pk)
    context = {"account": account, "form": form}
    return render(request, "suppliers/account_resume.html", context, status=422 if form.errors else 200)


@requires(Permission.ACCOUNT_MANAGE, Permission.ORDER_CREATE, Permission.DEPOSIT_RECORD)
@require_POST
def account_balance(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Check the balance now (R85, R115)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    services.read_balance(account, by=request.user)
    return see_other(request, "suppliers:account_detail", pk=account.pk)


@requires(Permission.ACCOUNT_MANAGE)
@require_POST
def account_registration(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Note how far the registration of the webhook address is (R56)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    form = RegistrationForm(request.POST)
    if form.is_valid():
        services.note_registration(by=request.user, account=account, note=form.cleaned_data["note"])
    return see_other(request, "suppliers:account_detail", pk=account.pk)


@requires(Permission.ACCOUNT_VIEW)
def exchange_detail(request: Request, request_id: uuid.UUID) -> HttpResponseBase:
    """One call to a supplier, with codes masked and without any key (R27)."""
    exchange = get_object_or_404(Exchange.objects.select_related("account"), request_id=request_id)
    return render(request, "suppliers/exchange_detail.html", {"exchange": queries.with_subjects([exchange])[0]})


@requires(Permission.WEBHOOK_VIEW)
def webhook_list(request: Request) -> HttpResponseBase:
    """Are events arriving and applied; what was refused and why."""
    extra = {
        "words": queries.events_in_words(),
        "late": late_words(),
        "may_replay": may(request.user, Permission.WEBHOOK_REPLAY),
    }

    def on_export(filters: str, count: int) -> None:
        record("export.made", by=request.user, subject=request.user, what=f"webhooks ({filters})", rows=count)

    rows = queries.events_for_list()
    return list_page(request, EVENTS, rows, "suppliers/webhook_list.html", extra, on_export=on_export)


@requires(Permission.WEBHOOK_VIEW)
def webhook_detail(request: Request, pk: uuid.UUID) -> HttpResponseBase:
    """One message: what was checked, what it said, what came of it."""
    event = get_object_or_404(WebhookEvent.objects.select_related("account"), pk=pk)
    context = {
        "event": event,
        "body": queries.event_body(event),
        "may_replay": may(request.user, Permission.WEBHOOK_REPLAY) and event.result in {BEING_HANDLED, ORDER_NOT_FOUND},
        "entries": timeline_for(event),
    }
    return render(request, "suppliers/webhook_detail.html", context)


@requires(Permission.WEBHOOK_REPLAY)
@require_POST
@once
def webhook_replay(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Look at the event's order again."""
    event = get_object_or_404(WebhookEvent.objects.select_related("account"), pk=pk)
    replay_event(by=request.user, event=event)
    messages.success(request, "The order is being looked at again.")
    return see_other(request, "suppliers:webhook_detail", pk=event.pk)
