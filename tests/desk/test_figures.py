"""The overview's figures and the search box, by what they find."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from procurement.desk.overview import DAYS, daily_figures, daily_spend
from procurement.desk.search import find_orders
from procurement.orders.models import Code, Order
from procurement.orders.services import drafting
from procurement.staff.models import User
from tests.orders.conftest import Shop, run_until_settled, sandbox_server, shop

__all__ = ["sandbox_server", "shop"]


def test_each_day_counts_from_midnight_to_midnight(shop: Shop, buyer: User) -> None:
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    moments = [today, today - timedelta(microseconds=1), today - timedelta(days=DAYS - 1), today - timedelta(days=DAYS)]
    for moment in moments:
        Order.objects.filter(pk=shop.order(buyer).pk).update(created_at=moment)
    orders, _, failed = daily_figures()
    assert (orders.today, orders.values[-2], orders.values[0], sum(orders.values)) == (1, 1, 1, 3)
    assert sum(failed.values) == 0


def test_codes_and_spending_of_today(shop: Shop, buyer: User) -> None:
    order = run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, quantity=3)))
    _, codes, _ = daily_figures()
    assert sum(codes.values) == 3
    assert sum(daily_spend("USD").values) == order.total_cost_minor
    assert sum(daily_spend("EUR").values) == 0


def test_order_is_found_by_each_of_its_ids(shop: Shop, buyer: User) -> None:
    shop.order(buyer, name="Shop-77")
    order = run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, name="ORDER-7")))
    Code.objects.filter(order=order).update(customer_order="CUSTOMER-9")
    attempt = order.attempts.get()
    for text in ("ORDER-7", "order-7", order.remote_id, attempt.idempotency_key, "CUSTOMER-9", "rder-7"):
        assert [hit.label for hit in find_orders(text)] == ["ORDER-7"], text
    assert [hit.label for hit in find_orders("SHOP-77")] == ["Shop-77"]
    assert list(find_orders("ORDER-8")) == []
