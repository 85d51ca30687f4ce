"""A supplier account and statements about it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.utils import timezone

from procurement.staff.models import User
from procurement.suppliers.models import SupplierAccount
from procurement.terms.models import Statement
from procurement.terms.services import Said, confirm_statement, record_statement
from tests.suppliers.conftest import make_account


@pytest.fixture
def alpha(db: None) -> SupplierAccount:
    return make_account("alpha")


def today() -> date:
    return timezone.now().date()


def said(value: str = "15", source: str = "contract", days: int | None = 30) -> Said:
    """Said today in contract 7, good for `days` more days."""
    last = None if days is None else today() + timedelta(days=days)
    return Said(value=value, source=source, reference="Contract 7, page 2", stated_on=today(), expires_on=last)


@pytest.fixture
def recorded(alpha: SupplierAccount, admin: User) -> Statement:
    """A delivery target of 15 minutes that nobody confirmed yet."""
    return record_statement(by=admin, account=alpha, kind="delivery_target", said=said())


@pytest.fixture
def confirmed(recorded: Statement, second_admin: User) -> Statement:
    confirm_statement(by=second_admin, statement=recorded)
    return recorded
