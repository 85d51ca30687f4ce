"""The record's sentences in templates."""

from __future__ import annotations

from django import template

from procurement.audit.models import AuditEvent
from procurement.audit.queries import sentence_of

register = template.Library()


@register.filter
def as_sentence(event: AuditEvent) -> str:
    """The event in words."""
    return sentence_of(event)
