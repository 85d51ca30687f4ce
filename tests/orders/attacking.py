"""What the attacks on four eyes share: somebody's own purchase that waits, ways past every service, and that nothing happened."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import postings
from procurement.orders.models import Attempt, Order
from procurement.orders.services.drafting import submit_order
from procurement.staff.models import User
from procurement.work.models import DueWork
from tests.conftest import make_person
from tests.orders.conftest import Shop


def in_database(value: Any) -> Any:
    if isinstance(value, uuid.UUID):
        return value.hex if connection.vendor == "sqlite" else value
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, [in_database(value) for value in values])


def refused_by_the_database(attack: Callable[[], object], says: str | None = None) -> None:
    with pytest.raises(IntegrityError, match=says), transaction.atomic():
        attack()


@pytest.fixture
def mine(shop: Shop, buyer: User) -> Order:
    """A purchase over the limit that its buyer would like to approve."""
    return submit_order(by=buyer, order=shop.order(buyer, "alpha", 20))


@pytest.fixture
def managers_own(shop: Shop, manager: User) -> Order:
    """The same, asked for by somebody who may approve other people's."""
    return submit_order(by=manager, order=shop.order(manager, "alpha", 20))


@pytest.fixture(autouse=True)
def admins(request: pytest.FixtureRequest, transactional_db: None) -> tuple[User, User]:
    return make_person("ida_admin", "admin"), make_person("udo_admin", "admin")


def question_of(order: Order) -> ApprovalRequest:
    return ApprovalRequest.objects.get(subject_id=str(order.pk))


def assert_nothing_happened(order: Order) -> None:
    """It waits as it did: nobody decided, no money is held, nothing is stored for sending, nothing is due."""
    now, question = Order.objects.get(pk=order.pk), question_of(order)
    assert (now.state, now.quantity, now.requested_by) == ("pending_approval", 20, order.requested_by)
    assert (question.state, question.decided_by, question.requested_by) == ("open", None, order.requested_by)
    assert question.content_hash == getattr(order.approval, "content_hash", None)
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert not Attempt.objects.filter(order=order).exists()
    assert not DueWork.objects.filter(kind="order.place", ref=str(order.pk)).exists()


def decides(by: User, order: Order) -> Callable[[], object]:
    """The decision as it is written in the end, past every service."""
    return lambda: ApprovalRequest.objects.filter(subject_id=str(order.pk)).update(
        state="approved", decided_by=by, decided_at=timezone.now()
    )
