"""What the key room shows: keys with their age and what they seal, unfinished rotations, open proposals."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from procurement.custody.erasing import Scope, check_no_open_claims, scope_of
from procurement.custody.models import Destruction
from procurement.errors import Refused
from procurement.states import Status
from procurement.vault import purposes
from procurement.vault.columns import columns_of
from procurement.vault.models import CryptoKey
from procurement.vault.purposes import Purpose
from procurement.vault.rotation import values_by_key

WORDS = {
    "code": "Codes",
    "bidx": "Fingerprints",
    "supplier_api": "API keys of suppliers",
    "webhook": "Webhook secrets and bodies",
    "totp": "Second factors",
    "audit_mac": "The record",
}
TONES = {
    purposes.ACTIVE: "good",
    purposes.BESIDE: "attention",
    purposes.DECRYPT_ONLY: "neutral",
    purposes.DESTROYED: "bad",
}


@dataclass(frozen=True)
class Shown:
    """One key: how old it is in days, how it stands, and how many values it seals; None where it seals none by its kind."""

    key: CryptoKey
    days: int
    status: Status
    values: int | None

    @property
    def words(self) -> str:
        return words_of(self.key.purpose)


@dataclass(frozen=True)
class Group:
    """The keys of one purpose, newest first. Of `total` values `left` are under keys that do not seal any more."""

    purpose: str
    words: str
    keys: list[Shown]
    total: int
    left: int

    @property
    def done(self) -> int:
        return self.total - self.left


def words_of(purpose: str) -> str:
    return WORDS.get(purpose, purpose)


def shown(key: CryptoKey, counts: dict[int, int]) -> Shown:
    seals = bool(columns_of(Purpose(key.purpose)))
    days = (timezone.now() - key.created_at).days
    status = Status(key.get_status_display(), TONES[key.status], "nobody")
    return Shown(key, days, status, counts.get(key.pk, 0) if seals else None)


def groups() -> list[Group]:
    """All keys by purpose, in a fixed number of queries."""
    counts = values_by_key()
    keys = [shown(key, counts) for key in CryptoKey.objects.order_by("purpose", "-period", "-version")]
    found = []
    for purpose in dict.fromkeys(one.key.purpose for one in keys):
        mine = [one for one in keys if one.key.purpose == purpose]
        total = sum(one.values or 0 for one in mine)
        left = sum(one.values or 0 for one in mine if one.key.status != purposes.ACTIVE)
        found.append(Group(purpose, words_of(purpose), mine, total, left))
    return found


def open_destructions() -> list[Destruction]:
    rows = Destruction.objects.filter(state="proposed").select_related("key", "proposed_by")
    return list(rows.order_by("proposed_at"))


def destructible(key: CryptoKey) -> tuple[Scope | None, str]:
    """What destroying it takes along, or why it may not be destroyed: nobody tried, so not that nothing was changed."""
    try:
        scope = scope_of(key)
        if scope.values:
            check_no_open_claims(key.period)
    except Refused as refusal:
        return None, refusal.sentence.replace(" Nothing was changed.", "").replace(" Nothing was erased.", "")
    return scope, ""
