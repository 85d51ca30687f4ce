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
from procurement.bookkeeping import deposits, postings
from procurement.bookkeeping.models import Deposit, Label
from procurement.bookkeeping.rules import RULES
from procurement.errors import Refused
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
def test_same_deposit_reference_is_booked_once(books: UsdBooks) -> None:
    books.fund(10_000)
    with pytest.raises(Refused, match=r"Alpha has a deposit WIRE-1 already: 100.00 USD, announced by the system"):
        books.fund(10_000)
    assert Deposit.objects.count() == Entry.objects.count() == AuditEvent.objects.count() == 1
    assert postings.free_balance("alpha", "USD") == 10_000


def test_an_opening_needs_a_reference_an_amount_and_a_day_that_came(account: SupplierAccount) -> None:
    today = timezone.now().date()
    for amount, day, reference in (
        (0, today, "W"),
        (-5, today, "W"),
        (5, today, " "),
        (5, today + timedelta(days=1), "W"),
    ):
        with pytest.raises(Refused, match="Nothing was recorded"):
            deposits.open_book(
                account=account, amount_minor=amount, currency="USD", credited_on=day, reference=reference
            )
    assert not Deposit.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.requirement("R92")
def test_currencies_of_one_supplier_account_never_mix(books: UsdBooks, account: SupplierAccount) -> None:
    books.fund(10_000)
    with pytest.raises(Refused, match=r"alpha has 0 JPY free and this needs 500 JPY"):
        postings.hold_order(
            account_code="alpha", currency="JPY", order_id="1", label="ORD-1", amount_minor=500, actor="Ben"
        )
    deposits.open_book(
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


# Paid, goods not received

ORDER: dict[str, Any] = {"account_code": "alpha", "currency": "USD", "order_id": "o-1", "label": "ORDER-1"}


def paid_without_goods(books: UsdBooks, held: int, paid: int) -> None:
    books.fund(10_000)
    postings.hold_order(**ORDER, amount_minor=held, actor="Bo")
    for _ in range(2):
        postings.paid_without_goods(**ORDER, amount_minor=paid, actor="Fay")


@pytest.mark.requirement("R83")
def test_money_paid_without_goods_leaves_the_funds_ends_the_hold_and_is_owed_to_us(books: UsdBooks) -> None:
    paid_without_goods(books, 3_000, 2_900)

    assert books.balances()["unreceived"] == (2_900, 0)
    assert books.balances()["purchases"] == (0, 0)
    assert postings.free_balance("alpha", "USD") == postings.settled_balance("alpha", "USD") == 7_100
    assert zero_sum()


@pytest.mark.requirement("R83")
@pytest.mark.parametrize("cost", [2_900, 2_800, 3_000, 0])
def test_goods_that_turn_up_make_it_a_purchase_at_their_true_cost(books: UsdBooks, cost: int) -> None:
    paid_without_goods(books, 3_000, 2_900)

    for _ in range(2):
        postings.purchase(**ORDER, amount_minor=cost)

    assert postings.unreceived("o-1") == 0
    assert books.balances()["purchases"] == (cost, 0)
    assert postings.settled_balance("alpha", "USD") == 10_000 - cost
    assert zero_sum()


def test_a_dearer_purchase_than_the_funds_hold_goes_to_suspense(books: UsdBooks) -> None:
    paid_without_goods(books, 10_000, 10_000)

    postings.purchase(**ORDER, amount_minor=10_500)

    assert books.balances()["suspense"] == (-500, 0)
    assert postings.settled_balance("alpha", "USD") == -500
    assert zero_sum()


@pytest.mark.requirement("R72")
def test_what_comes_back_without_goods_is_booked_once(books: UsdBooks) -> None:
    paid_without_goods(books, 3_000, 2_900)

    first, again = (postings.paid_back_without_goods(**ORDER, actor="Fay") for _ in range(2))

    assert (first, again) == (2_900, 0)
    assert postings.free_balance("alpha", "USD") == postings.settled_balance("alpha", "USD") == 10_000
    assert zero_sum()
