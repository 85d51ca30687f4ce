"""Booking: what each service does, what a repeat does, and that a refusal books nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
import time_machine

from ledger.errors import (
    AccountConflict,
    BadEntry,
    BelowFloor,
    HoldEnded,
    KeyConflict,
    LedgerError,
    NotReversible,
    Unbalanced,
    UnknownAccount,
    UnknownHold,
)
from ledger.models import Account, Entry, Line
from ledger.money import Money
from ledger.queries import balance, open_holds, statement
from ledger.services import Leg, Posted, credit, debit, hold, note, open_account, post, release, reverse, settle
from tests.ledger.conftest import usd

Deposit = Callable[..., Posted]
pytestmark = pytest.mark.django_db


def hold_cost(minor: int, key: str = "order:1:hold") -> Posted:
    lines = [credit("alpha:funds", usd(minor)), debit("alpha:cost", usd(minor))]
    return hold(key=key, lines=lines, reference=("order", "1"))


def cost(minor: int) -> list[Leg]:
    return [credit("alpha:funds", usd(minor)), debit("alpha:cost", usd(minor))]


def settled_and_held(account: str = "alpha:funds") -> tuple[int, int]:
    now = balance(account)
    return now.settled, now.held


@pytest.mark.requirement("R83")
def test_deposit_raises_funds_by_a_balanced_entry(books: Deposit) -> None:
    posted = books(100_000)
    assert posted.created
    assert settled_and_held() == (100_000, 0)
    assert settled_and_held("alpha:external") == (-100_000, 0)
    assert [(line.debit, line.credit) for line in posted.entry.lines.order_by("leg")] == [(100_000, 0), (0, 100_000)]


def test_unbalanced_lines_are_refused(books: Deposit) -> None:
    with pytest.raises(Unbalanced, match=r"differ by 0\.01 USD\. Nothing was booked"):
        post(key="k", kind="deposit", lines=[debit("alpha:funds", usd(100)), credit("alpha:external", usd(99))])
    assert not Entry.objects.exists()


@pytest.mark.requirement("R92")
def test_each_currency_balances_by_itself(books: Deposit) -> None:
    open_account(code="alpha:eur", name="Alpha euro", currency="EUR", role="funds")
    with pytest.raises(Unbalanced):
        post(key="k", kind="x", lines=[debit("alpha:eur", Money(100, "EUR")), credit("alpha:external", usd(100))])
    with pytest.raises(BadEntry, match="kept in EUR, not USD"):
        post(key="k", kind="x", lines=[debit("alpha:eur", usd(100)), credit("alpha:external", usd(100))])
    assert not Line.objects.exists()


@pytest.mark.parametrize("lines", [[], [debit("alpha:funds", usd(5))]])
def test_one_sided_entries_are_refused(books: Deposit, lines: list[Leg]) -> None:
    with pytest.raises(BadEntry):
        post(key="k", kind="x", lines=lines)
    assert not Entry.objects.exists()


def test_unknown_account_is_named(books: Deposit) -> None:
    with pytest.raises(UnknownAccount, match="no account beta:funds"):
        post(key="k", kind="x", lines=[debit("beta:funds", usd(5)), credit("alpha:external", usd(5))])
    assert not Entry.objects.exists()


@pytest.mark.parametrize("minor", [0, -5])
def test_a_debit_or_credit_is_positive(minor: int) -> None:
    with pytest.raises(ValueError, match="positive"):
        debit("alpha:funds", usd(minor))


def test_same_key_and_facts_give_the_first_result(books: Deposit) -> None:
    first, second = books(100), books(100)
    assert (first.created, second.created) == (True, False)
    assert first.entry == second.entry
    assert settled_and_held() == (100, 0)


def test_same_key_with_other_facts_is_a_conflict(books: Deposit) -> None:
    books(100)
    with pytest.raises(KeyConflict, match="already stands for another deposit"):
        books(101)
    assert settled_and_held() == (100, 0)


def test_a_repeat_may_differ_in_words_and_day_of_recording(books: Deposit) -> None:
    books(100)
    with time_machine.travel(datetime(2030, 1, 1, tzinfo=UTC)):
        lines = [debit("alpha:funds", usd(100)), credit("alpha:external", usd(100))]
        again = post(
            key="deposit:1", kind="deposit", lines=lines, reference=("deposit", "deposit:1"), actor="fay", memo="again"
        )
    assert not again.created


def test_a_repeat_is_answered_before_any_rule(books: Deposit) -> None:
    books(100)
    hold_cost(100)
    assert not hold_cost(100).created


@pytest.mark.requirement("R90")
def test_booking_below_the_floor_is_refused_with_the_amounts(books: Deposit) -> None:
    books(120_000)
    hold_cost(20_000)
    with pytest.raises(BelowFloor) as refusal:
        hold_cost(150_000, key="order:2:hold")
    assert refusal.value.sentence == (
        "Alpha funds has 1,000.00 USD free; this needs 1,500.00 USD, which is 500.00 USD too much. "
        "Nothing was booked. Add funds, or book a smaller amount."
    )
    assert settled_and_held() == (120_000, -20_000)
    assert not Entry.objects.filter(key="order:2:hold").exists()


def test_a_floor_below_zero_is_a_credit_line(books: Deposit) -> None:
    open_account(code="beta:funds", name="Beta funds", currency="USD", role="funds", floor=-500)
    post(key="a", kind="x", lines=[credit("beta:funds", usd(500)), debit("alpha:cost", usd(500))])
    with pytest.raises(BelowFloor, match="may not go below \u22125"):
        post(key="b", kind="x", lines=[credit("beta:funds", usd(1)), debit("alpha:cost", usd(1))])
    assert settled_and_held("beta:funds") == (-500, 0)


def test_settling_ends_the_hold_at_the_true_cost(books: Deposit) -> None:
    books(10_000)
    held = hold_cost(4_500)
    assert settled_and_held() == (10_000, -4_500)
    done = settle(key="order:1:settle", hold_key="order:1:hold", lines=cost(4_400))
    assert settled_and_held() == (5_600, 0)
    assert settled_and_held("alpha:cost") == (4_400, 0)
    assert done.entry.resolves == held.entry
    assert (done.entry.reference_kind, done.entry.reference_id) == ("order", "1")
    assert not open_holds("alpha:funds").exists()


def test_settling_with_nothing_charged(books: Deposit) -> None:
    books(10_000)
    hold_cost(4_500)
    settle(key="s", hold_key="order:1:hold", lines=[])
    assert settled_and_held() == (10_000, 0)


def test_part_settled_and_rest_held_again(books: Deposit) -> None:
    books(4_500)
    hold_cost(4_500)
    settle(key="order:1:part:1", hold_key="order:1:hold", lines=cost(1_500))
    hold_cost(3_000, key="order:1:hold:2")
    assert settled_and_held() == (3_000, -3_000)
    assert [entry.key for entry in open_holds("alpha:funds")] == ["order:1:hold:2"]


@pytest.mark.requirement("R83")
def test_releasing_keeps_the_reason_on_the_ledger(books: Deposit) -> None:
    books(10_000)
    hold_cost(4_500)
    release(key="order:1:release", hold_key="order:1:hold", memo="Supplier is out of stock.")
    assert settled_and_held() == (10_000, 0)
    assert statement("alpha:funds").lines[0].memo == "Supplier is out of stock."


def test_a_hold_ends_once(books: Deposit) -> None:
    books(10_000)
    hold_cost(4_500)
    settle(key="s", hold_key="order:1:hold", lines=cost(4_500))
    assert not settle(key="s", hold_key="order:1:hold", lines=cost(4_500)).created
    with pytest.raises(HoldEnded, match="ended before, by s"):
        release(key="r", hold_key="order:1:hold", memo="late")
    with pytest.raises(HoldEnded):
        settle(key="s2", hold_key="order:1:hold", lines=cost(4_500))
    assert settled_and_held() == (5_500, 0)


@pytest.mark.parametrize("key", ["nothing", "deposit:1", "r"])
def test_only_a_hold_can_be_released(books: Deposit, key: str) -> None:
    books(10_000)
    hold_cost(4_500)
    release(key="r", hold_key="order:1:hold", memo="done")
    with pytest.raises(UnknownHold):
        release(key="again", hold_key=key, memo="x")
    assert settled_and_held() == (10_000, 0)


@pytest.mark.requirement("R84")
def test_a_correction_is_an_opposite_entry_once(books: Deposit) -> None:
    first = books(10_000)
    undone = reverse(key="undo", entry=first.entry, memo="wrong account")
    assert settled_and_held() == (0, 0)
    assert undone.entry.reverses == first.entry
    assert not reverse(key="undo", entry=first.entry).created
    for entry in (first.entry, undone.entry):
        with pytest.raises(NotReversible):
            reverse(key="undo again", entry=entry)
    assert Entry.objects.count() == 2


def test_a_spent_deposit_cannot_be_reversed(books: Deposit) -> None:
    first = books(10_000)
    hold_cost(1)
    with pytest.raises(BelowFloor):
        reverse(key="undo", entry=first.entry)
    assert settled_and_held() == (10_000, -1)


def test_holds_and_their_ends_are_not_reversed(books: Deposit) -> None:
    books(10_000)
    held = hold_cost(4_500)
    done = settle(key="s", hold_key="order:1:hold", lines=cost(4_500))
    for entry in (held.entry, done.entry):
        with pytest.raises(NotReversible):
            reverse(key="undo", entry=entry)
    assert settled_and_held() == (5_500, 0)


@pytest.mark.requirement("R83")
def test_a_failed_attempt_is_a_memo_line_that_moves_nothing(books: Deposit) -> None:
    books(10_000)
    said = "Refused by the supplier: HTTP 500."
    note(key="attempt:7", account="alpha:funds", kind="attempt", memo=said, reference=("order", "1"))
    assert not note(key="attempt:7", account="alpha:funds", kind="attempt", memo=said, reference=("order", "1")).created
    newest = statement("alpha:funds").lines[0]
    assert (newest.seq, newest.layer, newest.amount, newest.free_after) == (2, "memo", 0, 10_000)
    assert (newest.kind, newest.memo) == ("attempt", said)
    assert settled_and_held() == (10_000, 0)


def test_opening_an_account_again_gives_the_first(books: Deposit) -> None:
    again = open_account(code="alpha:cost", name="Other name", currency="USD", role="cost", owner="alpha")
    assert again.name == "Alpha cost"
    with pytest.raises(AccountConflict):
        open_account(code="alpha:cost", name="Alpha cost", currency="EUR", role="cost", owner="alpha")
    with pytest.raises(BadEntry):
        open_account(code="beta:cost", name="Beta cost", currency="USD", role="cost", floor=1)
    assert Account.objects.count() == 3


def test_history_does_not_step_back_with_the_clock(books: Deposit) -> None:
    with time_machine.travel(datetime(2026, 3, 2, tzinfo=UTC), tick=False):
        first = books(100, key="a").entry
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        second = books(100, key="b").entry
    assert second.recorded_at > first.recorded_at
    assert second.effective_on == date(2026, 3, 2)


def test_a_late_fact_keeps_its_own_date(books: Deposit) -> None:
    lines = [debit("alpha:funds", usd(100)), credit("alpha:external", usd(100))]
    entry = post(key="late", kind="deposit", lines=lines, effective_on=date(2020, 1, 31)).entry
    assert entry.effective_on == date(2020, 1, 31)
    assert entry.recorded_at.year > 2020


def test_every_refusal_is_a_sentence(books: Deposit) -> None:
    with pytest.raises(LedgerError) as refusal:
        post(key="", kind="x", lines=cost(5))
    assert refusal.value.sentence.endswith(".")
    assert refusal.value.status == 422
