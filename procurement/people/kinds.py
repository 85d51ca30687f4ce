"""What two administrators decide: each kind of change with what holds now, what is allowed, how it reads, what it does.

A kind added here has its proposals, pages and record at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.money import format_amount
from procurement.approvals.services import limits_for, set_limits
from procurement.audit.services import record
from procurement.errors import Missing, Refused
from procurement.people.invitations import open_invitation
from procurement.people.models import Proposal
from procurement.people.states import INVITATION, WITHDRAWN
from procurement.staff.access import people_with
from procurement.staff.factor import has_factor, remove
from procurement.staff.models import SETTLES_AFTER, RoleGrant, User
from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES, clashes
from procurement.states import transition

ROLE_CHANGE, DEACTIVATION, FACTOR, APPROVAL_RULE = "roles", "deactivation", "second_factor", "approval_rule"
Content = Mapping[str, Any]
FEWEST_ADMINS = 2


@dataclass(frozen=True)
class Kind:
    """`now(about)` is what holds; `check(about, after)` raises Refused; `apply(proposal, by, at)` does it once it is confirmed."""

    title: str
    now: Callable[[str], dict[str, Any]]
    check: Callable[[str, Content], None]
    words: Callable[[str, Content], list[tuple[str, str]]]
    apply: Callable[[Proposal, User, datetime], None]
    about_person: bool = True


def person_of(about: str) -> User:
    """The person a proposal is about, read afresh."""
    found = User.objects.filter(pk=about).first()
    if found is None:
        raise Missing("There is no such person. Nothing was changed.")
    return found


def check_admins_left(person: User) -> None:
    """Without two administrators nobody could confirm anything any more."""
    if len(people_with(Permission.PEOPLE_MANAGE, but=person)) < FEWEST_ADMINS:
        raise Refused(
            "Then fewer than two administrators were left, and nobody could confirm anything. Nothing was changed."
            " Make another administrator first."
        )


def roles_now(about: str) -> dict[str, Any]:
    return {"roles": list(person_of(about).role_names)}


def check_roles(about: str, after: Content) -> None:
    person, wanted = person_of(about), after["roles"]
    if not set(wanted) <= set(ROLES):
        raise Refused("There is no such role. Nothing was changed.")
    if two := clashes(wanted):
        raise Refused(f"One person is never both {two}. Nothing was changed. Choose one of them.")
    if not person.is_active and open_invitation(person) is None:
        raise Refused(f"{person} is deactivated and gets no role. Nothing was changed.")
    if person.can(Permission.PEOPLE_MANAGE) and "admin" not in wanted:
        check_admins_left(person)


def role_words(about: str, content: Content) -> list[tuple[str, str]]:
    return [("Roles", ", ".join(ROLES[name].label for name in content["roles"]) or "none")]


def change_roles(proposal: Proposal, by: User, at: datetime) -> None:
    before, after = set(proposal.before["roles"]), set(proposal.after["roles"])
    person = person_of(proposal.about)
    take_roles(person, before - after, proposal, by, at)
    for role in sorted(after - before):
        RoleGrant.objects.create(user=person, role=role, granted_by=by, granted_at=at, settled_at=at + SETTLES_AFTER)
        about = {"person": str(person), "role": ROLES[role].label}
        record("user.role_granted", by=by, subject=person, reason=proposal.reason, **about)


def take_roles(person: User, roles: set[str], proposal: Proposal, by: User, at: datetime) -> None:
    """End these grants; they stay on record."""
    standing = RoleGrant.objects.filter(user=person, role__in=roles, revoked_at__isnull=True)
    standing.update(revoked_at=at, revoked_by=by)
    for role in sorted(roles):
        about = {"person": str(person), "role": ROLES[role].label}
        record("user.role_revoked", by=by, subject=person, reason=proposal.reason, **about)


def standing_now(about: str) -> dict[str, Any]:
    person = person_of(about)
    return {"active": person.is_active, "roles": list(person.role_names)}


def check_deactivation(about: str, after: Content) -> None:
    person = person_of(about)
    if not person.is_active:
        raise Refused(f"{person} can't sign in as it is. Nothing was changed.")
    if person.can(Permission.PEOPLE_MANAGE):
        check_admins_left(person)


def standing_words(about: str, content: Content) -> list[tuple[str, str]]:
    return [("May sign in", "yes" if content["active"] else "no"), *role_words(about, content)]


def deactivate(proposal: Proposal, by: User, at: datetime) -> None:
    person = person_of(proposal.about)
    take_roles(person, set(proposal.before["roles"]), proposal, by, at)
    invitation = open_invitation(person)
    if invitation is not None:
        transition(invitation, WITHDRAWN, by=by, machine=INVITATION)
    User.objects.filter(pk=person.pk).update(is_active=False)
    about = {"person": str(person)}
    record("user.deactivated", by=by, subject=person, reason=proposal.reason, **about)


def factor_now(about: str) -> dict[str, Any]:
    return {"factor": has_factor(person_of(about))}


def check_factor(about: str, after: Content) -> None:
    if after["factor"]:
        raise Refused("Only the person sets up a second factor. Nothing was changed.")


def factor_words(about: str, content: Content) -> list[tuple[str, str]]:
    return [("Authenticator app and recovery codes", "set up" if content["factor"] else "none")]


def remove_factor(proposal: Proposal, by: User, at: datetime) -> None:
    """Who then knows the password sets up a new one: the administrators make sure that it is the same person."""
    remove(person_of(proposal.about), reason=proposal.reason, by=by)


def limits_now(currency: str) -> dict[str, Any]:
    order, day = limits_for(currency)
    return {"order_limit_minor": order, "daily_limit_minor": day}


def check_limits(currency: str, after: Content) -> None:
    order, day = after["order_limit_minor"], after["daily_limit_minor"]
    if order < 0 or day < order:
        raise Refused(
            "The limit of a day is at least that of one order, and neither is below zero. Nothing was changed."
        )


def limit_words(currency: str, content: Content) -> list[tuple[str, str]]:
    labels = {"order_limit_minor": "One order, up to", "daily_limit_minor": "One person's day, up to"}
    return [(label, f"{format_amount(content[key], currency)} {currency}") for key, label in labels.items()]


def change_limits(proposal: Proposal, by: User, at: datetime) -> None:
    set_limits(by=by, currency=proposal.about, at=at, **proposal.after)


KINDS = {
    ROLE_CHANGE: Kind("Change of roles", roles_now, check_roles, role_words, change_roles),
    DEACTIVATION: Kind("Deactivation", standing_now, check_deactivation, standing_words, deactivate),
    FACTOR: Kind("Removal of the second factor", factor_now, check_factor, factor_words, remove_factor),
    APPROVAL_RULE: Kind("Approval limits", limits_now, check_limits, limit_words, change_limits, about_person=False),
}
