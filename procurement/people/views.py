"""People: who is here, inviting them by a link, and asking a second administrator to change what they may do."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.db.models import Q
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET, require_POST

from procurement.audit.queries import timeline_for
from procurement.errors import Missing, Refused
from procurement.people import invitations, proposals, queries
from procurement.people.forms import InviteForm, PasswordForm, ReasonForm, RolesForm
from procurement.people.kinds import DEACTIVATION, FACTOR, ROLE_CHANGE
from procurement.people.mailing import mail_link
from procurement.people.models import Invitation
from procurement.staff.access import requires
from procurement.staff.factor import has_factor
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES
from procurement.staff.stepping_up import stepped_up
from procurement.web.http import Request, never_keep, see_other
from procurement.web.lists import Filter, ListSpec, Tab, list_page
from procurement.web.once import once

PEOPLE: ListSpec[User] = ListSpec(
    noun="person",
    nouns="people",
    sorts={"name": ["display_name"], "seen": ["last_login"]},
    default_sort="name",
    tabs=[
        Tab("active", "Active", Q(is_active=True), counted=True),
        Tab("invited", "Invited", queries.IS_INVITED, counted=True),
        Tab("deactivated", "Deactivated", Q(is_active=False) & ~queries.IS_INVITED),
    ],
    filters=[
        Filter(
            "role",
            "Role",
            lambda rows, name: rows.filter(grants__role=name, grants__revoked_at__isnull=True),
            choices=[(role.name, role.label) for role in ROLES.values()],
        )
    ],
)


@requires(Permission.PEOPLE_MANAGE)
@require_GET
def person_list(request: Request) -> HttpResponseBase:
    """Everybody with their roles and how they stand."""
    admins = User.objects.filter(is_active=True, grants__role="admin", grants__revoked_at__isnull=True).count()
    context = {"alone": admins < 2, "waiting": queries.open_proposals().count()}
    return list_page(request, PEOPLE, queries.people_for_list(), "people/person_list.html", context)


def get_person(pk: int) -> User:
    found = queries.people_for_list().filter(pk=pk).first()
    if found is None:
        raise Missing("There is no such person. Nothing was changed.")
    return found


@requires(Permission.PEOPLE_MANAGE)
@require_GET
def person_detail(request: Request, pk: int) -> HttpResponse:
    """One person: roles since when, the link they may have, what is proposed, and what happened."""
    return show_person(request, get_person(pk))


def show_person(
    request: Request, person: User, form: BaseForm | None = None, ending: BaseForm | None = None
) -> HttpResponse:
    wrong = any(one is not None and one.errors for one in (form, ending))
    grants = person.grants.select_related("granted_by", "revoked_by").order_by("-granted_at", "-pk")
    context = {
        "person": person,
        "status": queries.status_of(person),
        "invitation": invitations.open_invitation(person),
        "grants": [(ROLES[grant.role].label, grant) for grant in grants],
        "waiting": queries.open_proposals().filter(subject=person),
        "form": form or RolesForm(initial={"roles": person.role_names}),
        "has_factor": has_factor(person),
        "ending": ending or ReasonForm(prefix="end"),
        "entries": timeline_for(person, *person.invitations.all(), *person.proposals.all()),
    }
    return render(request, "people/person_detail.html", context, status=422 if wrong else 200)


@requires(Permission.PEOPLE_MANAGE)
@stepped_up
@once
def person_invite(request: Request) -> HttpResponse:
    """Invite somebody; the answer shows their link, this once."""
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data: dict[str, Any] = form.cleaned_data
        try:
            with transaction.atomic():
                made, link = invitations.invite(
                    by=request.user, username=data["username"], name=data["name"], email=data["email"]
                )
                if data["roles"]:
                    propose_roles(request.user, made.person, data["roles"], f"Invitation of {made.person}")
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            return show_link(request, made, link)
    return render(request, "people/person_invite.html", {"form": form}, status=422 if form.errors else 200)


def show_link(request: Request, made: Invitation, link: str) -> HttpResponse:
    """The only page that ever holds the link."""
    context = {"person": made.person, "made": made, "link": link, "mailed": mail_link(made, link)}
    return render(request, "people/person_link.html", context)


def propose_roles(by: User, person: User, roles: list[str], reason: str) -> None:
    ordered = [name for name in ROLES if name in roles]
    proposals.propose(by=by, kind=ROLE_CHANGE, about=str(person.pk), after={"roles": ordered}, reason=reason)


@requires(Permission.PEOPLE_MANAGE)
@require_POST
@stepped_up
@once
def person_link(request: Request, pk: int) -> HttpResponse:
    """Another link for somebody who has not joined; the one before is void."""
    return show_link(request, *invitations.renew_link(by=request.user, person=get_person(pk)))


@requires(Permission.PEOPLE_MANAGE)
@require_POST
@once
def person_withdraw(request: Request, pk: int) -> HttpResponse:
    """Make the link of somebody who has not joined void."""
    invitations.withdraw_invitation(by=request.user, person=get_person(pk))
    messages.success(request, "The link is void.")
    return see_other(request, "people:person_detail", pk=pk)


@requires(Permission.PEOPLE_MANAGE)
@require_POST
@once
def person_roles(request: Request, pk: int) -> HttpResponse:
    """Propose other roles for somebody."""
    person, form = get_person(pk), RolesForm(request.POST)
    if form.is_valid():
        try:
            propose_roles(request.user, person, form.cleaned_data["roles"], form.cleaned_data["reason"])
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
    if form.errors:
        return show_person(request, person, form=form)
    messages.success(request, "Proposed. Nothing changes until another administrator confirms it.")
    return see_other(request, "people:person_detail", pk=pk)


ENDINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "deactivate": (DEACTIVATION, {"active": False, "roles": []}),
    "remove_factor": (FACTOR, {"factor": False}),
}


@requires(Permission.PEOPLE_MANAGE)
@require_POST
@once
def person_end(request: Request, pk: int) -> HttpResponse:
    """Propose that somebody can no longer sign in, or sets up a new second factor."""
    person, form = get_person(pk), ReasonForm(request.POST, prefix="end")
    kind, after = ENDINGS.get(request.POST.get("what", ""), ("", {}))
    if not kind:
        raise Missing("Choose what to propose. Nothing was proposed.")
    if form.is_valid():
        try:
            proposals.propose(
                by=request.user, kind=kind, about=str(pk), after=after, reason=form.cleaned_data["reason"]
            )
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
    if form.errors:
        return show_person(request, person, ending=form)
    messages.success(request, "Proposed. Nothing changes until another administrator confirms it.")
    return see_other(request, "people:person_detail", pk=pk)


@login_not_required
@require_GET
@never_keep
def invitation_open(request: HttpRequest, token: str) -> HttpResponse:
    """The page behind a link. Its form carries the link's token along, so that no later address, and no log line, holds it."""
    return show_invitation(request, token, PasswordForm())


@login_not_required
@require_POST
@never_keep
def invitation_accept(request: HttpRequest) -> HttpResponse:
    """The invited person sets their own password; the link works once."""
    token, form = request.POST.get("token", ""), PasswordForm(request.POST)
    if form.is_valid():
        try:
            invitations.accept(token=token, password=form.cleaned_data["password"])
        except Refused as refusal:
            form.add_error(None, refusal.sentence)
        else:
            messages.success(request, "Your password is set. Sign in with it.")
            return see_other(request, "login")
    return show_invitation(request, token, form)


def show_invitation(request: HttpRequest, token: str, form: BaseForm) -> HttpResponse:
    context = {"form": form, "token": token, "invitation": invitations.invitation_of(token)}
    return render(request, "people/invitation_accept.html", context, status=422 if form.errors else 200)
