"""What a supplier account's four kinds of money come to now, and what is held for one order. Reads only; minor units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ledger import queries as books
from ledger.money import Money
from ledger.queries import Booked
from procurement.bookkeeping.rules import HOLD


def amount_text(minor: int, currency: str) -> str:
    """`1,234.50 USD` from minor units."""
    return str(Money(minor, currency))


def free_balance(account_code: str, currency: str) -> int:
    """What may still be spent, in minor units: settled + held, less charges beyond the funds; 0 if unknown (R85)."""
    found = balances(account_code, currency)
    return settled(found) + found.get("funds", (0, 0))[1]


def free_balances(wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The same of many accounts and currencies, in one query; what is unknown is left out."""
    free = Counter[tuple[str, str]]()
    for account in books.accounts():
        if account.role in ("funds", "suspense"):
            free[account.owner, account.currency] += account.balance.settled + account.balance.held
    return {key: free[key] for key in wanted if key in free}


def settled_balance(account_code: str, currency: str) -> int:
    """What the supplier should hold for us, in minor units, whatever is set aside for orders."""
    return settled(balances(account_code, currency))


def not_enough(account_code: str, currency: str, needed_minor: int, free_minor: int) -> str:
    """The sentence of an order beyond the free balance (R90)."""
    needed, free = amount_text(needed_minor, currency), amount_text(free_minor, currency)
    missing = amount_text(needed_minor - free_minor, currency)
    return (
        f"{account_code} has {free} free and this needs {needed}, {missing} more. "
        "Nothing was ordered. Record a deposit, or order less."
    )


def balances(account_code: str, currency: str) -> dict[str, tuple[int, int]]:
    """(settled, held) of each account that is open, in one query."""
    found = books.accounts(owner=account_code, currency=currency)
    return {account.code.rpartition(":")[2]: (account.balance.settled, account.balance.held) for account in found}


def settled(amounts: dict[str, tuple[int, int]]) -> int:
    """What the supplier should hold for us: the funds, less what it charged beyond them."""
    return sum(amounts.get(name, (0, 0))[0] for name in ("funds", "suspense"))


def history(order_id: str) -> list[Booked]:
    """Everything booked for one order, oldest first."""
    return books.booked_for("order", order_id)


def holds(booked: Sequence[Booked]) -> tuple[Booked | None, int]:
    """The hold among an order's entries that nothing has ended, and how many holds there ever were."""
    found = [entry for entry in booked if entry.kind == HOLD]
    still_open = [entry for entry in found if not entry.ended]
    return (still_open[-1] if still_open else None), len(found)


def moved(entry: Booked, name: str) -> int:
    """What an entry moved on one of the accounts, in minor units; held money counts only in a hold itself."""
    layer = "held" if entry.kind == HOLD else "settled"
    return sum(amount for code, of, amount in entry.moves if of == layer and code.endswith(f":{name}"))
