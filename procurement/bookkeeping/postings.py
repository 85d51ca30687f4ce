"""Every posting rule, and the only importer of the ledger's services. It knows no order: ids, labels and minor units.

docs/postings.md is the same in a table. Each function books its cause once: a retry changes nothing. A refusal books
nothing and is a procurement.errors.Refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from django.db import connection, transaction

from ledger import queries as books
from ledger import services
from ledger.drafts import Leg
from ledger.errors import BelowFloor, LedgerError
from ledger.money import Money
from ledger.queries import Booked
from procurement.bookkeeping.holdings import (
    amount_text,
    balances,
    free_balance,
    history,
    holds,
    moved,
    not_enough,
    settled_balance,
)
from procurement.bookkeeping.models import Correction, Deposit
from procurement.bookkeeping.rules import (
    ACCOUNTS,
    ATTEMPT,
    CORRECTION,
    CREDIT,
    DELIVERY,
    DEPOSIT,
    HOLD,
    PURCHASE,
    RECEIVED,
    REFUND,
    RELEASE,
    RETURNED,
    UNRECEIVED,
    WHEN_NEEDED,
    as_markdown,
)
from procurement.errors import Refused
from procurement.faultpoints import faultpoint

__all__ = [
    "amount_text",
    "as_markdown",
    "claim_credit",
    "codes_delivered",
    "correction",
    "deposit",
    "failed_attempt",
    "free_balance",
    "hold_order",
    "not_enough",
    "paid_back_without_goods",
    "paid_without_goods",
    "purchase",
    "refund",
    "release_order",
    "settled_balance",
    "unreceived",
]

# A charge is split at most this often: the funds can shrink between two tries.
SPLITS = 5


def hold_order(*, account_code: str, currency: str, order_id: str, label: str, amount_minor: int, actor: str) -> None:
    """Set an order's highest cost aside before anything is sent; Refused beyond the free balance (R90).

    Once while it lasts: an order whose hold ended may be held again.
    """
    open_hold, earlier = holds(history(order_id))
    if open_hold is not None:
        if moved(open_hold, "purchases") != amount_minor:
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
    held, number = holds(history(order_id))
    if held is not None:
        with _refusals():
            services.release(
                key=f"order:{order_id}:release:{number}", hold_key=held.key, kind=RELEASE, memo=reason, actor=actor
            )


def purchase(*, account_code: str, currency: str, order_id: str, label: str, amount_minor: int) -> None:
    """Book what an order truly cost and end its hold, once for each order; Refused if another cost was booked before.

    A charge is a fact, so the floor never stops it: what the funds do not cover goes to suspense.
    """
    booked = history(order_id)
    done = next((entry for entry in booked if entry.key == f"order:{order_id}:purchase"), None)
    if done is not None:
        if moved(done, "purchases") != amount_minor:
            raise Refused(f"Another cost is already booked for {label}. Nothing was changed. Look at its movements.")
        return
    owed, (held, _) = _owed(booked), holds(booked)
    if amount_minor == 0 and not owed and held is None:
        return
    with _booking(account_code, currency, ("order", order_id, label)):
        if owed:
            _goods_found(account_code, currency, order_id, amount_minor, owed)
        else:
            _charge(account_code, currency, order_id, amount_minor, held)


def unreceived(order_id: str) -> int:
    """What is booked as paid for an order whose goods are not known, in minor units; 0 if nothing is."""
    return _owed(history(order_id))


def _owed(booked: Iterable[Booked]) -> int:
    return sum(moved(entry, "unreceived") for entry in booked)


def paid_without_goods(
    *, account_code: str, currency: str, order_id: str, label: str, amount_minor: int, actor: str
) -> None:
    """Book what the supplier took for an order nobody can name there, once, in place of its hold (R26)."""
    booked = history(order_id)
    if all(entry.key != f"order:{order_id}:{UNRECEIVED}" for entry in booked):
        with _booking(account_code, currency, ("order", order_id, label)):
            _open_accounts(account_code, currency, {"unreceived": WHEN_NEEDED["unreceived"]})
            _charge(account_code, currency, order_id, amount_minor, holds(booked)[0], UNRECEIVED, actor)


def paid_back_without_goods(*, account_code: str, currency: str, order_id: str, label: str, actor: str) -> int:
    """Book that the supplier paid back what it never delivered; how much that was, in minor units."""
    amount = unreceived(order_id)
    if amount:
        with _booking(account_code, currency, ("order", order_id, label)):
            services.post(
                key=f"order:{order_id}:returned",
                kind=RETURNED,
                lines=_incoming(account_code, currency, "unreceived", amount),
                reference=("order", order_id),
                actor=actor,
            )
    return amount


def refund(*, account_code: str, currency: str, order_id: str, label: str, amount_minor: int) -> None:
    """Book what the supplier paid back for an order; `amount_minor` is the total paid back so far (R72)."""
    earlier = sum(moved(entry, "purchases") for entry in history(order_id) if entry.kind == REFUND)
    rest = amount_minor + earlier
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
    booked = next((entry for entry in history(order_id) if entry.key == key), None)
    if booked is not None:
        if -moved(booked, "purchases") != amount_minor:
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


def deposit(row: Deposit, *, actor: str) -> None:
    """Book what the supplier credited of a deposit, once for each deposit (R83, N8)."""
    amount, currency = row.credited_minor or 0, row.currency
    with _booking(row.account.code, currency, ("deposit", str(row.pk), row.reference)):
        services.post(
            key=f"deposit:{row.pk}",
            kind=DEPOSIT,
            lines=_incoming(row.account.code, currency, "deposits", amount),
            reference=("deposit", str(row.pk)),
            effective_on=row.credited_on,
            actor=actor,
            memo=row.note,
        )


def correction(row: Correction, *, actor: str) -> None:
    """Book what two people agreed on, once for each correction (R84, R88); a charge beyond the funds goes to suspense."""
    code, currency, amount = row.account.code, row.currency, row.amount_minor

    def book(lines: list[Leg]) -> None:
        services.post(
            key=f"correction:{row.pk}",
            kind=CORRECTION,
            lines=lines,
            reference=("correction", str(row.pk)),
            effective_on=row.day,
            actor=actor,
            memo=row.reason,
        )

    with _booking(code, currency, ("correction", str(row.pk), str(row))):
        _open_accounts(code, currency, {"fees": WHEN_NEEDED["fees"]})
        if amount > 0:
            book(_incoming(code, currency, row.against, amount))
        else:
            _take(code, currency, -amount, row.against, book)


def failed_attempt(*, account_code: str, currency: str, order_id: str, label: str, reason: str) -> None:
    """Note an attempt that failed while nothing was held: a line without money (R83)."""
    number = sum(entry.kind == ATTEMPT for entry in history(order_id)) + 1
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
    faultpoint("posting.begun")
    try:
        yield
    except BelowFloor:
        raise
    except LedgerError as refusal:
        raise Refused(refusal.sentence) from None
    faultpoint("posting.done")


@contextmanager
def _booking(account_code: str, currency: str, name: tuple[str, str, str]) -> Iterator[None]:
    """One transaction: the accounts opened, the reference's name noted, then the posting inside."""
    kind, reference_id, text = name
    with _refusals(), transaction.atomic():
        if books.opened([code_of(account_code, currency, account) for account in ACCOUNTS]) < len(ACCOUNTS):
            _open_accounts(account_code, currency, ACCOUNTS)
        with connection.cursor() as cursor:
            cursor.execute(_NAMED, [kind, reference_id, text[:120]])
        yield


