from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from ledger.models import Entry
from ledger.queries import entries_for, trial_balance
from procurement.audit.models import AuditEvent
from procurement.bookkeeping import postings
from procurement.bookkeeping.models import Deposit, Label
from procurement.bookkeeping.queries import movements_about
from procurement.bookkeeping.rules import RULES
from procurement.errors import NotAllowed, Refused
from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from tests.bookkeeping.conftest import UsdBooks


@pytest.fixture
def unchanged(books: UsdBooks) -> Callable[[], bool]:
    """Whether the books are as they were when this was first asked."""
    before = (books.balances(), Entry.objects.count(), Label.objects.count())
    return lambda: before == (books.balances(), Entry.objects.count(), Label.objects.count())


def zero_sum() -> bool:
    return sum(row.debit - row.credit for row in trial_balance("USD")) == 0


@pytest.mark.requirement("R83")
def test_deposit_moves_money_from_outside_into_the_funds(books: UsdBooks, account: SupplierAccount) -> None:
    row = books.fund(10_000)
    assert books.balances() == {"funds": (10_000, 0), "deposits": (-10_000, 0), "purchases": (0, 0), "suspense": (0, 0)}
    assert AuditEvent.objects.get(action="deposit.recorded").facts["amount"] == "100.00 USD"
    entry = entries_for("deposit", str(row.pk)).get()
    assert (entry.kind, entry.effective_on) == ("deposit", row.credited_on)
    assert postings.free_balance("alpha", "USD") == postings.settled_balance("alpha", "USD") == 10_000
    assert postings.free_balance("alpha", "EUR") == postings.free_balance("beta", "USD") == 0


@pytest.mark.requirement("R83")
def test_same_deposit_reference_is_booked_once(books: UsdBooks, finance: User, account: SupplierAccount) -> None:
    today = timezone.now().date()
    facts: dict[str, Any] = {"account": account, "currency": "USD", "credited_on": today, "reference": "WIRE-1"}
    postings.deposit(by=finance, amount_minor=10_000, **facts)
    with pytest.raises(Refused, match=r"Alpha has a deposit WIRE-1 already: 100.00 USD, recorded by Fay Finance"):
        postings.deposit(by=finance, amount_minor=10_000, **facts)
    assert Deposit.objects.count() == Entry.objects.count() == AuditEvent.objects.count() == 1
    assert postings.free_balance("alpha", "USD") == 10_000


def test_deposit_needs_a_reference_an_amount_and_a_day_that_came(account: SupplierAccount) -> None:
    today = timezone.now().date()
    for amount, day, reference in (
        (0, today, "W"),
        (-5, today, "W"),
        (5, today, " "),
        (5, today + timedelta(days=1), "W"),
    ):
        with pytest.raises(Refused, match="Nothing was recorded"):
            postings.deposit(
                by=None, account=account, amount_minor=amount, currency="USD", credited_on=day, reference=reference
            )
    assert not Deposit.objects.exists()
    assert not Entry.objects.exists()


def test_only_finance_records_deposits(buyer: User, manager: User, account: SupplierAccount) -> None:
    for person in (buyer, manager):
        with pytest.raises(NotAllowed, match="Finance"):
            postings.deposit(
                by=person,
                account=account,
                amount_minor=5,
                currency="USD",
                credited_on=timezone.now().date(),
                reference="W",
            )
    assert not Entry.objects.exists()


