"""Signing in and out, and what a person may see of themselves and the team."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render, resolve_url
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from procurement.staff import sessions, signing_in
from procurement.staff.access import for_everyone, may, requires
from procurement.staff.demo import logins_to_show
from procurement.staff.factor import factor_of
from procurement.staff.forms import ProofForm, SignInForm, proved
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES
from procurement.staff.tries import know_browser
from procurement.web.http import Request, never_keep, safe_next, see_other, with_query
from procurement.web.templatetags.ui import count_of


@method_decorator(require_http_methods(["GET", "HEAD", "POST"]), name="dispatch")
@method_decorator(never_keep, name="dispatch")
class SignIn(views.LoginView):
    """The sign-in page; a wrong name and a wrong password get the same sentence."""

    template_name = "registration/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "demo_logins": logins_to_show()}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Signed in at once, or on to the second factor of those who have one."""
        user, to = form.get_user(), self.get_success_url()
        assert isinstance(user, User)
        if signing_in.password_was_right(self.request, user):
            return signed_in(self.request, user, to)
        return redirect(with_query(resolve_url("login_code"), next=to))

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        status = getattr(form, "refused_status", 422)
        return self.render_to_response(self.get_context_data(form=form), status=status)


def signed_in(request: HttpRequest, user: User, to: str) -> HttpResponse:
    """On to where the person was going, and the browser is known from now on."""
    response = redirect(to)
    know_browser(response, request, user)
    return response


@login_not_required
@for_everyone
@never_keep
@require_http_methods(["GET", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second half of signing in: a code of the app, or a recovery code."""
    user = signing_in.half_signed_in(request)
    if user is None:
        return redirect("login")
    asked = request.POST if request.method == "POST" else request.GET
    to = safe_next(request, asked.get("next", ""), settings.LOGIN_REDIRECT_URL)
    form, status = ProofForm(request.POST or None), 200
    if request.method == "POST":
        _, status = proved(form, lambda code: signing_in.give_factor(request, user, code))
        if status == 200:
            return signed_in(request, user, to)
    return render(request, "registration/login_code.html", {"form": form, "next": to}, status=status)


@for_everyone
@require_POST
def sign_out(request: Request) -> HttpResponse:
    """End the session and ask the browser to forget what it kept of it."""
    logout(request)
    response = redirect("login")
    response["Clear-Site-Data"] = '"cache", "storage"'
    return response


@for_everyone
@require_GET
def own_settings(request: Request) -> HttpResponse:
    """Who I am here, what I may do, and how my screens look."""
    roles = [ROLES[name] for name in request.user.role_names]
    context = {"roles": roles, "permissions": sorted(request.user.permissions), "factor": factor_of(request.user)}
    return render(request, "staff/settings.html", context)


@for_everyone
@require_GET
def people(request: Request) -> HttpResponse:
    """Who holds which role, so that everyone knows whom to ask."""
    rows = User.objects.filter(is_active=True).prefetch_related("grants").order_by("display_name")
    team = [(person, [ROLES[name] for name in person.role_names]) for person in rows]
    context = {"team": team, "roles": ROLES.values(), "may_sign_out": may(request.user, Permission.PEOPLE_MANAGE)}
    return render(request, "staff/people.html", context)


@requires(Permission.PEOPLE_MANAGE)
@require_POST
def sign_out_person(request: Request, pk: int) -> HttpResponse:
    """End every sign-in of somebody, whose account may be in strange hands."""
    person = get_object_or_404(User, pk=pk)
    ended = sessions.sign_out_everywhere(by=request.user, person=person)
    messages.success(request, f"{person} is signed out everywhere ({count_of(ended, 'sign-in')} ended).")
    return see_other(request, "staff:people")