_NAMED = "INSERT INTO bookkeeping_label (kind, reference_id, text) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"


def _open_accounts(account_code: str, currency: str, wanted: Mapping[str, tuple[str, str]]) -> None:
    for name, (role, _) in wanted.items():
        services.open_account(
            code=code_of(account_code, currency, name),
            name=f"{account_code} {currency} {name}",
            currency=currency,
            role=role,
            owner=account_code,
            floor=0 if name == "funds" else None,
        )


def _spending(account_code: str, currency: str, amount: int, beyond: int = 0, onto: str = "purchases") -> list[Leg]:
    """Out of the funds onto purchases; `beyond` of it was never in the funds."""
    parts = {"funds": amount - beyond, "suspense": beyond}
    legs = [
        services.credit(code_of(account_code, currency, name), Money(part, currency))
        for name, part in parts.items()
        if part
    ]
    return [*legs, services.debit(code_of(account_code, currency, onto), Money(amount, currency))] if amount else []


def _incoming(account_code: str, currency: str, source: str, amount: int) -> list[Leg]:
    """Into the funds out of `source`; charges beyond the funds are paid first."""
    owed = min(amount, max(0, -balances(account_code, currency).get("suspense", (0, 0))[0]))
    parts = {"suspense": owed, "funds": amount - owed}
    legs = [
        services.debit(code_of(account_code, currency, name), Money(part, currency))
        for name, part in parts.items()
        if part
    ]
    return [*legs, services.credit(code_of(account_code, currency, source), Money(amount, currency))]


def _charge(
    account_code: str,
    currency: str,
    order_id: str,
    amount: int,
    held: Booked | None,
    kind: str = PURCHASE,
    actor: str = "System",
) -> None:
    """Book a charge in place of the order's hold; what the funds do not cover goes to suspense."""
    key = f"order:{order_id}:{kind}"

    def book(lines: list[Leg]) -> None:
        if held is not None:
            services.settle(key=key, hold_key=held.key, kind=kind, lines=lines, actor=actor)
        else:
            services.post(key=key, kind=kind, lines=lines, reference=("order", order_id), actor=actor)

    _take(account_code, currency, amount, "purchases" if kind == PURCHASE else "unreceived", book)


def _take(account_code: str, currency: str, amount: int, onto: str, book: Callable[[list[Leg]], None]) -> None:
    """Take money that the supplier took: what the funds do not cover out of suspense."""
    beyond = 0
    for _ in range(SPLITS):
        try:
            book(_spending(account_code, currency, amount, beyond, onto))
            return
        except BelowFloor as short:
            beyond = min(amount, beyond + short.floor - short.after)
    raise Refused("The balance changed too often while this charge was booked. Nothing was booked. It is tried again.")


def _goods_found(account_code: str, currency: str, order_id: str, amount: int, owed: int) -> None:
    """What was paid without goods becomes a purchase; what it cost more or less moves the funds, or suspense if beyond."""
    more = amount - owed
    where = "suspense" if more > free_balance(account_code, currency) else "funds"
    parts = {"purchases": amount, "unreceived": -owed, where: -more}
    legs = [
        (services.debit if part > 0 else services.credit)(
            code_of(account_code, currency, name), Money(abs(part), currency)
        )
        for name, part in parts.items()
        if part
    ]
    services.post(key=f"order:{order_id}:purchase", kind=RECEIVED, lines=legs, reference=("order", order_id))
