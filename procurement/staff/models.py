"""People and the roles they hold."""

from __future__ import annotations

import uuid
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES
from procurement.vault import Context


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
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[UserManager] = UserManager()
    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    def __str__(self) -> str:
        return self.display_name or self.username

    @cached_property
    def role_names(self) -> tuple[str, ...]:
        """The names of the roles held, read once for each request."""
        held = set(self.grants.values_list("role", flat=True))
        return tuple(name for name in ROLES if name in held)

    @cached_property
    def permissions(self) -> frozenset[Permission]:
        return frozenset().union(*(ROLES[name].permissions for name in self.role_names))

    @property
    def role_labels(self) -> str:
        return ", ".join(ROLES[name].label for name in self.role_names)

    def can(self, permission: Permission) -> bool:
        return self.is_active and permission in self.permissions


class RoleGrant(models.Model):
    """One role held by one person, with who granted it and when."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="grants")
    role = models.CharField(max_length=20, choices=[(role.name, role.label) for role in ROLES.values()])
    granted_at = models.DateTimeField(default=timezone.now)
    granted_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_grant_for_each_role")]

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
    """Wrong guesses in a row at one thing, under the hash of its name: what is guessed at may be a mistyped password."""

    key = models.CharField(max_length=64, primary_key=True)
    count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name_plural = "misses"

    def __str__(self) -> str:
        return f"{self.count} misses"
