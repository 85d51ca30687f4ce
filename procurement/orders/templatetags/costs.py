"""Sentences for people who may not see costs."""

from __future__ import annotations

from django import template

from procurement.orders.queries import without_amounts

register = template.Library()


@register.filter
def bare(text: str, with_cost: bool) -> str:
    """The text, without its amounts unless the reader may see costs: `{{ reason|bare:with_cost }}`."""
    return text if with_cost else without_amounts(text)
