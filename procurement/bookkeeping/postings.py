"""Every posting rule, and the only importer of the ledger's services. It knows no order: ids, labels and minor units.

docs/postings.md is the same in a table. Each function books its cause once: a retry changes nothing. A refusal books
nothing and is a procurement.errors.Refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

from django.db import IntegrityError, transaction
from django.utils import timezone

from ledger import queries as books
from ledger import services
from ledger.booking import Leg
from ledger.errors import BelowFloor, LedgerError
from ledger.models import Entry
from ledger.money import Money
from procurement.audit.services import record
from procurement.bookkeeping.models import Deposit, Label
from procurement.bookkeeping.rules import (
    ACCOUNTS,
    ATTEMPT,
    CREDIT,
    DELIVERY,
    DEPOSIT,
    HOLD,
    PURCHASE,
    REFUND,
    RELEASE,
    as_markdown,
)
from procurement.errors import Refused
from procurement.staff.access import check_can
from procurement.staff.models import User
from procurement.staff.permissions import Permission
from procurement.suppliers.models import SupplierAccount

__all__ = [
    "amount_text",
    "as_markdown",
    "claim_credit",
    "codes_delivered",
    "deposit",
    "failed_attempt",
    "free_balance",
    "hold_order",
    "not_enough",
    "purchase",
    "refund",
    "release_order",
    "settled_balance",
]

# A charge is split at most this often: the funds can shrink between two tries.
SPLITS = 5


def amount_text(minor: int, currency: str) -> str:
    """`1,234.50 USD` from minor units."""
    return str(Money(minor, currency))


def free_balance(account_code: str, currency: str) -> int:
    """What may still be spent, in minor units: settled + held, less charges beyond the funds; 0 if unknown (R85)."""
    balances = _balances(account_code, currency)
    return _settled(balances) + balances.get("funds", (0, 0))[1]


def settled_balance(account_code: str, currency: str) -> int:
    """What the supplier should hold for us, in minor units, whatever is set aside for orders."""
    return _settled(_balances(account_code, currency))


def not_enough(account_code: str, currency: str, needed_minor: int, free_minor: int) -> str:
    """The sentence of an order beyond the free balance (R90)."""
    needed, free = amount_text(needed_minor, currency), amount_text(free_minor, currency)
    missing = amount_text(needed_minor - free_minor, currency)
    return (
        f"{account_code} has {free} free and this needs {needed}, {missing} more. "
        "Nothing was ordered. Record a deposit, or order less."
    )


def hold_order(*, account_code: str, currency: str, order_id: str, label: str, amount_minor: int, actor: str) -> None:
    """Set an order's highest cost aside before anything is sent; Refused beyond the free balance (R90).

    Once while it lasts: an order whose hold ended may be held again.
    """
    open_hold, earlier = _holds(order_id)
    if open_hold is not None:
        if _moved(open_hold, "purchases") != amount_minor:
            raise Refused(f"Another amount is already held for {label}. Nothing was changed. Cancel the order first.")
        return
    free = free_balance(account_code, currency)
    if amount_minor > free:
        raise Refused(not_enough(account_code, currency, amount_minor, free))
    try:
        with _booking(account_code, currency, ("order", order_id, label)):
            services.hold(
                key=f"order:{order_id}:hold:{earlier + 1}",
                kind=HOLD,
                lines=_spending(account_code, currency, amount_minor),
                reference=("order", order_id),
                actor=actor,
            )
    except BelowFloor as short:
        # Someone else spent it in the meantime; the database is the judge.
        raise Refused(not_enough(account_code, currency, amount_minor, short.free)) from None


def release_order(*, order_id: str, reason: str, actor: str = "System") -> None:
    """End an order's hold because nothing was bought: a failed attempt on the ledger, the balance unchanged (R83)."""
    held, number = _holds(order_id)
    if held is not None:
        with _refusals():
            services.release(
                key=f"order:{order_id}:release:{number}", hold_key=held.key, kind=RELEASE, memo=reason, actor=actor
            )


def purchase(*, account_code: str, currency: str, order_id: str, label: str, amount_minor: int) -> None:
    """Book what an order truly cost and end its hold, once for each order; Refused if another cost was booked before.

    A charge is a fact, so the floor never stops it: what the funds do not cover goes to suspense.
    """
    booked = books.entry_by_key(f"order:{order_id}:purchase")
    if booked is not None:
        if _moved(booked, "purchases") != amount_minor:
            raise Refused(f"Another cost is already booked for {label}. Nothing was changed. Look at its movements.")
        return
    held, _ = _holds(order_id)
    if amount_minor == 0 and held is None:
        return
    with _booking(account_code, currency, ("order", order_id, label)):
        _charge(account_code, currency, order_id, amount_minor, held)


