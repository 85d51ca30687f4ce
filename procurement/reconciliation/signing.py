"""Signing a day off: every difference explained, the day frozen and hashed, two people, and a checkpoint of the ledger.

A day that comes out differently afterwards is open again; the signature stays, over what was signed (R93, R97).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger.checkpoints import checkpoint
from ledger.money import Money
from procurement.audit.services import record
from procurement.bookkeeping.volume import forget_clean_day, note_clean_day
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.reconciliation.matching import undo_broken
from procurement.reconciliation.models import Day, Difference, SignOff
from procurement.reconciliation.queries import matched_rows
from procurement.reconciliation.states import CAUSES, SIGN_OFF
from procurement.staff.access import check_can, check_confirms, may
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.clients.redaction import mask_code_like

# A difference up to this many minor units needs one person's explanation; above it a second one accepts it.
ALONE_UP_TO = 5_00


def limit_of(row: Day) -> int:
    """The most one person explains alone, in minor units of the day's currency (`settings["explain_alone_up_to"]`)."""
    return int(row.account.settings.get("explain_alone_up_to", ALONE_UP_TO))


def in_force(row: Day) -> SignOff | None:
    """The preparation or signature that holds for the day now."""
    found = row.sign_offs.filter(state__in=["prepared", "signed"]).select_related("prepared_by", "reviewed_by", "day")
    return found.first()


def needs_second(row: Day, difference: Difference) -> bool:
    """Whether a second person must accept its explanation; a match leaves no money over."""
    return difference.match is None and abs(difference.amount_minor) > limit_of(row)


def unexplained(row: Day) -> list[Difference]:
    """What stands in the way of signing: differences nobody explained, or a large one that no second person accepted."""
    return [
        one
        for one in row.differences.filter(gone_at__isnull=True).order_by("kind", "reference")
        if not one.cause or (needs_second(row, one) and one.accepted_by_id is None)
    ]


def explain_difference(*, by: User, difference: Difference, cause: str, note: str) -> None:
    """Say why both sides differ; a note of 10 characters at least, because the auditor reads it later."""
    check_can(by, Permission.RECONCILIATION_RUN)
    _check_open(difference)
    note = mask_code_like(" ".join(note.split())[:500])
    if cause not in CAUSES:
        raise Refused("Choose one of the causes. Nothing was noted.")
    if len(note) < 10:
        raise Refused("Say in at least 10 characters how you know. Nothing was noted.")
    with transaction.atomic():
        said = {"cause": cause, "note": note, "explained_by": by, "accepted_by": None, "match": None}
        Difference.objects.filter(pk=difference.pk).update(**said)
        undo_broken(difference.day)
        what = f"{difference.label.lower()} {difference.reference}"
        record("reconciliation.explained", by=by, subject=difference.day, reason=note, what=what, cause=CAUSES[cause])


def accept_difference(*, by: User, difference: Difference) -> None:
    """A second person agrees with the explanation of a large difference."""
    check_confirms(by, Permission.RECONCILIATION_SIGN)
    _check_open(difference)
    if not difference.cause:
        raise Refused("Nobody explained this difference yet. Nothing was accepted.")
    if difference.explained_by_id == by.pk:
        raise NotAllowed("You explained this difference yourself; it needs another person. Nothing was accepted.")
    with transaction.atomic():
        same = Difference.objects.filter(pk=difference.pk, cause=difference.cause, note=difference.note)
        if not same.filter(accepted_by__isnull=True, explained_by=difference.explained_by_id).update(accepted_by=by):
            raise StaleState("The explanation changed meanwhile. Nothing was accepted. Read it again.")
        what = f"{difference.label.lower()} {difference.reference}"
        record("reconciliation.accepted", by=by, subject=difference.day, what=what)


def _check_open(difference: Difference) -> None:
    if difference.gone_at is not None:
        raise StaleState("A later comparison did not find this difference any more. Nothing was changed.")
    if in_force(difference.day) is not None:
        raise StaleState("The day is prepared or signed. Nothing was changed. Take the preparation back first.")


def prepare_day(*, by: User, row: Day) -> SignOff:
    """Freeze a finished day for a second person to sign. Refused while anything of it is unknown or unexplained."""
    check_can(by, Permission.RECONCILIATION_RUN)
    if timezone.now() < row.ends_at or row.checked_at < row.ends_at:
        raise Refused("The day was not compared after its end. Nothing was prepared. Compare it again once it is over.")
    if row.state == "waiting":
        raise Refused("The day still waits for the supplier. Nothing was prepared. Compare it again later.")
    left = unexplained(row)
    if left:
        named = ", ".join(f"{one.label.lower()} {one.reference}" for one in left[:3])
        raise Refused(f"{len(left)} of the differences are not explained: {named}. Nothing was prepared.")
    now = timezone.now()
    content = frozen(row, now)
    facts = {"content": content, "content_hash": digest(content), "prepared_by": by, "prepared_at": now}
    try:
        with transaction.atomic():
            made = SignOff.objects.create(day=row, **facts)
            record("reconciliation.prepared", by=by, subject=made, digest=made.content_hash[:12])
    except IntegrityError:
        raise StaleState("The day is prepared or signed already. Nothing was prepared. Reload the page.") from None
    return made


