"""Which of our codes a text is, for rules and pages alike."""

from __future__ import annotations

from django.db.models import QuerySet

from procurement.orders.models import Code
from procurement.vault import fingerprints


def codes_held_as(text: str, among: QuerySet[Code]) -> list[Code]:
    """The codes that are this text, in capitals or not; found through the keyed fingerprint, nothing is opened."""
    [asked] = fingerprints([text])
    found = list(among.filter(fingerprint__in=asked.both))
    if not found and (now := fingerprints([text])[0]) != asked:
        # The index key was replaced, and perhaps the row made anew, since the keys were read.
        found = list(among.filter(fingerprint__in=now.both))
    return found
