"""Each kind of difference: when it is one, and the sentence that names it (R98). Pure functions of both sides.

An amount is what the difference changes in the supplier's balance against ours, in minor units: negative when the
supplier has less.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from ledger.money import Money
from procurement.bookkeeping.models import Deposit
from procurement.reconciliation.facts import Facts, Ours, Theirs

# An order made before midnight and booked this soon after it was on its way: no difference.
ON_ITS_WAY = timedelta(hours=1)


@dataclass(frozen=True)
class Found:
    """One difference. `amount` is shown; `effect` is what it may change in the supplier's balance against ours."""

    kind: str
    reference: str
    order: uuid.UUID | None
    amount: int
    effect: int
    ours: str
    theirs: str
    sentence: str


def money(facts: Facts, minor: int, currency: str = "") -> str:
    return str(Money(minor, currency or facts.window.currency))


def stamp(moment: datetime | None) -> str:
    return f"{moment.day} {moment:%b %H:%M:%S} UTC" if moment else "a time it does not state"


def missing_there(facts: Facts, order: Ours) -> Found:
    """Booked here, and the supplier says that it knows no such order."""
    cost = order.cost or 0
    sentence = (
        f"We booked {money(facts, cost)} for {order.label}, and the supplier knows no order {order.remote_id}. "
        "Ask the supplier with that id."
    )
    return Found("missing_there", order.label, order.pk, cost, cost, money(facts, cost), "no such order", sentence)


def missing_here(facts: Facts, order: Ours | None, record: Theirs) -> Found:
    """The supplier has an order for which nothing is booked here: a charge nobody here knows of (R88)."""
    net = (record.total_minor or 0) - (record.refunded_minor or 0)
    total = "an amount it does not state" if record.total_minor is None else money(facts, record.total_minor)
    ended = f" Here {order.label} ended without a purchase." if order else ""
    sentence = (
        f"The supplier has order {record.remote_id} for {total}, made {stamp(record.created_at)}, and nothing is "
        f"booked for it here.{ended} Find out who ordered it."
    )
    reference, pk = (order.label, order.pk) if order else (record.remote_id, None)
    return Found("missing_here", reference, pk, -net, -net, "nothing booked", total, sentence)


def unconfirmed(facts: Facts, order: Ours, held: int) -> Found:
    """Nobody knows yet whether the supplier took it; the money is held (R26)."""
    named = facts.listed_as(order)
    known = f"The supplier lists it as {named.remote_id}" if named else "It is not known whether the supplier took it"
    sentence = (
        f"{order.label} is unconfirmed and {money(facts, held)} is held for it. {known}. "
        "Do not order it again; settle it on the order's page."
    )
    theirs = named.remote_id if named else "not known"
    return Found("unconfirmed", order.label, order.pk, -held, -held, "held", theirs, sentence)


def timing(facts: Facts, order: Ours, record: Theirs) -> Found:
    """Booked on one side of the cut-off and made on the other: each side's day lacks what the other's has."""
    cost = order.cost or 0
    sentence = (
        f"{order.label} ({money(facts, cost)}) is booked here {stamp(order.booked_at)} and was made there "
        f"{stamp(record.created_at)}: the two sides count it on different days."
    )
    ours, theirs = stamp(order.booked_at), stamp(record.created_at)
    return Found("timing", order.label, order.pk, cost, timing_effect(facts, order, record), ours, theirs, sentence)


def is_other_day(facts: Facts, order: Ours, record: Theirs) -> bool:
    """Whether the supplier made it on another UTC day than we booked it, and not just before midnight."""
    made, booked = record.created_at, order.booked_at
    if made is None or booked is None or made.date() == booked.date():
        return False
    midnight = booked.replace(hour=0, minute=0, second=0, microsecond=0)
    return not (midnight - ON_ITS_WAY <= made < midnight and booked < midnight + ON_ITS_WAY)


def timing_effect(facts: Facts, order: Ours, record: Theirs) -> int:
    """What it changes at the moment the balance was read: by then perhaps only one side had it."""
    if facts.snapshot is None or record.created_at is None or order.booked_at is None:
        return 0
    moment, cost = facts.snapshot.taken_at, order.cost or 0
    here, there = order.booked_at <= moment, record.created_at <= moment
    return (here - there) * cost


