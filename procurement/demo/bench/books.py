"""The ledger of the scratch database: holds, purchases and deliveries of all orders, in bulk but by the ledger's rules.

Lines go in first, then the balances, then the headers, so that the guards in the database judge each entry as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from ledger.models import Account, Balance, Entry, Layer, Line
from ledger.services import open_account
from procurement.bookkeeping.models import Label
from procurement.bookkeeping.rules import ACCOUNTS, DELIVERY, DEPOSIT, HOLD, PURCHASE
from procurement.demo.bench.orders import Made, digest
from procurement.suppliers.models import SupplierAccount

Leg = tuple[str, Layer, int]
FUNDS_FOR_EACH = 100_000_00


@dataclass
class Pot:
    """A ledger account and where its lines have got to, in minor units."""

    account: Account
    seq: int = 0
    settled: int = 0
    held: int = 0
    last_at: datetime | None = None


class Books:
    """Writes entries in order of time; begins with one deposit that covers `orders` orders."""

    def __init__(self, accounts: Sequence[SupplierAccount], at: datetime, orders: int) -> None:
        self.lines: list[Line] = []
        self.entries: list[Entry] = []
        self.pots = {(account.code, name): Pot(opened(account.code, name)) for account in accounts for name in ACCOUNTS}
        for account in accounts:
            amount = FUNDS_FOR_EACH * orders
            legs: list[Leg] = [("funds", Layer.SETTLED, amount), ("deposits", Layer.SETTLED, -amount)]
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
        hold: list[Leg] = [("funds", Layer.HELD, -cost), ("purchases", Layer.HELD, cost)]
        back: list[Leg] = [(name, layer, -amount) for name, layer, amount in hold]
        paid: list[Leg] = [("funds", Layer.SETTLED, -cost), ("purchases", Layer.SETTLED, cost)]
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
        legs: Sequence[Leg],
        resolves: Entry | None = None,
    ) -> Entry:
        entry = Entry(
            key=f"{about[0]}:{about[1]}:{kind}", fingerprint=digest(f"{about} {kind}").hex(), kind=kind, effective_on=at.date(),
            recorded_at=at, reference_kind=about[0], reference_id=about[1], legs=len(legs), resolves=resolves, actor="Bench",
        )  # fmt: skip
        self.entries.append(entry)
        for number, (name, layer, amount) in enumerate(legs, start=1):
            self.lines.append(line_of(entry, number, self.pots[account, name], layer, amount))
        return entry

    @transaction.atomic
    def flush(self) -> None:
        Line.objects.bulk_create(self.lines)
        for pot in self.pots.values():
            if pot.seq:
                moved = {"settled": pot.settled, "held": pot.held, "seq": pot.seq, "last_at": pot.last_at}
                Balance.objects.filter(pk=pot.account.pk).exclude(seq=pot.seq).update(**moved)
        Entry.objects.bulk_create(self.entries)
        self.lines, self.entries = [], []


def opened(account: str, name: str) -> Account:
    role, _ = ACCOUNTS[name]
    floor = 0 if name == "funds" else None
    code = f"{account}:USD:{name}"
    return open_account(code=code, name=code, currency="USD", role=role, owner=account, floor=floor)


def line_of(entry: Entry, number: int, pot: Pot, layer: Layer, amount: int) -> Line:
    """The next line of a pot; moves the pot on."""
    pot.seq += 1
    pot.settled += amount if layer == Layer.SETTLED else 0
    pot.held += amount if layer == Layer.HELD else 0
    pot.last_at = entry.recorded_at
    return Line(
        entry_id=entry.pk, leg=number, legs=entry.legs, account_id=pot.account.pk, currency="USD", layer=layer, amount=amount,
        seq=pot.seq, settled_after=pot.settled, held_after=pot.held, recorded_at=entry.recorded_at,
    )  # fmt: skip
