"""kill -9 while money is booked: nothing is half-posted, and the same call afterwards books it once."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.db.models import Sum

from ledger.models import Balance, Entry, Line
from ledger.verifying import verify
from procurement.bookkeeping import deposits, postings
from procurement.suppliers.models import SupplierAccount
from tests.faults.forking import in_a_child
from tests.faults.killing import Points, watched

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R83", "R84", "R90")]
FUNDS, COST = 1_000_00, 300


def buy(order: str) -> None:
    """An order's money held unless it was, then its purchase in place of the hold: two postings, each a transaction."""
    facts: dict[str, Any] = {
        "account_code": "alpha",
        "currency": "USD",
        "order_id": order,
        "label": order,
        "amount_minor": COST,
    }
    if not Entry.objects.filter(reference_id=order).exists():
        postings.hold_order(**facts, actor="Ben Buyer")
    postings.purchase(**facts)


def check_books() -> None:
    """Every entry is whole, every balance is the sum of its lines, and every chain holds."""
    assert verify().findings == []
    entries = {entry.pk: entry.legs for entry in Entry.objects.all()}
    assert [line.entry_id for line in Line.objects.all() if line.entry_id not in entries] == []
    assert {pk: Line.objects.filter(entry_id=pk).count() for pk in entries} == entries
    for row in Balance.objects.all():
        assert row.free == (Line.objects.filter(account_id=row.pk).aggregate(total=Sum("amount"))["total"] or 0)


def test_a_posting_killed_anywhere_is_whole_or_absent_and_is_booked_once_afterwards() -> None:
    account = SupplierAccount.objects.create(
        code="alpha", name="Alpha", dialect="alpha", base_url="http://127.0.0.1:9", settlement_currency="USD"
    )
    deposits.open_book(
        account=account, amount_minor=FUNDS, currency="USD", credited_on=date(2026, 1, 1), reference="OPEN"
    )
    passed = Points()
    with watched(passed):
        buy("the first")
    everywhere = [(point, visit) for point, count in passed.passed.items() for visit in range(1, count + 1)]
    # Each posting writes its lines, the balances and the header, and commits: a death before and after each of them.
    written = ["INSERT ledger_line", "UPDATE ledger_balance", "INSERT ledger_entry"]
    assert {f"before {what}" for what in written} <= {point for point, _ in everywhere}
    assert len(everywhere) >= 10

    for number, (point, visit) in enumerate(everywhere, start=2):
        order = f"order {number}"

        def die(order: str = order, points: Points = Points(point, visit)) -> None:  # noqa: B008 - of this round
            with watched(points):
                buy(order)

        ended = in_a_child(die)
        assert ended.killed, (point, visit, ended.error)
        check_books()
        assert Entry.objects.filter(reference_id=order).count() <= 2
        buy(order)
        assert Entry.objects.filter(reference_id=order).count() == 2
        assert (
            postings.settled_balance("alpha", "USD") == postings.free_balance("alpha", "USD") == FUNDS - number * COST
        )
    check_books()
