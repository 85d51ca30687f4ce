"""Documents that are kept beside figures as their evidence (R94): what may be one, and how it is kept."""

from __future__ import annotations

import hashlib
from pathlib import PurePath
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from procurement.errors import Refused

MOST_BYTES, MOST_FILES = 5 * 2**20, 5
# What a document begins with says what it is; the browser's word does not, and its name must agree.
TYPES = {b"%PDF-": "application/pdf", b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}
ENDINGS = {".pdf": "application/pdf", ".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


class Paper(models.Model):
    """A document as it was added; it is never changed."""

    name = models.CharField(max_length=120)
    media_type = models.CharField(max_length=20)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    added_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name


def paper_facts(name: str, content: bytes, *, kept: int) -> dict[str, Any]:
    """The columns of a document: PDF, PNG or JPEG, at most 5 MB; Refused for anything else, or when 5 are `kept` already."""
    media_type = next((kind for start, kind in TYPES.items() if content.startswith(start)), "")
    if not media_type:
        raise Refused("The file is no PDF, PNG or JPEG. Nothing was kept. Export it as one of these.")
    if ENDINGS.get(PurePath(name).suffix.lower()) != media_type:
        raise Refused("The file is not what the end of its name says. Nothing was kept. Name it .pdf, .png or .jpg.")
    if len(content) > MOST_BYTES:
        raise Refused("The file is larger than 5 MB. Nothing was kept. Make it smaller, or split it.")
    if kept >= MOST_FILES:
        raise Refused(f"There are {MOST_FILES} documents already. Nothing was kept.")
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    shown = "".join(char for char in last if char.isprintable())[:120] or "document"
    digest = hashlib.sha256(content).hexdigest()
    return {"name": shown, "media_type": media_type, "size": len(content), "sha256": digest, "content": content}
