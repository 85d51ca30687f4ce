"""Inviting people by a link, and their own first password."""

from __future__ import annotations

import hashlib
import re
import secrets

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import Missing, Refused, StaleState
from procurement.people.models import Invitation
from procurement.people.states import ACCEPTED, INVITATION, OPEN, WITHDRAWN
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition

USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,29}")
NO_LINK = (
    "This link leads nowhere any more: it was used, replaced, or is older than 72 hours. Nothing was changed."
    " Ask the administrator who invited you for a new one."
)


def fingerprint_of(token: str) -> str:
    """What is kept of a link: 256 random bits need no salt."""
    return hashlib.sha256(token.encode()).hexdigest()


def link_of(token: str) -> str:
    """The address that the invited person opens."""
    return settings.SITE_URL + reverse("people:invitation_open", args=[token])


def check_new_person(username: str, name: str, email: str) -> None:
    """Raise Refused for a name nobody can sign in with, and for an address that has an account or could have two."""
    if not USERNAME.fullmatch(username):
        raise Refused(
            "A sign-in name has 2 to 30 small letters, digits, dots, hyphens or underscores. Nobody was invited."
        )
    if not name:
        raise Refused("Write the name colleagues know them by. Nobody was invited.")
    try:
        validate_email(email)
    except ValidationError:
        raise Refused("Write the person's e-mail address, such as nora@cards.example. Nobody was invited.") from None
    if "+" in email.partition("@")[0]:
        # ben+2@… reaches the same person as ben@….
        raise Refused("Write the address without a “+”: one person has one account. Nobody was invited.")
    if User.objects.filter(username=username).exists():
        raise Refused(f"{username} is somebody's sign-in name already. Nobody was invited. Choose another.")
    if User.objects.filter(email__iexact=email).exists():
        raise Refused(f"{email} has an account already: one person has one. Nobody was invited.")


def invite(*, by: User, username: str, name: str, email: str) -> tuple[Invitation, str]:
    """Make an account without password or role and a link for it, good once and for 72 hours; the link is not kept.

    Refused for a second account of one address; NotAllowed but for administrators.
    """
    check_can(by, Permission.PEOPLE_MANAGE)
    username, name, email = username.strip().lower(), " ".join(name.split()), email.strip().lower()
    check_new_person(username, name, email)
    try:
        with transaction.atomic():
            person = User(username=username, display_name=name, email=email, is_active=False)
            person.set_unusable_password()
            person.save(force_insert=True)
            record("user.invited", by=by, subject=person, username=username)
            return make_link(by, person)
    except IntegrityError:
        raise StaleState("Somebody else invited them at this moment. Nobody was invited twice.") from None


def make_link(by: User, person: User) -> tuple[Invitation, str]:
    token = secrets.token_urlsafe(32)
    made = Invitation.objects.create(person=person, invited_by=by, token_sha256=fingerprint_of(token))
    record("invitation.made", by=by, subject=person, until=f"{made.expires_at:%Y-%m-%d %H:%M} UTC")
    return made, link_of(token)


def renew_link(*, by: User, person: User) -> tuple[Invitation, str]:
    """Another link for somebody who has not accepted; the one before is void. Refused once they have a password."""
    check_can(by, Permission.PEOPLE_MANAGE)
    before = open_invitation(person)
    if before is None:
        raise Refused(f"{person} waits for no link. Nothing was changed.")
    with transaction.atomic():
        transition(before, WITHDRAWN, by=by, machine=INVITATION)
        return make_link(by, person)


def withdraw_invitation(*, by: User, person: User) -> None:
    """The link is void; the account stays without a password."""
    check_can(by, Permission.PEOPLE_MANAGE)
    found = open_invitation(person)
    if found is None:
        raise Refused(f"{person} waits for no link. Nothing was changed.")
    transition(found, WITHDRAWN, by=by, machine=INVITATION)


def open_invitation(person: User) -> Invitation | None:
    """The link they have not used yet, expired or not."""
    return person.invitations.filter(state=OPEN).first()


def invitation_of(token: str) -> Invitation:
    """The invitation of a link that still works; Missing, with the same sentence, for any other."""
    found = Invitation.objects.select_related("person", "invited_by").filter(token_sha256=fingerprint_of(token)).first()
    if found is None or found.state != OPEN or found.is_over:
        raise Missing(NO_LINK)
    return found


def accept(*, token: str, password: str) -> User:
    """The invited person sets their password, and can sign in from now on. Missing for a link that is over, Refused for
    a password that is too weak; of two who use the link at once, one wins."""
    invitation = invitation_of(token)
    person = invitation.person
    try:
        validate_password(password, person)
    except ValidationError as wrong:
        raise Refused(f"{' '.join(wrong.messages)} No password was set.") from None
    with transaction.atomic():
        transition(invitation, ACCEPTED, by=person, machine=INVITATION, accepted_at=timezone.now())
        person.set_password(password)
        person.is_active = True
        person.save(update_fields=["password", "is_active"])
    return person
