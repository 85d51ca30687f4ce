"""May this person? One check, one sentence, one decorator for views."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from procurement.errors import NotAllowed
from procurement.staff.models import RoleGrant, User
from procurement.staff.permissions import Permission
from procurement.staff.roles import roles_with

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def may(user: Any, *permissions: Permission) -> bool:
    """Whether a signed-in person holds any of `permissions`."""
    return isinstance(user, User) and any(user.can(permission) for permission in permissions)


def people_with(permission: Permission, *, but: User | None = None) -> list[User]:
    """Active people who hold `permission`, for "ask: names"."""
    names = [role.name for role in roles_with(permission)]
    standing = RoleGrant.objects.filter(role__in=names, revoked_at__isnull=True)
    people = User.objects.filter(is_active=True, pk__in=standing.values("user")).order_by("display_name")
    return [person for person in people[:10] if person != but]


def check_can(user: Any, *permissions: Permission) -> None:
    """Raise NotAllowed, naming the roles and people to ask, unless the person holds one of `permissions` (R63)."""
    if may(user, *permissions):
        return
    roles = ", ".join(sorted({role.label for permission in permissions for role in roles_with(permission)}))
    names = ", ".join(str(person) for person in people_with(permissions[0]))
    ask = f" Ask: {names}." if names else ""
    raise NotAllowed(f"This is for: {roles}. Nothing was changed.{ask}")


def is_settled(user: User, permission: Permission) -> bool:
    """Whether a role of theirs with `permission` is 24 hours old."""
    settled_at = user.settled_at(permission)
    return settled_at is not None and settled_at <= timezone.now()


def check_settled(user: User, permission: Permission) -> None:
    """Raise NotAllowed until a role of theirs with `permission` is 24 hours old; the sentence says when it will be."""
    if not is_settled(user, permission):
        settled_at = user.settled_at(permission)
        until = f" It may from {settled_at:%d %b %H:%M} UTC on." if settled_at else ""
        raise NotAllowed(
            f"Your role is younger than 24 hours and neither approves, confirms nor reveals yet.{until} Nothing was changed."
        )


def check_confirms(user: User, permission: Permission) -> None:
    """Raise NotAllowed unless a settled role of theirs has `permission`: for whoever confirms as the second of two people.

    A role that somebody was given a moment ago, perhaps by the first of the two, must not be the second pair of eyes.
    """
    check_can(user, permission)
    check_settled(user, permission)


def requires(*permissions: Permission) -> Callable[[View], View]:
    """View decorator: the signed-in person needs any of `permissions`. The URL walk reads `required_permissions`."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            check_can(request.user, *permissions)
            return view(request, *args, **kwargs)

        guarded.required_permissions = permissions  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def for_everyone(view: View) -> View:
    """View decorator: any signed-in person; said aloud, so that a view without a rule is a mistake a test finds."""
    view.required_permissions = ()  # type: ignore[attr-defined]
    return view
