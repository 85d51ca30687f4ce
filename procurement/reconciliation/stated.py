"""The third side of a day: what the supplier's statement says, against what we booked.

Orders are matched by id, deposits by their numbers or their amount, everything else with a correction of that day. An
amount is what the statement has more than we do, in minor units: negative when it took more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from ledger.money import Money
from procurement.bookkeeping.balances import steps_between
from procurement.bookkeeping.models import Correction, Deposit
from procurement.orders.models import Order
from procurement.reconciliation.differences import Found
from procurement.reconciliation.facts import OrderRow, orders_by_id, read_orders
from procurement.reconciliation.statement_file import Line
from procurement.reconciliation.statements import statement_of
from procurement.reconciliation.window import Window

# The two clocks differ: what one side has this near midnight, the other may have on the other day.
MARGIN = timedelta(hours=1)


@dataclass(frozen=True)
class Moved:
    """What moved for one order: that day, and with a margin around it."""

    day: int = 0
    around: int = 0


def stated_differences(window: Window) -> list[Found]:
    """What the statement of a day says otherwise than our books; nothing where there is no statement."""
    statement = statement_of(window)
    if statement is None:
        return []
    lines: list[Line] = statement.lines
    return [*orders(window, lines), *deposits(window, lines), *others(window, lines)]


def orders(window: Window, lines: list[Line]) -> Iterator[Found]:
    named = [line for line in lines if line["kind"] in ("order", "refund")]
    theirs = sums(window, [(line["order"], time_of(line), line["amount"]) for line in named])
    steps = steps_between(window.account.code, window.currency, window.start - MARGIN, window.end + MARGIN)
    booked = sums(window, [(step.order_id, step.at, step.change) for step in steps if step.order_id])
    known = orders_of(window, list(theirs), list(booked))
    by_name = {name: order for order in known.values() for name in (order.remote_id, order.client_order_id) if name}
    for name, there in theirs.items():
        order = by_name.get(name)
        here = booked.pop(str(order.pk), Moved()) if order else Moved()
        if not agree(here, there):
            yield order_found(window, order, name, here.day, there.day)
    for order_id, here in booked.items():
        if order_id in known and not agree(here, Moved()):
            yield order_found(window, known[order_id], "", here.day, 0)


def sums(window: Window, moves: list[tuple[str, datetime, int]]) -> dict[str, Moved]:
    """By order, what moved on the day and with the margin."""
    day, around = defaultdict[str, int](int), defaultdict[str, int](int)
    for name, at, amount in moves:
        if window.start - MARGIN <= at < window.end + MARGIN:
            around[name] += amount
            day[name] += amount if window.start <= at < window.end else 0
    return {name: Moved(day[name], around[name]) for name in around}


def agree(here: Moved, there: Moved) -> bool:
    """Whether both have the same that day, or one has near midnight what the other has that day."""
    return here.day == there.day or here.around == there.around or here.around == there.day or here.day == there.around


def orders_of(window: Window, names: list[str], ids: list[str]) -> dict[str, OrderRow]:
    """Our orders that either side names, by their id as text."""
    wanted = Q(remote_id__in=names) | Q(client_order_id__in=names)
    return orders_by_id(ids) | read_orders(Order.objects.filter(wanted, account=window.account))


def order_found(window: Window, order: OrderRow | None, name: str, here: int, there: int) -> Found:
    label, pk = (order.client_order_id, order.pk) if order else (name, None)
    said = f"The statement has {text(window, there)} for {label}" if name else f"The statement does not name {label}"
    sentence = f"{said}, and {text(window, here) if here else 'nothing'} is booked here that day. Ask the supplier."
    rest = there - here
    return Found("statement", label, pk, rest, rest, text(window, here), text(window, there), sentence)


def deposits(window: Window, lines: list[Line]) -> Iterator[Found]:
    """Each side's deposits of the day that the other has neither that day nor the day before or after."""
    near = (window.day - timedelta(days=1), window.day + timedelta(days=1))
    booked = list(Deposit.objects.filter(account=window.account, currency=window.currency, credited_on__range=near))
    stated = [line for line in lines if line["kind"] == "deposit" and near[0] <= time_of(line).date() <= near[1]]
    for same in (same_number, same_amount):
        for line in list(stated):
            fitting = [one for one in booked if same(one, line)]
            fitting.sort(key=lambda one: one.credited_on != time_of(line).date())
            if fitting:
                booked.remove(fitting[0])
                stated.remove(line)
                rest = line["amount"] - (fitting[0].credited_minor or 0)
                if rest and time_of(line).date() == window.day:
                    yield plain_found(
                        window, fitting[0].reference, rest, fitting[0].credited_minor or 0, line["amount"]
                    )
    for line in stated:
        if time_of(line).date() == window.day:
            yield plain_found(window, name_of(line), line["amount"], 0, line["amount"])
    for one in booked:
        if one.credited_on == window.day:
            yield plain_found(window, one.reference, -(one.credited_minor or 0), one.credited_minor or 0, 0)


def same_number(deposit: Deposit, line: Line) -> bool:
    return bool(line["reference"]) and line["reference"] in (deposit.reference, deposit.txid)


def same_amount(deposit: Deposit, line: Line) -> bool:
    return deposit.credited_minor == line["amount"]


def others(window: Window, lines: list[Line]) -> Iterator[Found]:
    """Fees and other lines without an order (R88): each needs a correction of its amount on that day."""
    rows = Correction.objects.filter(account=window.account, currency=window.currency, day=window.day, state="booked")
    booked = list(rows.values_list("amount_minor", flat=True))
    for line in lines:
        if line["kind"] in ("fee", "other") and time_of(line).date() == window.day:
            if line["amount"] in booked:
                booked.remove(line["amount"])
            else:
                yield plain_found(window, name_of(line), line["amount"], 0, line["amount"])


def plain_found(window: Window, name: str, amount: int, here: int, there: int) -> Found:
    said = f"The statement has {text(window, there)}" if there else "The statement has nothing"
    sentence = f"{said} for {name}, and {text(window, here) if here else 'nothing'} is booked here that day."
    advice = " Ask the supplier, or propose a correcting entry."
    return Found("statement", name, None, amount, amount, text(window, here), text(window, there), sentence + advice)


def name_of(line: Line) -> str:
    """A line without an order, by its place: two equal ones stay two."""
    words = line["reference"] or line["kind"]
    return f"{words[:90]}, line {line['line']}"


def time_of(line: Line) -> datetime:
    return datetime.fromisoformat(line["at"])


def text(window: Window, minor: int) -> str:
    return str(Money(minor, window.currency))
