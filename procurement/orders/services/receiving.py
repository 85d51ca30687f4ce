"""Codes come in: checked, sealed and stored with the order's move, in one transaction."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from ledger.money import parse_amount
from procurement.audit.services import record
from procurement.bookkeeping import postings
from procurement.faultpoints import faultpoint
from procurement.orders.models import Code, Delivery, Order
from procurement.orders.states import ORDER
from procurement.states import transition
from procurement.suppliers.clients import client_for
from procurement.suppliers.clients.environment import check_code_environment
from procurement.suppliers.clients.types import RemoteCode
from procurement.vault import Fingerprints, Purpose, fingerprints, last4, normalise_code, seal

WELL_FORMED = re.compile(r"[A-Z0-9]{12}")
# Codes that are late in the file are waited for; after this many readings and this long the order counts as part delivered.
PATIENT_FETCHES, PATIENT_FOR = 3, timedelta(minutes=30)


@dataclass
class Intake:
    """What one reading of the codes brought."""

    fresh: list[Code] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)


def fetch_codes(order: Order, *, complete: bool) -> None:
    """Download the codes of a delivered order and store what is new; fetching again adds nothing (R59, R60, R61).

    `complete` is False when the supplier itself says that only a part was delivered.
    """
    remote_codes = client_for(order.account).read_codes(order.remote_id)
    faultpoint("codes.read")
    with transaction.atomic():
        intake = take_in(order, remote_codes)
        fetches = order.code_fetches + 1
        stored = order.codes.count()
        Order.objects.filter(pk=order.pk).update(code_fetches=fetches, delivered_quantity=stored)
        order.code_fetches, order.delivered_quantity = fetches, stored
        if intake.troubles:
            record("order.conflict", by=None, subject=order, source="supplier", what="; ".join(intake.troubles[:5]))
            Order.objects.filter(pk=order.pk).update(problem="; ".join(intake.troubles)[:500])
        patient = fetches >= PATIENT_FETCHES and timezone.now() - (order.delivered_at or timezone.now()) >= PATIENT_FOR
        settle_state(order, stored, waited=not complete or patient)
        faultpoint("codes.stored")
    faultpoint("codes.committed")


def settle_state(order: Order, stored: int, *, waited: bool) -> None:
    """Delivered in full, in part, or still to be waited for."""
    if stored >= order.quantity:
        transition(order, "codes_stored", by=None, machine=ORDER, source="supplier", facts={"count": stored})
    elif waited and order.state == "delivered":
        facts = {"count": stored, "quantity": order.quantity}
        transition(order, "partial", by=None, machine=ORDER, source="supplier", facts=facts)


def take_in(order: Order, remote_codes: tuple[RemoteCode, ...]) -> Intake:
    """Seal every code not held yet; name those that can't be right."""
    intake, now = Intake(), timezone.now()
    prints = fingerprints(remote.code for remote in remote_codes)
    asked = [one for mine in prints for one in mine.both]
    held = {
        bytes(row): order_id
        for row, order_id in Code.objects.filter(fingerprint__in=asked).values_list("fingerprint", "order_id")
    }
    position = order.codes.count()
    new: list[tuple[RemoteCode, Fingerprints]] = []
    for remote, mine in zip(remote_codes, prints, strict=True):
        owner = next((held[one] for one in mine.both if one in held), None)
        if owner is None:
            held[mine.fingerprint] = order.pk
            new.append((remote, mine))
        elif owner != order.pk:
            intake.troubles.append(f"a code ending {last4(remote.code)} is held for another order already")
    if not new:
        return intake
    delivery = Delivery.objects.create(
        order=order,
        fetched_at=now,
        count=len(new),
        checksum=hashlib.sha256(b"".join(sorted(mine.fingerprint for _, mine in new))).hexdigest(),
    )
    for remote, mine in new:
        position += 1
        check_code_environment(order.account, remote.code)
        code = build_code(order, delivery, remote, mine, position)
        intake.fresh.append(code)
        intake.troubles += troubles_of(order, code)
    Code.objects.bulk_create(intake.fresh)
    postings.codes_delivered(
        account_code=order.account.code,
        currency=order.cost_currency,
        order_id=str(order.pk),
        label=order.client_order_id,
        delivery_id=str(delivery.pk),
        count=delivery.count,
        checksum=delivery.checksum,
    )
    return intake


def build_code(order: Order, delivery: Delivery, remote: RemoteCode, mine: Fingerprints, position: int) -> Code:
    """One sealed row; a wrong region or a damaged code is set aside from the start."""
    code = Code(
        order=order,
        delivery=delivery,
        account=order.account,
        position=position,
        **mine._asdict(),
        last4=last4(remote.code),
        serial=remote.serial or "",
        region=remote.region or "",
        face_minor=face_of(order, remote),
        stored_at=timezone.now(),
        available_at=order.available_at or timezone.now(),
    )
    if not WELL_FORMED.fullmatch(normalise_code(remote.code)):
        code.state = "invalid"
    elif differs(order, code):
        code.state = "wrong_region"
    code.sealed = seal(normalise_code(remote.code), purpose=Purpose.CODE, context=code.context())
    return code


def face_of(order: Order, remote: RemoteCode) -> int | None:
    """The code's own face value in minor units of the order's currency; None if the supplier states none."""
    return None if remote.denomination is None else parse_amount(str(remote.denomination), order.face_currency)


def differs(order: Order, code: Code) -> bool:
    """Whether the supplier states another region or value for this code than was ordered."""
    return bool(code.region and code.region != order.region) or (
        code.face_minor is not None and code.face_minor != order.face_minor
    )


def troubles_of(order: Order, code: Code) -> list[str]:
    """Why a code was set aside, in words that name it by its last four."""
    if code.state == "invalid":
        return [f"the code ending {code.last4 or '????'} is not 12 characters"]
    if code.state == "wrong_region":
        return [f"the code ending {code.last4} is for {code.region or 'another value'}, ordered was {order.region}"]
    return []
