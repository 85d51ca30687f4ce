"""What the ledger refuses, as sentences a person reads. Nothing was booked whenever one of these is raised."""

from __future__ import annotations

from ledger.money import Money, format_amount


class LedgerError(Exception):
    """A refusal: `sentence` says what happened, what did not change and what to do; `status` is a fitting HTTP code."""

    status = 422

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class BadEntry(LedgerError):
    """The lines do not make an entry: none, a zero amount, another currency than the account's."""


class Unbalanced(BadEntry):
    """Debits and credits of a currency differ."""


class UnknownAccount(LedgerError):
    """No account has this code."""

    status = 404


class UnknownHold(LedgerError):
    """No hold has this key."""

    status = 404


class AccountConflict(LedgerError):
    """The code belongs to an account of another currency, role, owner or floor."""

    status = 409


class KeyConflict(LedgerError):
    """The key already stands for an entry with other facts."""

    status = 409


class HoldEnded(LedgerError):
    """The hold was settled or released before."""

    status = 409


class BooksClosed(LedgerError):
    """The entry's day lies in books that are closed."""

    status = 409


class NotReversible(LedgerError):
    """The entry was reversed before, is a reversal, or moves held money."""

    status = 409


class BadFile(LedgerError):
    """An exported ledger cannot be imported: a line of the file does not hold, or there are books here already."""


class BelowFloor(LedgerError):
    """The account would hold less than it may. `free`, `after` and `floor` are minor units of `currency`."""

    status = 409

    def __init__(self, *, account: str, name: str, currency: str, free: int, after: int, floor: int) -> None:
        self.account, self.currency, self.free, self.after, self.floor = account, currency, free, after, floor
        limit = "" if floor == 0 else f" and may not go below {format_amount(floor, currency)} {currency}"
        super().__init__(
            f"{name} has {Money(free, currency)} free{limit}; this needs {Money(free - after, currency)}, "
            f"which is {Money(floor - after, currency)} too much. Nothing was booked. "
            "Add funds, or book a smaller amount."
        )