def refund(*, account_code: str, currency: str, order_id: str, label: str, amount_minor: int) -> None:
    """Book what the supplier paid back for an order; `amount_minor` is the total paid back so far (R72)."""
    earlier = books.entries_for("order", order_id).filter(kind=REFUND)
    rest = amount_minor + sum(_moved(entry, "purchases") for entry in earlier)
    if rest > 0:
        with _booking(account_code, currency, ("order", order_id, label)):
            services.post(
                key=f"order:{order_id}:refund:{amount_minor}",
                kind=REFUND,
                lines=_incoming(account_code, currency, "purchases", rest),
                reference=("order", order_id),
            )


def claim_credit(
    *, account_code: str, currency: str, claim_id: str, order_id: str, label: str, amount_minor: int, actor: str
) -> None:
    """Book what the supplier credits for one claim, against its order, once for each claim (R72)."""
    key = f"claim:{claim_id}:credit"
    booked = books.entry_by_key(key)
    if booked is not None:
        if -_moved(booked, "purchases") != amount_minor:
            raise Refused("Another credit is already booked for this claim. Nothing was changed.")
        return
    with _booking(account_code, currency, ("order", order_id, label)):
        services.post(
            key=key,
            kind=CREDIT,
            lines=_incoming(account_code, currency, "purchases", amount_minor),
            reference=("order", order_id),
            actor=actor,
            memo=f"Claim {claim_id}",
        )


def deposit(
    *,
    by: User | None,
    account: SupplierAccount,
    amount_minor: int,
    currency: str,
    credited_on: date,
    reference: str,
    note: str = "",
) -> Deposit:
    """Record money the supplier credited to us, once for each of its references (R83, N8). `by=None` is the system."""
    if by is not None:
        check_can(by, Permission.DEPOSIT_RECORD)
    reference = reference.strip()
    if amount_minor <= 0 or not reference:
        raise Refused("A deposit needs an amount above zero and the supplier's reference. Nothing was recorded.")
    if credited_on > timezone.now().date():
        raise Refused("The deposit is dated in the future. Nothing was recorded. Record it once it is credited.")
    with _refusals(), transaction.atomic():
        row = _deposit_row(by, account, amount_minor, currency, credited_on, reference, note)
        with _booking(account.code, currency, ("deposit", str(row.pk), reference)):
            services.post(
                key=f"deposit:{row.pk}",
                kind=DEPOSIT,
                lines=_incoming(account.code, currency, "deposits", amount_minor),
                reference=("deposit", str(row.pk)),
                effective_on=credited_on,
                actor=str(by or "System"),
                memo=note,
            )
        record("deposit.recorded", by=by, subject=row, amount=amount_text(amount_minor, currency), account=account.code)
    return row


def failed_attempt(*, account_code: str, currency: str, order_id: str, label: str, reason: str) -> None:
    """Note an attempt that failed while nothing was held: a line without money (R83)."""
    number = books.entries_for("order", order_id).filter(kind=ATTEMPT).count() + 1
    _note(account_code, currency, f"order:{order_id}:attempt:{number}", ATTEMPT, (order_id, label), reason)


def codes_delivered(
    *, account_code: str, currency: str, order_id: str, label: str, delivery_id: str, count: int, checksum: str
) -> None:
    """Note a delivery by its number of codes and checksum, never by a code: a line without money (R64, R83)."""
    words = f"{count:,} {'code' if count == 1 else 'codes'}, checksum {checksum[:12]}"
    _note(account_code, currency, f"delivery:{delivery_id}", DELIVERY, (order_id, label), words)


def _note(account_code: str, currency: str, key: str, kind: str, order: tuple[str, str], memo: str) -> None:
    order_id, label = order
    with _booking(account_code, currency, ("order", order_id, label)):
        services.note(
            key=key,
            account=code_of(account_code, currency, "funds"),
            kind=kind,
            memo=memo,
            reference=("order", order_id),
        )


def code_of(account_code: str, currency: str, name: str) -> str:
    """The ledger's code of one of the four accounts of a supplier account and currency."""
    return f"{account_code}:{currency}:{name}"


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except BelowFloor:
        raise
    except LedgerError as refusal:
        raise Refused(refusal.sentence) from None


