"""What does not agree between our day and the supplier's, as a pure function of both sides.

An order on its way is no difference until it is settled or stays unconfirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from procurement.orders.states import UNCONFIRMED
from procurement.reconciliation import differences as kinds
from procurement.reconciliation.differences import Found
from procurement.reconciliation.facts import Facts, Ours, Theirs
from procurement.reconciliation.sums import sets_adding_to

# Any set of this many differences is tried as the explanation of the balance; beyond it only their sum is.
MOST_TRIED = 12


@dataclass
class Result:
    """What a comparison gives; `in_flight_minor` is what orders on their way explain of the difference.

    `unread` counts orders the supplier was not asked about yet.
    """

    found: list[Found] = field(default_factory=list)
    matched: int = 0
    matched_minor: int = 0
    in_flight: int = 0
    in_flight_minor: int = 0
    unread: int = 0


def compare(
    facts: Facts, where_parted: Callable[[int], str], carried: Sequence[int] = (), stated: Sequence[Found] = ()
) -> Result:
    """All differences of a day, by kind and reference. `where_parted(explained)` is asked only if the balances part.

    `carried` is what the differences of the day before changed in the balance, so that an old one is not named as a new one
    and hides none; `stated` is what a statement says otherwise, as far as nothing else names the same order.
    """
    in_flight = sum(1 for order, _ in facts.held if order.state not in UNCONFIRMED)
    result = Result(in_flight=in_flight, unread=facts.pairs.unread)
    for order in facts.booked:
        compare_booked(facts, order, result)
    for record in facts.listed:
        result.found += compare_listed(facts, record)
    result.found += [kinds.unconfirmed(facts, order, held) for order, held in facts.held if order.state in UNCONFIRMED]
    result.found += [kinds.deposit_differs(facts, one) for one in facts.deposits]
    named = {one.reference for one in result.found}
    result.found += [one for one in stated if one.reference not in named]
    count_matched(facts, result)
    compare_balance(facts, result, where_parted, carried)
    result.found.sort(key=lambda one: (one.kind, one.reference))
    return result


def compare_booked(facts: Facts, order: Ours, result: Result) -> None:
    """An order we paid for that day against the supplier's record of it."""
    record = facts.records.get(order.remote_id)
    if record is None:
        result.unread += 1
        return
    result.found += differences_of(facts, order, record)


def count_matched(facts: Facts, result: Result) -> None:
    """The orders that agree, and those looked at that no difference names, a statement's neither."""
    differing = {one.order for one in result.found}
    matched = [order for order in facts.booked if order.remote_id in facts.records and order.pk not in differing]
    result.matched = facts.pairs.agreed + len(matched)
    result.matched_minor = facts.pairs.agreed_minor + sum(order.cost or 0 for order in matched)


def differences_of(facts: Facts, order: Ours, record: Theirs) -> Iterator[Found]:
    if record.missing:
        yield kinds.missing_there(facts, order)
        return
    if kinds.is_other_day(facts, order, record):
        yield kinds.timing(facts, order, record)
    checks = (kinds.amount_differs, kinds.refund_differs, kinds.refund_awaited, kinds.codes_missing)
    yield from filter(None, (check(facts, order, record) for check in checks))


def compare_listed(facts: Facts, record: Theirs) -> Iterator[Found]:
    """An order of the supplier's day: unknown here, or booked here on another day."""
    order = facts.ours_of(record)
    if order is None or (order.cost is None and not facts.is_held(order)):
        yield kinds.missing_here(facts, order, record)
    elif (
        order.booked_at is not None and not facts.is_booked_that_day(order) and kinds.is_other_day(facts, order, record)
    ):
        yield kinds.timing(facts, order, record)


def compare_balance(facts: Facts, result: Result, where_parted: Callable[[int], str], carried: Sequence[int]) -> None:
    """The supplier's balance against ours: what nothing of the day or of the day before explains is a difference."""
    if facts.difference is None:
        return
    certain = [one.effect for one in result.found if one.effect and one.kind != "unconfirmed"]
    on_their_way = [-(order.cost or held) for order, held in facts.held_then if order.state not in UNCONFIRMED]
    unsettled = [-held for order, held in facts.held_then if order.cost is None]
    unconfirmed = [-held for order, held in facts.held_then if order.state in UNCONFIRMED]
    known = [*certain, *unconfirmed, *on_their_way]
    chosen = explanation(facts.difference, known)
    if chosen is None and carried:
        chosen = explanation(facts.difference, [*known, *carried])
    if chosen is not None:
        first, last = len(certain) + len(unconfirmed), len(known)
        result.in_flight_minor = sum(known[place] for place in chosen if first <= place < last)
        carry(facts, result, sum(carried[place - last] for place in chosen if place >= last))
        return
    rest = facts.difference - sum(certain)
    # Either all of it goes on, or all was settled meanwhile: whichever leaves less to explain.
    still = min(sum(carried), 0, key=lambda going_on: abs(rest - going_on)) if carried else 0
    carry(facts, result, still)
    rest -= still
    if sum(unsettled) <= rest < 0:
        # What an unsettled order costs is known at most: a discount makes it less than is held.
        result.in_flight_minor = 0 if unconfirmed else rest
    elif rest:
        result.found.append(kinds.balance_differs(facts, rest, where_parted(sum(certain) + still)))


def carry(facts: Facts, result: Result, amount: int) -> None:
    if amount:
        result.found.append(kinds.carried_over(facts, amount))


def explanation(difference: int, effects: Sequence[int]) -> tuple[int, ...] | None:
    """The smallest set of effects (as places in the list) that adds up to the difference; None if there is none."""
    if difference == 0:
        return ()
    if len(effects) > MOST_TRIED:
        return tuple(range(len(effects))) if sum(effects) == difference else None
    return next(sets_adding_to(difference, effects, range(1, len(effects) + 1)), None)
