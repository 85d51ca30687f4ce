"""A deposit's way from its announcement to the ledger: who may take which step, and when its credit is booked.

Booked is what the supplier credited: when its balance shows exactly the announced amount, or when a second person confirms.
"""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.services import record
from procurement.bookkeeping import balances, postings
from procurement.bookkeeping.holdings import amount_text
from procurement.bookkeeping.models import Deposit, Evidence
from procurement.bookkeeping.papers import paper_facts
from procurement.bookkeeping.states import CREDITED_HOW, DEPOSIT, UNDER_WAY, WAYS
from procurement.errors import DomainError, NotAllowed, Refused
from procurement.staff.access import check_can, check_settled
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.states import transition
from procurement.suppliers.models import BalanceSnapshot, SupplierAccount

# A reading older than this shows nothing of a deposit that is looked for now.
LOOK_BACK = timedelta(hours=1)


def announce_deposit(
    *, by: User, account: SupplierAccount, amount_minor: int, currency: str, way: str, reference: str, note: str = ""
) -> Deposit:
    """Say that money is about to be sent: nothing is booked (R83, N7). `way` is a key of WAYS."""
    check_can(by, Permission.DEPOSIT_RECORD)
    if amount_minor <= 0 or not reference.strip():
        raise Refused("A deposit needs an amount above zero and the supplier's invoice number. Nothing was recorded.")
    if way not in WAYS:
        raise Refused("Choose one of the ways to send money. Nothing was recorded.")
    row = Deposit(
        account=account,
        amount_minor=amount_minor,
        currency=currency,
        asset=WAYS[way].asset,
        network=WAYS[way].network,
        reference=reference.strip(),
        note=note.strip(),
        announced_by=by,
        announced_at=timezone.now(),
    )
    with transaction.atomic():
        _insert(row)
        record("deposit.announced", by=by, subject=row, amount=amount_text(amount_minor, currency), way=str(WAYS[way]))
    return row


def note_sent(*, by: User, deposit: Deposit, txid: str) -> None:
    """The money left, under this transaction id, which must look like one of its network (N8)."""
    check_can(by, Permission.DEPOSIT_RECORD)
    txid, way = txid.strip(), deposit.way
    if way is None or not re.fullmatch(way.txid, txid):
        wanted = way.example if way else "known ways only"
        raise Refused(f"This is no transaction id of {way or deposit}: {wanted}. Nothing was noted. Check the network.")
    other = Deposit.objects.filter(txid=txid).exclude(pk=deposit.pk).select_related("account").first()
    if other is not None:
        raise Refused(f"This transaction pays {other} at {other.account} already. Nothing was noted. Check the id.")
    transition(deposit, "sent", by=by, machine=DEPOSIT, facts={"txid": txid}, txid=txid, sent_at=timezone.now())


def note_confirmed(*, by: User, deposit: Deposit) -> None:
    """The network confirmed the transfer; the supplier has not credited it yet."""
    check_can(by, Permission.DEPOSIT_RECORD)
    transition(deposit, "confirmed", by=by, machine=DEPOSIT)


def withdraw_deposit(*, by: User, deposit: Deposit, reason: str) -> None:
    """Nothing was sent after all, or the transfer failed; with a reason of 10 characters at least."""
    check_can(by, Permission.DEPOSIT_RECORD)
    transition(deposit, "withdrawn", by=by, machine=DEPOSIT, reason=_reason(reason))


def credit_deposit(
    *, by: User, deposit: Deposit, amount_minor: int | None = None, credited_on: date | None = None, reason: str = ""
) -> None:
    """Book what the supplier credited (R83, N8): as its balance shows it, else by another person than who announced it.

    Another amount than announced needs a reason, and stays a difference of that day.
    """
    check_can(by, Permission.DEPOSIT_CONFIRM)
    amount = deposit.amount_minor if amount_minor is None else amount_minor
    reading = shown_in(deposit)
    if reading is not None and amount == deposit.amount_minor:
        _credit(deposit, amount, reading.taken_at.date(), "balance", by=by, reading=reading)
        return
    if by.pk == deposit.announced_by_id:
        raise NotAllowed(
            "You announced this deposit, and the supplier's balance does not show exactly its amount. Nothing was "
            "booked. Another person of finance, or a manager, confirms it."
        )
    check_settled(by, Permission.DEPOSIT_CONFIRM)
    if amount <= 0:
        raise Refused("A credit is more than zero. Nothing was booked.")
    day = credited_on or timezone.now().date()
    if day > timezone.now().date():
        raise Refused("The credit is dated in the future. Nothing was booked. Book it once it is credited.")
    why = _reason(reason) if amount != deposit.amount_minor else " ".join(reason.split())[:500]
    _credit(deposit, amount, day, "person", by=by, reason=why)