@contextmanager
def _booking(account_code: str, currency: str, name: tuple[str, str, str]) -> Iterator[None]:
    """One transaction: the accounts opened, the reference's name noted, then the posting inside."""
    kind, reference_id, text = name
    with _refusals(), transaction.atomic():
        if len(_balances(account_code, currency)) < len(ACCOUNTS):
            _open_accounts(account_code, currency)
        known = Label(kind=kind, reference_id=reference_id, text=text[:120])
        Label.objects.bulk_create([known], ignore_conflicts=True)
        yield


def _open_accounts(account_code: str, currency: str) -> None:
    for name, (role, _) in ACCOUNTS.items():
        services.open_account(
            code=code_of(account_code, currency, name),
            name=f"{account_code} {currency} {name}",
            currency=currency,
            role=role,
            owner=account_code,
            floor=0 if name == "funds" else None,
        )


def _balances(account_code: str, currency: str) -> dict[str, tuple[int, int]]:
    """(settled, held) of each account that is open, in one query."""
    found = books.accounts(owner=account_code, currency=currency)
    return {account.code.rpartition(":")[2]: (account.balance.settled, account.balance.held) for account in found}


def _settled(balances: dict[str, tuple[int, int]]) -> int:
    return sum(balances.get(name, (0, 0))[0] for name in ("funds", "suspense"))


def _holds(order_id: str) -> tuple[Entry | None, int]:
    """The order's hold that nothing has ended, and how many holds it ever had."""
    holds = list(books.entries_for("order", order_id).filter(kind=HOLD).select_related("resolved_by"))
    still_open = [entry for entry in holds if not hasattr(entry, "resolved_by")]
    return (still_open[-1] if still_open else None), len(holds)


def _moved(entry: Entry, name: str) -> int:
    """What an entry moved on one of the four accounts, in minor units; held money counts only in a hold itself."""
    layer = "held" if entry.kind == HOLD else "settled"
    lines = entry.lines.select_related("account")
    return sum(line.amount for line in lines if line.layer == layer and line.account.code.endswith(f":{name}"))


def _spending(account_code: str, currency: str, amount: int, beyond: int = 0) -> list[Leg]:
    """Out of the funds onto purchases; `beyond` of it was never in the funds."""
    parts = {"funds": amount - beyond, "suspense": beyond}
    legs = [
        services.credit(code_of(account_code, currency, name), Money(part, currency))
        for name, part in parts.items()
        if part
    ]
    return (
        [*legs, services.debit(code_of(account_code, currency, "purchases"), Money(amount, currency))] if amount else []
    )


def _incoming(account_code: str, currency: str, source: str, amount: int) -> list[Leg]:
    """Into the funds out of `source`; charges beyond the funds are paid first."""
    owed = min(amount, max(0, -_balances(account_code, currency).get("suspense", (0, 0))[0]))
    parts = {"suspense": owed, "funds": amount - owed}
    legs = [
        services.debit(code_of(account_code, currency, name), Money(part, currency))
        for name, part in parts.items()
        if part
    ]
    return [*legs, services.credit(code_of(account_code, currency, source), Money(amount, currency))]


def _charge(account_code: str, currency: str, order_id: str, amount: int, held: Entry | None) -> None:
    key, beyond = f"order:{order_id}:purchase", 0
    for _ in range(SPLITS):
        lines = _spending(account_code, currency, amount, beyond)
        try:
            if held is not None:
                services.settle(key=key, hold_key=held.key, kind=PURCHASE, lines=lines)
            else:
                services.post(key=key, kind=PURCHASE, lines=lines, reference=("order", order_id))
            return
        except BelowFloor as short:
            beyond = min(amount, beyond + short.floor - short.after)
    raise Refused("The balance changed too often while this charge was booked. Nothing was booked. It is tried again.")


def _deposit_row(
    by: User | None, account: SupplierAccount, amount: int, currency: str, credited_on: date, reference: str, note: str
) -> Deposit:
    try:
        with transaction.atomic():
            return Deposit.objects.create(
                account=account,
                amount_minor=amount,
                currency=currency,
                credited_on=credited_on,
                reference=reference,
                note=note.strip(),
                recorded_by=by,
                recorded_at=timezone.now(),
            )
    except IntegrityError:
        first = Deposit.objects.select_related("recorded_by").get(account=account, reference=reference)
        raise Refused(
            f"{account} has a deposit {reference} already: {amount_text(first.amount_minor, first.currency)}, "
            f"recorded by {first.recorded_by or 'the system'}. No second deposit was recorded. Check the reference."
        ) from None
