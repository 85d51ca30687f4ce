"""People and the roles they hold."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.utils import timezone

from procurement.staff.permissions import Permission
from procurement.staff.roles import ROLES


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