def sign_day(*, by: User, sign_off: SignOff, shown_hash: str) -> None:
    """Sign what another person prepared, as it was shown; Refused if the day changed since."""
    check_confirms(by, Permission.RECONCILIATION_SIGN)
    if sign_off.prepared_by_id == by.pk:
        raise NotAllowed("You prepared this day; another person signs it. Nothing was signed.")
    if shown_hash != sign_off.content_hash:
        raise StaleState("The page showed another preparation of this day. Nothing was signed. Reload the page.")
    if digest(frozen(sign_off.day, sign_off.prepared_at)) != sign_off.content_hash:
        raise StaleState("The day changed after it was prepared. Nothing was signed. It must be prepared again.")
    row = sign_off.day
    with transaction.atomic():
        transition(
            sign_off,
            "signed",
            by=by,
            machine=SIGN_OFF,
            facts={"digest": sign_off.content_hash[:12]},
            reviewed_by=by,
            reviewed_at=timezone.now(),
            checkpoint=str(checkpoint() or ""),
        )
        # A day without orders says nothing about buying more.
        if row.state == "agrees" and row.matched:
            note_clean_day(account=row.account, currency=row.currency, day=row.day)


def withdraw_sign_off(*, by: User, sign_off: SignOff, reason: str) -> None:
    """Take a preparation back, with a reason: by who prepared it, or by a reviewer who does not agree."""
    check_can(by, Permission.RECONCILIATION_SIGN)
    reason = mask_code_like(" ".join(reason.split())[:500])
    if len(reason) < 3:
        raise Refused("Say why in a few words: who prepared the day reads it. Nothing was changed.")
    _end(sign_off, "withdrawn", by, reason)


def reopen_if_changed(row: Day) -> None:
    """After a comparison: a day that is not what was prepared or signed any more is open again."""
    sign_off = in_force(row)
    if sign_off is None or digest(frozen(row, sign_off.prepared_at)) == sign_off.content_hash:
        return
    target = "reopened" if sign_off.state == "signed" else "withdrawn"
    with transaction.atomic():
        _end(sign_off, target, None, "A later comparison came out differently.")
        forget_clean_day(account=row.account, currency=row.currency, day=row.day)


def _end(sign_off: SignOff, target: str, by: User | None, reason: str) -> None:
    transition(sign_off, target, by=by, machine=SIGN_OFF, facts={"why": reason}, ended_why=reason)


def frozen(row: Day, prepared_at: datetime) -> dict[str, Any]:
    """Everything a signature stands for. When it was compared is left out: a second run changes nothing (R97).

    Documents kept with the day are signed by their hash (R94); one that is added later is not, and changes nothing.
    """
    row.refresh_from_db()
    papers = row.evidence.filter(added_at__lte=prepared_at).order_by("added_at", "pk")
    open_ones = row.differences.filter(gone_at__isnull=True).order_by("kind", "reference")
    return {
        "account": row.account.code,
        "currency": row.currency,
        "day": row.day.isoformat(),
        "state": row.state,
        "opening": row.opening_minor,
        "deposits": row.deposits_minor,
        "orders": row.orders_minor,
        "credits": row.credits_minor,
        "ours": row.ours_minor,
        "theirs": row.theirs_minor,
        "matched": {"orders": row.matched, "amount": row.matched_minor, "sha256": _digest_of_matched(row)},
        "in_flight": {"orders": row.in_flight, "amount": row.in_flight_minor},
        "differences": [_frozen_difference(one) for one in open_ones.select_related("explained_by", "accepted_by")],
        "documents": [{"name": mask_code_like(one.name), "sha256": one.sha256} for one in papers.defer("content")],
    }


def _frozen_difference(one: Difference) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "reference": one.reference,
        "amount": one.amount_minor,
        "sentence": one.sentence,
        "cause": one.cause,
        "note": one.note,
        "explained_by": str(one.explained_by or ""),
        "accepted_by": str(one.accepted_by or ""),
    }


def _digest_of_matched(row: Day) -> str:
    """SHA-256 over the matched orders, so that a day of any size has a small signature."""
    found = hashlib.sha256()
    for one in matched_rows(row):
        found.update(json.dumps([one.order_id, one.remote_id, one.ours, one.theirs]).encode())
    return found.hexdigest()


def digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(signed_bytes(content)).hexdigest()


def is_intact(sign_off: SignOff) -> bool:
    """Whether the stored content is still the one that was signed."""
    return digest(sign_off.content) == sign_off.content_hash


def signed_bytes(content: dict[str, Any]) -> bytes:
    """Frozen content as it is hashed: whoever has this file can check the signature's hash without this program."""
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Standing:
    """How far a day is from being signed, and what this person may do about it."""

    sign_off: SignOff | None
    left: int
    limit: str
    reported: bool
    may_explain: bool
    may_accept: bool
    may_prepare: bool
    may_sign: bool
    may_withdraw: bool


def standing_of(row: Day, user: User) -> Standing:
    sign_off, left = in_force(row), len(unexplained(row))
    runs, signs = may(user, Permission.RECONCILIATION_RUN), may(user, Permission.RECONCILIATION_SIGN)
    prepared = sign_off is not None and sign_off.state == "prepared"
    final = row.state != "waiting" and row.checked_at >= row.ends_at
    return Standing(
        sign_off=sign_off,
        left=left,
        limit=str(Money(limit_of(row), row.currency)),
        reported=row.sign_offs.filter(reviewed_by__isnull=False).exists(),
        may_explain=runs and sign_off is None,
        may_accept=signs and sign_off is None,
        may_prepare=runs and sign_off is None and final and not left,
        may_sign=signs and prepared and sign_off is not None and sign_off.prepared_by_id != user.pk,
        may_withdraw=signs and prepared,
    )
