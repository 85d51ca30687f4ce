"""The ledger of the scratch database: holds, purchases and deliveries of all orders, in bulk but by the ledger's rules.

Lines go in first, then the balances, then the headers, so that the guards in the database judge each entry as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from ledger.booking import Leg, Pot, header_of, insert_lines, pots_of, step
from ledger.models import Balance, Entry, Layer
from ledger.money import Money
from ledger.services import open_account
from procurement.bookkeeping.models import Label
from procurement.bookkeeping.postings import code_of
from procurement.bookkeeping.rules import ACCOUNTS, DELIVERY, DEPOSIT, HOLD, PURCHASE
from procurement.demo.bench.orders import Made, digest
from procurement.suppliers.models import SupplierAccount

Part = tuple[str, Layer, int]
FUNDS_FOR_EACH = 100_000_00
# SQLite takes at most 32,766 values in a statement.
LINES_AT_ONCE = 2_000


class Books:
    """Writes entries in order of time; begins with one deposit that covers `orders` orders."""

    def __init__(self, accounts: Sequence[SupplierAccount], at: datetime, orders: int) -> None:
        self.lines: list[tuple[Any, ...]] = []
        self.entries: list[Entry] = []
        codes = [opened(account.code, name) for account in accounts for name in ACCOUNTS]
        with connection.cursor() as cursor:
            self.pots: dict[str, Pot] = pots_of(cursor, codes)
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
        resolves: Entry | None = None,
    ) -> Entry:
        entry = Entry(
            key=f"{about[0]}:{about[1]}:{kind}", fingerprint=digest(f"{about} {kind}").hex(), kind=kind, effective_on=at.date(),
            recorded_at=at, reference_kind=about[0], reference_id=about[1], legs=len(legs), resolves=resolves, actor="Bench",
        )  # fmt: skip
        self.entries.append(entry)
        header = header_of(entry)
        for number, (name, layer, amount) in enumerate(legs, start=1):
            pot = self.pots[code_of(account, "USD", name)]
            self.lines.append(step(entry, header, number, Leg(pot.code, Money(amount, "USD"), layer), pot))
            pot.last_at = at
        return entry

    @transaction.atomic
    def flush(self) -> None:
        with connection.cursor() as cursor:
            for first in range(0, len(self.lines), LINES_AT_ONCE):
                insert_lines(cursor, self.lines[first : first + LINES_AT_ONCE])
        for pot in self.pots.values():
            moved = {name: getattr(pot, name) for name in ("settled", "held", "seq", "head", "last_at")}
            Balance.objects.filter(pk=pot.account_id).exclude(seq=pot.seq).update(**moved)
        Entry.objects.bulk_create(self.entries)
        self.lines, self.entries = [], []


def opened(account: str, name: str) -> str:
    """The code of one of an account's books, opened."""
    role, _ = ACCOUNTS[name]
    floor = 0 if name == "funds" else None
    code = code_of(account, "USD", name)
    return open_account(code=code, name=code, currency="USD", role=role, owner=account, floor=floor).code