def credit_what_is_shown() -> int:
    """Book every open deposit that its supplier's balance shows; how many."""
    booked = 0
    for deposit in Deposit.objects.filter(state__in=UNDER_WAY).select_related("account"):
        reading = shown_in(deposit)
        if reading is not None:
            # One that is refused, such as for closed books, holds up no other; its page says what to do.
            with suppress(DomainError):
                _credit(deposit, deposit.amount_minor, reading.taken_at.date(), "balance", by=None, reading=reading)
                booked += 1
    return booked


def shown_in(deposit: Deposit) -> BalanceSnapshot | None:
    """The reading in which the supplier has exactly this deposit more than our ledger explains; None while none does.

    None as well where that proves nothing: an equal deposit is open too, or the same surplus stood before this was sent.
    """
    if deposit.sent_at is None or deposit.state not in UNDER_WAY:
        return None
    mine = {"account": deposit.account, "currency": deposit.currency}
    twins = Deposit.objects.filter(**mine, state__in=UNDER_WAY, amount_minor=deposit.amount_minor)
    readings = BalanceSnapshot.objects.filter(**mine).order_by("-taken_at", "-pk")
    last = readings.filter(taken_at__gt=max(deposit.sent_at, timezone.now() - LOOK_BACK)).first()
    before = readings.filter(taken_at__lte=deposit.sent_at).first()
    if last is None or surplus(last) != deposit.amount_minor or twins.exclude(pk=deposit.pk).exists():
        return None
    return None if before is not None and surplus(before) == deposit.amount_minor else last


def surplus(reading: BalanceSnapshot) -> int:
    """What the supplier had more than our ledger explains when its balance was read, in minor units."""
    return reading.available - balances.expected_at(reading.account.code, reading.currency, reading.taken_at)


def open_book(
    *, account: SupplierAccount, amount_minor: int, currency: str, credited_on: date, reference: str, note: str = ""
) -> Deposit:
    """Book what a supplier holds for us when its ledger begins: by the system, as the supplier's balance said it."""
    if amount_minor <= 0 or not reference.strip():
        raise Refused("An opening needs an amount above zero and a reference. Nothing was recorded.")
    if credited_on > timezone.now().date():
        raise Refused("The opening is dated in the future. Nothing was recorded.")
    row = Deposit(
        account=account,
        amount_minor=amount_minor,
        currency=currency,
        reference=reference.strip(),
        note=note,
        state="credited",
        credited_minor=amount_minor,
        credited_on=credited_on,
        credited_how="opening",
    )
    with transaction.atomic():
        _insert(row)
        postings.deposit(row, actor="System")
        record("deposit.recorded", by=None, subject=row, amount=amount_text(amount_minor, currency))
    return row


def add_evidence(*, by: User, deposit: Deposit, name: str, content: bytes) -> Evidence:
    """Keep a document with the deposit (R94): PDF, PNG or JPEG, at most 5 MB, at most 5 of them."""
    check_can(by, Permission.DEPOSIT_RECORD, Permission.DEPOSIT_CONFIRM)
    facts = paper_facts(name, content, kept=deposit.evidence.count())
    try:
        with transaction.atomic():
            made = Evidence.objects.create(deposit=deposit, added_by=by, **facts)
            record("deposit.evidence_added", by=by, subject=deposit, file=made.name, sha256=made.sha256)
    except IntegrityError:
        raise Refused("This document is kept with the deposit already. Nothing was added.") from None
    return made


def _credit(
    deposit: Deposit,
    amount: int,
    day: date,
    how: str,
    *,
    by: User | None,
    reading: BalanceSnapshot | None = None,
    reason: str = "",
) -> None:
    facts = {"amount": amount_text(amount, deposit.currency), "how": CREDITED_HOW[how]}
    with transaction.atomic():
        transition(
            deposit,
            "credited",
            by=by,
            machine=DEPOSIT,
            reason=reason,
            facts=facts,
            credited_minor=amount,
            credited_on=day,
            credited_how=how,
            credited_by=by,
            shown_by=reading,
        )
        postings.deposit(deposit, actor=str(by or "System"))


def _insert(row: Deposit) -> None:
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        first = Deposit.objects.select_related("announced_by").get(account=row.account, reference=row.reference)
        raise Refused(
            f"{row.account} has a deposit {row.reference} already: {amount_text(first.amount_minor, first.currency)}, "
            f"announced by {first.announced_by or 'the system'}. No second one was recorded. Check the invoice number."
        ) from None


def _reason(text: str) -> str:
    reason = " ".join(text.split())[:500]
    if len(reason) < 10:
        raise Refused("Say why in at least 10 characters: the auditor reads it later. Nothing was changed.")
    return reason
