"""Calibrating an account's webhooks: gather deliveries, propose the one scheme that fits, and confirm it as a second person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.staff.access import check_can, check_confirms
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.calibration import Delivery, Findings, calibrate, from_sealed
from procurement.suppliers.models import SupplierAccount, WebhookCalibration
from procurement.suppliers.schemes import in_words, read_scheme
from procurement.vault import Purpose, open_sealed

CAPTURE_FOR = timedelta(days=2)
HINTS_ONLY: dict[str, Any] = {}


def open_calibration(account: SupplierAccount) -> WebhookCalibration | None:
    """The calibration under way."""
    rows = WebhookCalibration.objects.filter(account=account, ended_at=None)
    return rows.select_related("account", "started_by", "proposed_by").first()


def last_pinned(account: SupplierAccount) -> WebhookCalibration | None:
    """How the present scheme was proven; None when it is the one assumed for this supplier."""
    rows = WebhookCalibration.objects.filter(account=account, pinned=True)
    return rows.select_related("proposed_by", "decided_by").order_by("-ended_at").first()


def scheme_words(scheme: dict[str, Any]) -> list[tuple[str, str]]:
    """A scheme in words, also the lack of one."""
    if not scheme:
        return [
            ("Trust", "No signature is checked: every message is an unverified hint and only makes its order be read")
        ]
    return in_words(read_scheme(scheme))


def start_calibration(*, by: User, account: SupplierAccount) -> WebhookCalibration:
    """Keep the next deliveries whole, sealed, for two days at most. How messages are judged does not change."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    until = timezone.now() + CAPTURE_FOR
    try:
        with transaction.atomic():
            calibration = WebhookCalibration.objects.create(account=account, started_by=by)
            SupplierAccount.objects.filter(pk=account.pk).update(capture_until=until)
            record("account.calibration_started", by=by, subject=account, until=f"{until:%d %b %H:%M} UTC")
    except IntegrityError:
        raise Refused("A calibration of this account is under way already. Nothing was changed.") from None
    account.capture_until = until
    return calibration


def captured(calibration: WebhookCalibration) -> list[Delivery]:
    """The deliveries kept so far, opened."""
    rows = calibration.deliveries.order_by("received_at", "pk")
    return [
        from_sealed(open_sealed(row.sealed, purpose=Purpose.WEBHOOK, context=row.context()).expose(), row.received_at)
        for row in rows
    ]


def findings_for(account: SupplierAccount, deliveries: Sequence[Delivery]) -> Findings:
    """What the deliveries prove with the account's secrets; stores nothing."""
    return calibrate(deliveries, account.open_webhook_secrets(timezone.now()), account.dialect)


def propose_scheme(*, by: User, account: SupplierAccount, deliveries: Sequence[Delivery] | None = None) -> Findings:
    """Propose the single scheme that fits every delivery (the captured ones, unless others are given).

    Refused with the findings' sentence when there is no single one. Somebody else must confirm it.
    """
    check_can(by, Permission.ACCOUNT_MANAGE)
    calibration = _under_way(account)
    found = findings_for(account, captured(calibration) if deliveries is None else deliveries)
    if found.scheme is None:
        raise Refused(found.sentence)
    _store(by, calibration, found.scheme.model_dump(mode="json"), found.sentence)
    return found


def propose_hints_only(*, by: User, account: SupplierAccount) -> None:
    """Propose to check no signature, because no known scheme fits: messages then only make their orders be read."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    _store(by, _under_way(account), HINTS_ONLY, "No known scheme fits, so no message can be proven.")


def _under_way(account: SupplierAccount) -> WebhookCalibration:
    calibration = open_calibration(account)
    if calibration is None:
        raise Refused("No calibration of this account is under way. Start one first. Nothing was changed.")
    return calibration


def _store(by: User, calibration: WebhookCalibration, scheme: dict[str, Any], proof: str) -> None:
    with transaction.atomic():
        changed = WebhookCalibration.objects.filter(pk=calibration.pk, ended_at=None).update(
            proposal=scheme, proof=proof, proposed_by=by, proposed_at=timezone.now()
        )
        if not changed:
            raise StaleState("The calibration ended meanwhile. Nothing was changed. Reload the page.")
        record("account.scheme_proposed", by=by, subject=calibration.account, what=_short(scheme), proof=proof)


def _short(scheme: dict[str, Any]) -> str:
    """One line of a scheme for the record: where the signature stands and what it signs."""
    words = dict(scheme_words(scheme))
    return "; ".join(words[name] for name in ("Signature", "Signs") if name in words) or words["Trust"]


def confirm_scheme(*, by: User, account: SupplierAccount, calibration_id: str, proposed_at: str) -> None:
    """Pin the proposed scheme; another administrator than the one who proposed it, on live and sandbox accounts alike.

    `proposed_at` (ISO) names the proposal the person read: another one made meanwhile is not confirmed by it.
    """
    check_confirms(by, Permission.ACCOUNT_MANAGE)
    calibration = _under_way(account)
    if str(calibration.pk) != calibration_id or calibration.proposal is None or calibration.proposed_at is None:
        raise StaleState("This proposal is gone. Nothing was changed. Reload the page.")
    if calibration.proposed_at.isoformat() != proposed_at:
        raise StaleState("Another scheme was proposed meanwhile. Nothing was changed. Read it before you confirm it.")
    if calibration.proposed_by_id == by.pk:
        raise NotAllowed("You proposed this scheme, so another administrator must confirm it. Nothing was changed.")
    scheme = read_scheme(calibration.proposal).model_dump(mode="json") if calibration.proposal else HINTS_ONLY
    with transaction.atomic():
        _end(by, calibration, pinned=True)
        SupplierAccount.objects.filter(pk=account.pk).update(webhook_scheme=scheme)
        record("account.scheme_pinned", by=by, subject=account, what=_short(scheme))
    account.webhook_scheme = scheme


def stop_calibration(*, by: User, account: SupplierAccount) -> None:
    """End a calibration without a new scheme; what was captured is deleted, the present scheme stays."""
    check_can(by, Permission.ACCOUNT_MANAGE)
    calibration = _under_way(account)
    with transaction.atomic():
        _end(by, calibration, pinned=False)
        record("account.calibration_stopped", by=by, subject=account)


def _end(by: User, calibration: WebhookCalibration, *, pinned: bool) -> None:
    """Close it, once, and delete what was kept whole for it."""
    same = WebhookCalibration.objects.filter(pk=calibration.pk, ended_at=None, proposed_at=calibration.proposed_at)
    if not same.update(ended_at=timezone.now(), decided_by=by, pinned=pinned):
        raise StaleState("The calibration was changed by someone else meanwhile. Nothing was changed. Reload the page.")
    calibration.deliveries.all().delete()
    SupplierAccount.objects.filter(pk=calibration.account_id).update(capture_until=None)
