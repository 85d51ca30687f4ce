"""What the clock ends, and what it must leave alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from procurement.approvals.models import ApprovalRequest
from procurement.bookkeeping import postings
from procurement.orders.models import Order
from procurement.orders.services.expiring import expire_stale
from procurement.orders.services.placing import place_order
from tests.orders.conftest import Shop, run_until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Submitted = Callable[..., Order]


def after(hours: float) -> time_machine.travel:
    return time_machine.travel(timezone.now() + timedelta(hours=hours))


def test_a_question_nobody_answered_expires_after_a_day(submitted: Submitted) -> None:
    order = submitted("alpha", 20)
    with after(hours=23):
        assert expire_stale() == 0
    with after(hours=25):
        assert expire_stale() == 1
        assert expire_stale() == 0

    order.refresh_from_db()
    assert (order.state, ApprovalRequest.objects.get().state) == ("expired", "expired")
    assert postings.free_balance("alpha", "USD") == 5000_00


@pytest.mark.requirement("R35", "R90")
def test_an_approval_nobody_used_gives_its_money_back(shop: Shop, submitted: Submitted) -> None:
    order = submitted("alpha")
    assert postings.free_balance("alpha", "USD") == 5000_00 - order.max_total_minor
    with after(hours=25):
        assert expire_stale() == 1
        assert place_order(str(order.pk)) is None

    order.refresh_from_db()
    assert (order.state, order.attempts.get().state) == ("expired", "void")
    assert postings.free_balance("alpha", "USD") == 5000_00
    assert shop.sandbox.orders() == []


@pytest.mark.requirement("R26")
def test_an_order_that_was_sent_never_expires(shop: Shop, submitted: Submitted) -> None:
    unsure = submitted("psnb2b")
    shop.sandbox.arm("psnb2b", "answer_lost")
    place_order(str(unsure.pk))
    done = run_until_settled(submitted("alpha"))

    with after(hours=24 * 30):
        assert expire_stale() == 0

    for order, state in ((unsure, "unknown"), (done, "codes_stored")):
        order.refresh_from_db()
        assert order.state == state
    assert postings.free_balance("psnb2b", "USD") == 5000_00 - unsure.max_total_minor
