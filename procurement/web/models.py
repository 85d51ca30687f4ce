"""The one table of the shell: tokens of forms that were sent."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class FormToken(models.Model):
    """A form that was sent; its primary key makes the second sender lose."""

    token = models.UUIDField(primary_key=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    path = models.CharField(max_length=500)
    result_url = models.CharField(max_length=500, blank=True, default="")
    finished = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"{self.path} at {self.created_at:%Y-%m-%d %H:%M}"
