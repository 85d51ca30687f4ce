"""A supplier account and the money on it."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from procurement.bookkeeping import deposits, holdings, postings
from procurement.suppliers.models import SupplierAccount


class UsdBooks:
    """Postings for one supplier account in USD, with the arguments that never matter filled in."""

    def __init__(self, account: SupplierAccount) -> None:
        self.account = account

    def _facts(self, order: str, minor: int) -> dict[str, Any]:
        return {
            "account_code": self.account.code,
            "currency": "USD",
            "order_id": order,
            "label": f"ORD-{order}",
            "amount_minor": minor,
        }

    def fund(self, minor: int, reference: str = "WIRE-1") -> Any:
        today = timezone.now().date()
        return deposits.open_book(
            account=self.account, amount_minor=minor, currency="USD", credited_on=today, reference=reference
        )

    def hold(self, order: str, minor: int) -> None:
        postings.hold_order(**self._facts(order, minor), actor="Ben Buyer")

    def purchase(self, order: str, minor: int) -> None:
        postings.purchase(**self._facts(order, minor))

    def refund(self, order: str, minor: int) -> None:
        postings.refund(**self._facts(order, minor))

    def credit(self, claim: str, order: str, minor: int) -> None:
        postings.claim_credit(**self._facts(order, minor), claim_id=claim, actor="Fay Finance")

    def balances(self) -> dict[str, tuple[int, int]]:
        """(settled, held) of each of the account's four ledger accounts."""
        return holdings.balances(self.account.code, "USD")


@pytest.fixture
def account(db: None) -> SupplierAccount:
    return SupplierAccount.objects.create(
        code="alpha", name="Alpha", dialect="alpha", base_url="http://127.0.0.1:9/alpha/v1", settlement_currency="USD"
    )


@pytest.fixture
def books(account: SupplierAccount) -> UsdBooks:
    return UsdBooks(account)
