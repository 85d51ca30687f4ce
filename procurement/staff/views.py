"""Signing in and out, and what a person may see of themselves and the team."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import logout, views
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.services import record
from procurement.staff.access import for_everyone
from procurement.staff.demo import logins_to_show
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES
from procurement.web.http import Request, never_keep


@method_decorator(never_keep, name="dispatch")
class SignIn(views.LoginView):
    """The sign-in page; a wrong name and a wrong password get the same sentence."""

    template_name = "registration/login.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "demo_logins": logins_to_show()}

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        response = super().form_valid(form)
        user = form.get_user()
        if isinstance(user, User):
            record("user.signed_in", by=user, subject=user)
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form), status=422)


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
    return render(request, "staff/settings.html", {"roles": roles, "permissions": sorted(request.user.permissions)})


@for_everyone
@require_GET
def people(request: Request) -> HttpResponse:
    """Who holds which role, so that everyone knows whom to ask."""
    rows = User.objects.filter(is_active=True).prefetch_related("grants").order_by("display_name")
    team = [(person, [ROLES[name] for name in person.role_names]) for person in rows]
    return render(
        request, "staff/people.html", {"team": team, "roles": ROLES.values(), "all_permissions": list(Permission)}
    )
