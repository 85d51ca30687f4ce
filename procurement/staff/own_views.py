"""What a person does about their own sign-in, under /me/: second factor, password, sign-ins, and proving again who they are."""

from __future__ import annotations

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, update_session_auth_hash
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.audit.services import record
from procurement.staff import factor, sessions, stepping_up
from procurement.staff.access import for_everyone
from procurement.staff.factor import being_set_up, factor_of
from procurement.staff.forms import PasswordForm, PasswordProofForm, ProofForm, proved
from procurement.web.http import Request, never_keep, safe_next, see_other
from procurement.web.templatetags.ui import count_of


def may_change_factor(request: Request) -> bool:
    """Whoever has a factor proves it first; without one, in the minutes after the sign-in or with the password."""
    return stepping_up.recent(request) and (stepping_up.gave_factor(request) or not factor.has_factor(request.user))


@for_everyone
@never_keep
@require_http_methods(["GET", "POST"])
def factor_page(request: Request) -> HttpResponse:
    """Whether a second factor is set up; while it is, the key for the app; a code of it makes it count."""
    waiting = being_set_up(request.user)
    if waiting and not may_change_factor(request):
        return stepping_up.ask(request, request.path)
    form, status = ProofForm(request.POST or None), 200
    form.fields["proof"].help_text = "The six digits that the app shows for this key."
    if request.method == "POST":
        codes, status = proved(form, lambda code: factor.confirm(by=request.user, code=code))
        if codes:
            request.session.cycle_key()
            stepping_up.note(request, stepping_up.FACTOR)
            return render(request, "staff/recovery_codes.html", {"codes": codes, "first": True})
    context = {
        "factor": factor_of(request.user),
        "codes_left": request.user.recovery_codes.filter(used_at__isnull=True).count(),
        "to_scan": factor.to_scan(waiting) if waiting else None,
        "form": form,
        "required": settings.FACTOR_REQUIRED,
    }
    return render(request, "staff/factor.html", context, status=status)


@for_everyone
@require_POST
def factor_begin(request: Request) -> HttpResponse:
    """Make a new key for an app; the page then shows it."""
    if not may_change_factor(request):
        return stepping_up.ask(request, safe_next(request, "", "staff:factor"))
    factor.begin(by=request.user)
    return see_other(request, "staff:factor")


@for_everyone
@never_keep
@require_POST
@stepping_up.stepped_up
def recovery_codes(request: Request) -> HttpResponse:
    """Ten new recovery codes in the answer to this request, and nowhere else."""
    if not factor.has_factor(request.user):
        return redirect("staff:factor")
    codes = factor.new_recovery_codes(by=request.user)
    return render(request, "staff/recovery_codes.html", {"codes": codes, "first": False})


@for_everyone
@never_keep
@require_http_methods(["GET", "POST"])
def step_up(request: Request) -> HttpResponse:
    """Prove again who you are, then back to what asked for it."""
    asked = request.POST if request.method == "POST" else request.GET
    back = safe_next(request, asked.get("next", ""), settings.LOGIN_REDIRECT_URL)
    has_factor = factor.has_factor(request.user)
    form: forms.Form = (ProofForm if has_factor else PasswordProofForm)(request.POST or None)
    status = 200
    if request.method == "POST":
        _, status = proved(form, lambda proof: stepping_up.step_up(request, proof))
        if status == 200:
            return see_other(request, back)
    return render(request, "staff/step_up.html", {"form": form, "back": back, "has_factor": has_factor}, status=status)


@for_everyone
@require_GET
def own_sessions(request: Request) -> HttpResponse:
    """Where I am signed in, so that a sign-in that is not mine shows."""
    context = {"sessions": sessions.standing(request.user), "this": sessions.key_of(request)}
    return render(request, "staff/sessions.html", context)


@for_everyone
@require_POST
@stepping_up.stepped_up
def session_end(request: Request, key: str) -> HttpResponse:
    """End one of my sign-ins; ending the one at work is signing out."""
    sessions.end(by=request.user, key=key)
    if key == sessions.key_of(request):
        logout(request)
        return see_other(request, settings.LOGIN_URL)
    messages.success(request, "That sign-in has ended.")
    return see_other(request, "staff:sessions")


@for_everyone
@require_POST
@stepping_up.stepped_up
def sessions_end_others(request: Request) -> HttpResponse:
    """End all of my sign-ins but this one."""
    ended = sessions.end_others(request, request.user)
    messages.success(request, f"{count_of(ended, 'other sign-in')} ended. This one goes on.")
    return see_other(request, "staff:sessions")


@for_everyone
@never_keep
@require_http_methods(["GET", "POST"])
def own_password(request: Request) -> HttpResponse:
    """A new password for the old one; every other sign-in ends with it."""
    form = PasswordForm(request, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save()
            record("user.password_changed", by=request.user, subject=request.user)
            ended = sessions.end_others(request, request.user)
        update_session_auth_hash(request, request.user)
        messages.success(request, f"Your password is changed. {count_of(ended, 'other sign-in')} ended.")
        return see_other(request, "staff:settings")
    return render(request, "staff/password.html", {"form": form}, status=422 if request.method == "POST" else 200)
