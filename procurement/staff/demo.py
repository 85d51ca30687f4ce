"""The people of the demo: one for each role, two where one acts and another agrees. They exist in a sandbox only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth.hashers import make_password

from procurement.staff.models import RoleGrant, User
from procurement.staff.roles import ROLES

PASSWORD = "countersign-demo"  # noqa: S105 - printed on the sign-in page of a sandbox on purpose

# Before the demo's history begins: its roles are settled from its first day.
SINCE = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DemoLogin:
    """One line of the sign-in page of a demo."""

    username: str
    name: str
    role_name: str

    @property
    def password(self) -> str:
        return PASSWORD

    @property
    def role(self) -> str:
        return ROLES[self.role_name].label


LOGINS = (
    DemoLogin("ben", "Ben Okafor", "buyer"),
    DemoLogin("mia", "Mia Lindqvist", "manager"),
    DemoLogin("max", "Max Aydin", "manager"),
    DemoLogin("sam", "Sam Novak", "support"),
    DemoLogin("fay", "Fay Duarte", "finance"),
    DemoLogin("ada", "Ada Petrov", "admin"),
    DemoLogin("abe", "Abe Tanaka", "admin"),
    DemoLogin("olga", "Olga Haas", "auditor"),
)


def create_people() -> dict[str, User]:
    """Make the demo's people, once; their usernames with the rows. Refuses outside a sandbox."""
    if settings.ENVIRONMENT != "sandbox":
        raise RuntimeError("Demo people are made in a sandbox only.")
    people = {}
    # One hash for all: each takes the better part of a second on purpose.
    password = make_password(PASSWORD)
    for login in LOGINS:
        user = User.objects.filter(username=login.username).first()
        if user is None:
            user = User.objects.create(
                username=login.username,
                password=password,
                display_name=login.name,
                email=f"{login.username}@cards.example",
            )
            RoleGrant.objects.create(user=user, role=login.role_name, granted_at=SINCE, settled_at=SINCE)
        people[login.username] = user
    return people


def logins_to_show() -> list[DemoLogin]:
    """The logins the sign-in page lists: only in a sandbox, and only those that exist."""
    if settings.ENVIRONMENT != "sandbox":
        return []
    present = set(
        User.objects.filter(username__in=[login.username for login in LOGINS]).values_list("username", flat=True)
    )
    return [login for login in LOGINS if login.username in present]
