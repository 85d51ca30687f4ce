"""An order that does not fit below the daily cap is not approved."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from django.utils.html import strip_tags

from procurement.bookkeeping import postings
from procurement.bookkeeping.models import DailyVolume
from procurement.errors import Refused
from procurement.orders.models import Attempt, Order
from procurement.orders.services import approving, drafting
from procurement.suppliers.models import SupplierAccount
from tests.orders.conftest import Shop

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.requirement("R96")]


def test_an_order_above_the_cap_is_not_approved_and_holds_no_money(
    shop: Shop, buyer: Any, manager: Any, client: Any
) -> None:
    account = shop.accounts["alpha"]
    SupplierAccount.objects.filter(pk=account.pk).update(settings={**account.settings, "daily_caps": [10]})
    order = drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 60))
    order = Order.objects.get(pk=order.pk)
    assert order.approval
    url = reverse("approvals:request_detail", args=[order.approval.pk])
    client.force_login(manager)
    assert "0.00 USD of 10.00 USD a day" in " ".join(strip_tags(client.get(url).content.decode()).split())

    with pytest.raises(Refused, match="do not fit"):
        approving.approve_order(by=manager, order=order, shown_hash=order.approval.content_hash)

    order = Order.objects.get(pk=order.pk)
    assert (order.state, Attempt.objects.count()) == ("pending_approval", 0)
    assert not DailyVolume.objects.exists()
    assert postings.free_balance("alpha", "USD") == 5_000_00