def amount_differs(facts: Facts, order: Ours, record: Theirs) -> Found | None:
    """The supplier charged another amount, or in another currency, than is booked."""
    cost, total, currency = order.cost or 0, record.total_minor, record.currency or facts.window.currency
    same_currency = currency == facts.window.currency
    if total is None or (same_currency and total == cost):
        return None
    here, there = money(facts, cost), money(facts, total, currency)
    effect = cost - total if same_currency else cost
    sentence = f"{order.label} cost {here} here and {there} at the supplier. Compare both with the order's terms."
    return Found("amount", order.label, order.pk, effect, effect, here, there, sentence)


def refund_stated(order: Ours, record: Theirs) -> int | None:
    """What the supplier says it paid back for an order, in minor units; None when it says nothing of it."""
    if record.refunded_minor is not None:
        return record.refunded_minor
    return (order.cost or 0) if record.status == "refunded" else None


def refund_differs(facts: Facts, order: Ours, record: Theirs) -> Found | None:
    """The supplier states another refund than is booked (R93)."""
    stated = refund_stated(order, record)
    if stated is None or stated == order.refunded:
        return None
    here, there = money(facts, order.refunded), money(facts, stated)
    effect = stated - order.refunded
    sentence = f"{order.label}: {here} is paid back here, {there} at the supplier. Ask for the refund's evidence."
    return Found("amount", f"{order.label} refund", order.pk, effect, effect, here, there, sentence)


def refund_awaited(facts: Facts, order: Ours, record: Theirs) -> Found | None:
    """The supplier failed to deliver and the money is not back on either side."""
    failed = order.state == "supplier_failed" or record.status == "failed"
    rest = (order.cost or 0) - max(order.refunded, refund_stated(order, record) or 0)
    if not failed or rest <= 0:
        return None
    sentence = f"{order.label} failed at the supplier, which still has {money(facts, rest)} for it. Ask for the refund."
    theirs = record.raw_status or record.status
    ours = f"{money(facts, order.refunded)} paid back"
    return Found("refund_awaited", order.label, order.pk, rest, 0, ours, theirs, sentence)


def codes_missing(facts: Facts, order: Ours, record: Theirs) -> Found | None:
    """Fewer codes in custody than paid for, or files or the supplier count another number (R65, R95)."""
    if order.state not in ("partial", "codes_stored"):
        return None
    stated = record.delivered_quantity if record.status in ("delivered", "partly_delivered") else None
    there = order.delivered if stated is None else stated
    rest = max(order.quantity - order.delivered, 0)
    # What was paid for them, which a discount makes less than was agreed; rounded up to a whole unit.
    worth = -(-(order.cost or 0) * rest // order.quantity)
    if order.delivered == order.in_files == there and worth <= order.refunded:
        return None
    sentence = (
        f"{order.label}: {order.quantity} codes were ordered, {order.delivered} are in custody, {order.in_files} in "
        f"delivery files, {there} delivered as the supplier counts. Fetch them again, or claim what is missing."
    )
    ours = f"{order.delivered} of {order.quantity} codes"
    return Found("codes", order.label, order.pk, worth, 0, ours, f"{there} delivered", sentence)


def deposit_differs(facts: Facts, deposit: Deposit) -> Found:
    """The supplier credited another amount than was announced; booked is what it credited, so the balance agrees."""
    here, there = money(facts, deposit.amount_minor), money(facts, deposit.credited_minor or 0)
    sentence = f"Deposit {deposit.reference}: {here} was announced and {there} credited. Ask the supplier for the rest."
    if deposit.short_by < 0:
        sentence = f"Deposit {deposit.reference}: {here} was announced and {there} credited, which is more. Find out whose it is."
    return Found("deposit", deposit.reference, None, -deposit.short_by, 0, here, there, sentence)


def carried_over(facts: Facts, carried: int) -> Found:
    """What the day before left unexplained: shown so that the sum is right, and not a new difference."""
    more = "less" if carried < 0 else "more"
    day = facts.window.day - timedelta(days=1)
    sentence = f"{money(facts, abs(carried))} {more} than ours explains was carried over from {day.day} {day:%b}: explain it there."
    return Found("carried", "carried", None, carried, carried, "", "", sentence)


def balance_differs(facts: Facts, rest: int, where: str) -> Found:
    """The supplier's balance differs by what no order explains (R93)."""
    here, there = money(facts, facts.expected), money(facts, facts.snapshot.available if facts.snapshot else 0)
    more = "less" if rest < 0 else "more"
    sentence = f"The supplier's balance is {money(facts, abs(rest))} {more} than ours explains. {where}"
    return Found("balance", "balance", None, rest, rest, here, there, sentence)
