"""The page of an account's webhooks: how they are checked, how that was proven, and calibrating anew."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from procurement.errors import DomainError
from procurement.staff.access import may, people_with, requires
from procurement.staff.permissions import Permission
from procurement.suppliers import calibrating, queries
from procurement.suppliers.calibration import missing
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.receiving import CAPTURED_AT_MOST, replay_waiting
from procurement.suppliers.schemes import DEFAULTS
from procurement.web.http import Request, never_keep, see_other
from procurement.web.once import once


def calibration_context(request: Request, account: SupplierAccount) -> dict[str, Any]:
    """What the page shows of the calibration under way, if there is one."""
    calibration = calibrating.open_calibration(account)
    if calibration is None:
        return {"calibration": None}
    deliveries = calibrating.captured(calibration)
    return {
        "calibration": calibration,
        "captured": len(deliveries),
        "captured_at_most": CAPTURED_AT_MOST,
        "missing": missing(deliveries, DEFAULTS[account.dialect]),
        "proposal": None if calibration.proposal is None else calibrating.scheme_words(calibration.proposal),
        "may_confirm": calibration.proposed_by_id not in {None, request.user.pk},
        "others": people_with(Permission.ACCOUNT_MANAGE, but=calibration.proposed_by),
    }


def page(request: Request, account: SupplierAccount, problem: str = "") -> HttpResponse:
    context = {
        "account": account,
        "words": calibrating.scheme_words(account.webhook_scheme),
        "proven": calibrating.last_pinned(account),
        "hook_url": queries.hook_url(account),
        "signed_by": queries.signed_by_secret(account),
        "may_manage": may(request.user, Permission.ACCOUNT_MANAGE),
        "problem": problem,
        **calibration_context(request, account),
    }
    return render(request, "suppliers/webhook_scheme.html", context, status=422 if problem else 200)


def start(request: Request, account: SupplierAccount) -> str:
    calibrating.start_calibration(by=request.user, account=account)
    return "The next messages are kept whole for two days. How messages are checked has not changed."


def propose(request: Request, account: SupplierAccount) -> str:
    return f"{calibrating.propose_scheme(by=request.user, account=account).sentence} Another administrator confirms it."


def hints(request: Request, account: SupplierAccount) -> str:
    calibrating.propose_hints_only(by=request.user, account=account)
    return "Proposed. Another administrator confirms it."


def confirm(request: Request, account: SupplierAccount) -> str:
    mark = {name: request.POST.get(name, "") for name in ("calibration_id", "proposed_at")}
    calibrating.confirm_scheme(by=request.user, account=account, **mark)
    return "Confirmed. Messages are checked this way from now on."


def stop(request: Request, account: SupplierAccount) -> str:
    calibrating.stop_calibration(by=request.user, account=account)
    return "The calibration ended. What was captured is deleted; the scheme is the same as before."


ACTS = {"start": start, "propose": propose, "hints": hints, "confirm": confirm, "stop": stop}


@never_keep
@requires(Permission.ACCOUNT_VIEW)
@once
def account_webhooks(request: Request, pk: uuid.UUID) -> HttpResponse:
    """Read the scheme in words; calibrate, propose and confirm another (R47, R56)."""
    account = get_object_or_404(SupplierAccount, pk=pk)
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        return page(request, account)
    try:
        told = act(request, account)
    except DomainError as error:
        return page(request, account, error.sentence)
    messages.success(request, told)
    return see_other(request, "suppliers:account_webhooks", pk=account.pk)


@requires(Permission.WEBHOOK_REPLAY)
@require_POST
@once
def webhook_replay_waiting(request: Request) -> HttpResponse:
    """Look again at every order that has an event not applied, at most 200 at once."""
    looked = replay_waiting(by=request.user)
    messages.success(
        request, f"{looked} orders are being looked at again." if looked != 1 else "One order is being looked at again."
    )
    return see_other(request, "suppliers:webhook_list")