def test_hold_takes_money_out_of_what_is_free(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    assert books.balances()["funds"] == (10_000, -4_500)
    assert books.balances()["purchases"] == (0, 4_500)
    assert (postings.free_balance("alpha", "USD"), postings.settled_balance("alpha", "USD")) == (5_500, 10_000)


@pytest.mark.requirement("R90")
def test_hold_beyond_the_free_balance_is_refused_and_leaves_nothing(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    before, entries = books.balances(), Entry.objects.count()
    with pytest.raises(Refused) as refusal:
        books.hold("2", 6_000)
    assert refusal.value.sentence == (
        "alpha has 55.00 USD free and this needs 60.00 USD, 5.00 USD more. "
        "Nothing was ordered. Record a deposit, or order less."
    )
    assert (books.balances(), Entry.objects.count()) == (before, entries)
    assert not Label.objects.filter(reference_id="2").exists()


@pytest.mark.requirement("R90")
def test_hold_on_an_account_without_money_is_refused(books: UsdBooks, unchanged: Callable[[], bool]) -> None:
    with pytest.raises(Refused, match=r"alpha has 0.00 USD free"):
        books.hold("1", 1)
    assert unchanged()


def test_hold_is_booked_once_while_it_lasts(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    books.hold("1", 4_500)
    assert books.balances()["funds"] == (10_000, -4_500)
    with pytest.raises(Refused, match="Another amount is already held for ORD-1"):
        books.hold("1", 4_600)
    assert books.balances()["funds"] == (10_000, -4_500)


@pytest.mark.requirement("R83", "R29")
def test_released_hold_is_a_failed_attempt_that_leaves_the_balance(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    postings.release_order(order_id="1", reason="The supplier refused it.")
    postings.release_order(order_id="1", reason="A second time.")
    assert books.balances()["funds"] == (10_000, 0)
    assert [(row.what, row.memo, row.settled_minor, row.held_minor) for row in movements_about("1")] == [
        ("Held for an order", "", 0, -4_500),
        ("Attempt failed, hold ended", "The supplier refused it.", 0, 4_500),
    ]


def test_released_order_can_be_held_again(books: UsdBooks) -> None:
    books.fund(10_000)
    for _ in range(2):
        books.hold("1", 4_500)
        postings.release_order(order_id="1", reason="The price moved.")
    books.hold("1", 4_600)
    books.hold("1", 4_600)
    assert books.balances()["funds"] == (10_000, -4_600)
    books.purchase("1", 4_600)
    assert books.balances()["funds"] == (5_400, 0)


def test_release_without_a_hold_does_nothing(books: UsdBooks, unchanged: Callable[[], bool]) -> None:
    postings.release_order(order_id="1", reason="Nothing to release")
    assert unchanged()


def test_purchase_books_the_true_cost_and_ends_the_hold(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    books.purchase("1", 4_400)
    books.purchase("1", 4_400)
    assert books.balances() == {
        "funds": (5_600, 0),
        "deposits": (-10_000, 0),
        "purchases": (4_400, 0),
        "suspense": (0, 0),
    }
    assert [(row.settled_minor, row.held_minor) for row in movements_about("1")] == [(0, -4_500), (-4_400, 4_500)]


def test_second_purchase_at_another_cost_is_refused(books: UsdBooks) -> None:
    books.fund(10_000)
    books.purchase("1", 4_400)
    with pytest.raises(Refused, match="Another cost is already booked for ORD-1"):
        books.purchase("1", 4_500)
    assert books.balances()["funds"] == (5_600, 0)


def test_purchase_without_a_hold_books_the_cost(books: UsdBooks) -> None:
    books.fund(10_000)
    books.purchase("1", 4_400)
    assert books.balances()["funds"] == (5_600, 0)


def test_purchase_that_cost_nothing_only_ends_the_hold(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    books.purchase("1", 0)
    books.purchase("2", 0)
    assert books.balances()["funds"] == (10_000, 0)
    assert not entries_for("order", "2").exists()


@pytest.mark.requirement("R88")
def test_charge_beyond_the_funds_is_booked_and_paid_by_the_next_money(books: UsdBooks) -> None:
    books.fund(5_000)
    books.hold("1", 4_500)
    books.purchase("1", 6_000)
    assert books.balances()["funds"] == (0, 0)
    assert books.balances()["suspense"] == (-1_000, 0)
    assert postings.free_balance("alpha", "USD") == postings.settled_balance("alpha", "USD") == -1_000
    books.refund("1", 600)
    assert (books.balances()["funds"], books.balances()["suspense"]) == ((0, 0), (-400, 0))
    books.fund(1_000, "WIRE-2")
    assert (books.balances()["funds"], books.balances()["suspense"]) == ((600, 0), (0, 0))
    assert zero_sum()


def test_charge_beyond_the_funds_leaves_what_others_hold(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("other", 8_000)
    books.purchase("1", 5_000)
    assert books.balances()["funds"] == (8_000, -8_000)
    assert books.balances()["suspense"] == (-3_000, 0)
    with pytest.raises(Refused, match=r"alpha has −30.00 USD free"):
        books.hold("2", 1)
    books.purchase("other", 8_000)
    assert postings.settled_balance("alpha", "USD") == -3_000
    assert zero_sum()


@pytest.mark.requirement("R72")
def test_refund_is_cumulative_and_booked_once(books: UsdBooks) -> None:
    books.fund(10_000)
    books.purchase("1", 4_400)
    books.refund("1", 1_000)
    books.refund("1", 1_000)
    assert books.balances()["funds"] == (6_600, 0)
    books.refund("1", 4_400)
    books.refund("1", 1_000)
    assert books.balances()["funds"] == (10_000, 0)
    assert books.balances()["purchases"] == (0, 0)
    assert [entry.kind for entry in entries_for("order", "1")] == ["purchase", "refund", "refund"]


@pytest.mark.requirement("R72")
def test_claim_credit_names_order_and_claim_and_is_booked_once(books: UsdBooks) -> None:
    books.fund(10_000)
    books.purchase("1", 4_400)
    books.credit("c7", "1", 2_200)
    books.credit("c7", "1", 2_200)
    assert books.balances()["funds"] == (7_800, 0)
    credit = entries_for("order", "1").get(kind="credit")
    assert (credit.key, credit.memo, credit.actor) == ("claim:c7:credit", "Claim c7", "Fay Finance")
    with pytest.raises(Refused, match="Another credit is already booked"):
        books.credit("c7", "1", 2_300)
    assert books.balances()["funds"] == (7_800, 0)


@pytest.mark.requirement("R83")
def test_failed_attempt_without_a_hold_is_a_line_without_money(books: UsdBooks) -> None:
    books.fund(10_000)
    for _ in range(2):
        postings.failed_attempt(
            account_code="alpha", currency="USD", order_id="1", label="ORD-1", reason="Refused by the supplier."
        )
    assert books.balances()["funds"] == (10_000, 0)
    assert [(row.what, row.memo) for row in movements_about("1")] == [
        ("Failed attempt", "Refused by the supplier.")
    ] * 2


@pytest.mark.requirement("R92")
def test_currencies_of_one_supplier_account_never_mix(books: UsdBooks, account: SupplierAccount) -> None:
    books.fund(10_000)
    with pytest.raises(Refused, match=r"alpha has 0 JPY free and this needs 500 JPY"):
        postings.hold_order(
            account_code="alpha", currency="JPY", order_id="1", label="ORD-1", amount_minor=500, actor="Ben"
        )
    postings.deposit(
        by=None,
        account=account,
        amount_minor=700,
        currency="JPY",
        credited_on=timezone.now().date(),
        reference="WIRE-JPY",
    )
    assert postings.free_balance("alpha", "JPY") == 700
    assert postings.free_balance("alpha", "USD") == 10_000
    assert postings.amount_text(700, "JPY") == "700 JPY"


@pytest.mark.requirement("R83")
def test_postings_remember_what_people_call_the_order(books: UsdBooks) -> None:
    books.fund(10_000)
    books.hold("1", 4_500)
    books.purchase("1", 4_500)
    assert Label.objects.get(kind="order").text == "ORD-1"
    assert Label.objects.get(kind="deposit").text == "WIRE-1"


def test_postings_page_is_what_the_rules_say() -> None:
    page = (Path(settings.ROOT) / "docs" / "postings.md").read_text(encoding="utf-8")
    assert page == postings.as_markdown()
    assert all(f"| {rule.kind} |" in page for rule in RULES)
