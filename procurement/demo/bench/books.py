"""The ledger of the scratch database: holds, purchases and deliveries of all orders, in bulk but by the ledger's rules.

Lines go in first, then the balances, then the headers, so that the guards in the database judge each entry as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.db import transaction

from ledger.drafts import Leg
from ledger.models import Layer, new_id
from ledger.money import Money
from ledger.rows import Header, lines_of, read_pots, write_many
from ledger.services import open_account
from procurement.bookkeeping.models import Label
from procurement.bookkeeping.postings import code_of
from procurement.bookkeeping.rules import ACCOUNTS, DELIVERY, DEPOSIT, HOLD, PURCHASE
from procurement.demo.bench.orders import Made, digest
from procurement.suppliers.models import SupplierAccount

Row = TypeVar("Row")
Part = tuple[str, Layer, int]
FUNDS_FOR_EACH = 100_000_00


class Books:
    """Writes entries in order of time; begins with one deposit that covers `orders` orders."""

    def __init__(self, accounts: Sequence[SupplierAccount], at: datetime, orders: int) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self.headers: list[Header] = []
        codes = [opened(account.code, name) for account in accounts for name in ACCOUNTS]
        self.pots = read_pots(codes)
        for account in accounts:
            amount = FUNDS_FOR_EACH * orders
            legs: list[Part] = [("funds", Layer.SETTLED, amount), ("deposits", Layer.SETTLED, -amount)]
            self.enter(account.code, DEPOSIT, ("deposit", f"bench-{account.code}"), at, legs)
        self.flush()

    def write(self, made: Sequence[Made]) -> None:
        """What the orders that reached a supplier did to the funds."""
        paid = [one for one in made if one.order.total_cost_minor]
        for one in paid:
            self.purchase(one, one.order.total_cost_minor or 0)
        Label.objects.bulk_create(
            [Label(kind="order", reference_id=str(one.order.pk), text=one.order.client_order_id) for one in paid]
        )
        self.flush()

    def purchase(self, one: Made, cost: int) -> None:
        """Held, then paid by ending the hold, then the codes noted: five lines on the funds at most."""
        account, about, at = one.order.account.code, ("order", str(one.order.pk)), one.order.created_at
        hold: list[Part] = [("funds", Layer.HELD, -cost), ("purchases", Layer.HELD, cost)]
        back: list[Part] = [(name, layer, -amount) for name, layer, amount in hold]
        paid: list[Part] = [("funds", Layer.SETTLED, -cost), ("purchases", Layer.SETTLED, cost)]
        held = self.enter(account, HOLD, about, at, hold)
        self.enter(account, PURCHASE, about, at + timedelta(milliseconds=1), [*back, *paid], resolves=held)
        if one.delivery:
            self.enter(account, DELIVERY, about, at + timedelta(milliseconds=2), [("funds", Layer.MEMO, 0)])

    def enter(
        self,
        account: str,
        kind: str,
        about: tuple[str, str],
        at: datetime,
        legs: Sequence[Part],
        resolves: Header | None = None,
    ) -> Header:
        header = Header(
            new_id(at), f"{about[0]}:{about[1]}:{kind}", digest(f"{about} {kind}").hex(), kind, at.date(), at, *about,
            memo="", actor="Bench", legs=len(legs), resolves_id=resolves.id if resolves else None, reverses_id=None,
        )  # fmt: skip
        booked = [Leg(code_of(account, "USD", name), Money(amount, "USD"), layer) for name, layer, amount in legs]
        self.headers.append(header)
        self.lines += lines_of(header, booked, self.pots)
        return header

    @transaction.atomic
    def flush(self) -> None:
        moved = [pot for pot in self.pots.values() if pot.seq != pot.stored[0]]
        write_many(self.lines, moved, self.headers)
        for pot in moved:
            pot.stored = (pot.seq, pot.free)
        self.lines, self.headers = [], []


def batched(rows: Sequence[Row], size: int) -> Iterator[Sequence[Row]]:
    for first in range(0, len(rows), size):
        yield rows[first : first + size]


def opened(account: str, name: str) -> str:
    """The code of one of an account's books, opened."""
    role, _ = ACCOUNTS[name]
    floor = 0 if name == "funds" else None
    code = code_of(account, "USD", name)
    return open_account(code=code, name=code, currency="USD", role=role, owner=account, floor=floor).code
