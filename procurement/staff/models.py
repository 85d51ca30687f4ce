"""People and the roles they hold."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from procurement.staff.permissions import Permission
from procurement.staff.roles import EXCLUSIVE, ROLES
from procurement.vault import Context

# A role younger than this neither approves nor reveals: time for the others to see that it was given.
SETTLES_AFTER = timedelta(hours=24)


def when_settled() -> datetime:
    """When a role given now may approve and reveal."""
    return timezone.now() + SETTLES_AFTER


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: Any) -> User:
        user = self.model(username=self.model.normalize_username(username), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A person who signs in. What they may do follows from their role grants alone."""

    username = models.CharField(max_length=150, unique=True)
    display_name = models.CharField(max_length=100)
    # One address for each person, so that nobody has two accounts that agree with each other.
    email = models.EmailField(blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    class Meta:
        constraints = [
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="one_account_for_each_address")
        ]

    def __str__(self) -> str:
        return self.display_name or self.username

    @cached_property
    def standing_grants(self) -> list[RoleGrant]:
        """The grants that were not revoked, read once for each request."""
        return [grant for grant in self.grants.all() if grant.revoked_at is None]

    @cached_property
    def role_names(self) -> tuple[str, ...]:
        """The names of the roles held."""
        held = {grant.role for grant in self.standing_grants}
        return tuple(name for name in ROLES if name in held)

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        return frozenset().union(*(ROLES[name].permissions for name in self.role_names))

    @property
    def role_labels(self) -> str:
        return ", ".join(ROLES[name].label for name in self.role_names)

    def can(self, permission: Permission) -> bool:
        return self.is_active and permission in self.permissions

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """What a session must agree with at each request: whatever changes password or roles ends every session at once."""
        held = ",".join(sorted(str(grant.pk) for grant in self.standing_grants))
        value = f"{self.password}:{held}"
        return salted_hmac("countersign.session", value, secret=secret, algorithm="sha256").hexdigest()

    def settled_at(self, permission: Permission) -> datetime | None:
        """From when on a role of theirs with `permission` is settled, the earliest of several; None without one."""
        given = [grant.settled_at for grant in self.standing_grants if permission in ROLES[grant.role].permissions]
        return min(given, default=None)


class RoleGrant(models.Model):
    """One role held by one person: who gave it and when, from when it is settled, and who took it away.

    A grant is never deleted and never comes back; the role is given anew, and settles anew.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=20, choices=[(role.name, role.label) for role in ROLES.values()])
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(default=when_settled)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role"], condition=Q(revoked_at__isnull=True), name="one_standing_grant_for_each_role"
            ),
            # No path gives two roles to one person that must be two people.
            *(
                models.UniqueConstraint(
                    fields=["user"],
                    condition=Q(role__in=group, revoked_at__isnull=True),
                    name=f"one_role_of_{'_'.join(group)}",
                )
                for group in EXCLUSIVE
            ),
            models.CheckConstraint(
                condition=Q(granted_by__isnull=True) | ~Q(granted_by=F("user")), name="nobody_gives_themselves_a_role"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {ROLES[self.role].label}"


class Factor(models.Model):
    """Somebody's authenticator app: its seed, sealed. It counts from the moment a code of it was given, not before."""

    # Made here, because the seed is sealed for its row before the row is written.
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="factors")
    seed_sealed = models.BinaryField(max_length=200)
    begun_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True)
    # The 30 seconds whose code was taken last; no code of them or before is taken again.
    last_step = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            # Two that count would let a stranger's app stay beside the person's own.
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(confirmed_at__isnull=False), name="one_factor_for_a_person"
            ),
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(confirmed_at__isnull=True), name="one_factor_being_set_up"
            ),
        ]

    def __str__(self) -> str:
        return f"authenticator app of {self.user}"

    def context(self) -> Context:
        return Context(table="staff_factor", column="seed_sealed", row=str(self.pk))


class RecoveryCode(models.Model):
    """One of the codes on paper that stand in for a lost phone, each once. Only its hash is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32)
    made_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_recovery_code_of_a_kind")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"


class Misses(models.Model):
    """Wrong guesses at one thing within a day, under the hash of its name: what is guessed at may be a mistyped password."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now, db_index=True)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "misses"

    def __str__(self) -> str:
        return f"{self.count} misses"


class Session(AbstractBaseSession):
    """A sign-in in one browser, or what waits for one. Under the hash of its key: a copy of this table opens no session."""

    session_key = models.CharField(max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    began_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    browser = models.CharField(max_length=80, blank=True)
    address = models.CharField(max_length=60, blank=True)

    def __str__(self) -> str:
        return f"session of {self.user}" if self.user_id else "session of nobody"
