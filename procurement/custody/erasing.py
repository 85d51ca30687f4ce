"""What is erased for good: a key with what it sealed, by two administrators; or one code, by one with a reason (R101)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.claims.models import Claim
from procurement.custody.models import Destruction
from procurement.custody.states import DESTRUCTION
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.orders.models import Code
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.vault import Purpose, keyring, month_of, purposes, rotation
from procurement.vault.models import CryptoKey

# Two zero counts a day apart: by then every process has sealed with the key after it for long.
REST = timedelta(hours=24)
CLAIM_NEEDS_CODE = ("draft", "unconfirmed", "filed")


@dataclass(frozen=True)
class Scope:
    """What goes when a key goes: the keys' ids, and how many values they seal."""

    keys: list[int]
    values: int


def scope_of(key: CryptoKey) -> Scope:
    """What destroying `key` takes along. A retired key goes alone and takes nothing; a past month goes as a whole.

    Refused for a key that seals, that values still need, that was retired less than a day ago, or is destroyed.
    """
    if key.purpose == Purpose.BIDX:
        raise Refused("Every fingerprint is made with all index keys, so none is destroyed. Nothing was changed.")
    counts = rotation.values_by_key()
    past = bool(key.period) and key.period < month_of(timezone.now())
    if key.status == purposes.DESTROYED:
        raise Refused(f"The {key} is destroyed already. Nothing was changed.")
    if key.status == purposes.DECRYPT_ONLY and not counts[key.pk]:
        if key.retired_at and timezone.now() - key.retired_at < REST:
            raise Refused(f"The {key} was retired less than a day ago. Nothing was changed. Come back tomorrow.")
        return Scope([key.pk], 0)
    if past:
        month = CryptoKey.objects.filter(purpose=key.purpose, period=key.period).exclude(status=purposes.DESTROYED)
        ids = list(month.values_list("pk", flat=True))
        return Scope(ids, sum(counts[one] for one in ids))
    if key.status == purposes.ACTIVE:
        raise Refused(f"The {key} seals new values. Nothing was changed. Replace it first: manage.py rotate_keys.")
    raise Refused(
        f"{counts[key.pk]:,} values still need the {key}. Nothing was changed. Seal them anew first: manage.py rotate_keys."
    )


def check_no_open_claims(month: str) -> None:
    """A supplier that looks into a claim may ask for the code: none is erased under it."""
    codes = Claim.objects.filter(state__in=CLAIM_NEEDS_CODE).exclude(code__sealed=b"")
    waiting = sum(month_of(at) == month for at in codes.values_list("code__stored_at", flat=True))
    if waiting:
        raise Refused(f"{waiting:,} claims about codes of {month} are not decided. Nothing was erased. Wait for them.")


def clean_reason(reason: str) -> str:
    reason = " ".join(reason.split())[:500]
    if len(reason) < 10:
        raise Refused("Say why in at least 10 characters: the auditor reads it later. Nothing was changed.")
    return reason


def propose_destruction(*, by: User, key: CryptoKey, reason: str) -> Destruction:
    """Ask a second administrator to destroy a key; nothing is erased yet."""
    check_can(by, Permission.KEY_MANAGE)
    reason, scope = clean_reason(reason), scope_of(key)
    if scope.values:
        check_no_open_claims(key.period)
    try:
        with transaction.atomic():
            row = Destruction.objects.create(key=key, values=scope.values, reason=reason, proposed_by=by)
            record("key.destruction_proposed", by=by, subject=row, reason=reason, count=scope.values, key=str(key))
    except IntegrityError:
        raise StaleState("This is proposed already. Nothing more was proposed. Decide that one first.") from None
    return row


def confirm_destruction(*, by: User, row: Destruction) -> None:
    """Agree with another administrator: the keys are destroyed, and what they sealed is blanked, in one transaction."""
    check_confirms(by, Permission.KEY_MANAGE)
    if by.pk == row.proposed_by_id:
        raise NotAllowed("You proposed this; another administrator confirms it. Nothing was erased.")
    with transaction.atomic():
        key = CryptoKey.objects.get(pk=row.key_id)
        scope = scope_of(key)
        if scope.values:
            check_no_open_claims(key.period)
        if scope.values != row.values:
            raise StaleState(
                f"It was proposed for {row.values:,} values and now takes {scope.values:,} along. Nothing was erased. "
                "Decline it and propose it again."
            )
        facts = {"count": scope.values, "key": str(key), "keys": len(scope.keys)}
        transition(row, "confirmed", by=by, machine=DESTRUCTION, facts=facts, decided_by=by, decided_at=timezone.now())
        rotation.erase(scope.keys)
        keyring.destroy(scope.keys)


def decline_destruction(*, by: User, row: Destruction) -> None:
    """Take one's own proposal back, or disagree with another's: nothing is erased."""
    check_can(by, Permission.KEY_MANAGE)
    facts = {"key": str(row.key)}
    transition(row, "declined", by=by, machine=DESTRUCTION, facts=facts, decided_by=by, decided_at=timezone.now())


def erase_code(*, by: User, code: Code, reason: str) -> None:
    """Blank one code that was handed over or set aside; its last four, fingerprint and record stay (R62).

    Refused for stock, whose value would be lost, and while a claim about it is not decided.
    """
    check_can(by, Permission.KEY_MANAGE)
    reason = clean_reason(reason)
    if code.is_erased:
        raise Refused("This code is erased already. Nothing was changed.")
    if code.state == "stored":
        raise Refused("This code was not handed over; erasing it would lose what was paid for it. It was not erased.")
    if Claim.objects.filter(code=code, state__in=CLAIM_NEEDS_CODE).exists():
        raise Refused("A claim about this code is not decided. It was not erased. Wait for the supplier.")
    with transaction.atomic():
        if not Code.objects.filter(pk=code.pk, sealed=code.sealed, state=code.state).update(sealed=b""):
            raise StaleState("This code was changed meanwhile. It was not erased. Look at it again.")
        record("code.erased", by=by, subject=code, reason=reason, last4=code.last4)
    code.sealed = b""
