"""What went wrong stands on the start page of those who must deal with it, and on nobody else's."""

from __future__ import annotations

import pytest
from django.test import Client

from procurement.orders.models import Order
from procurement.orders.services import drafting
from procurement.staff.models import User
from tests.conftest import make_person
from tests.orders.conftest import Shop, run_until_settled, sandbox_server, shop

__all__ = ["sandbox_server", "shop"]
SENTENCES = ("1 order is unconfirmed.", "1 order came with fewer codes than ordered.")


def start_page(user: User) -> str:
    client = Client()
    client.force_login(user)
    return client.get("/").content.decode()


@pytest.fixture
def exceptions(shop: Shop, buyer: User) -> list[Order]:
    """An order whose answer was lost, and one that came short."""
    shop.sandbox.arm("alpha", "part_delivery")
    short = run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, "alpha", 2)))
    shop.sandbox.arm("psnb2b", "answer_lost")
    lost = run_until_settled(drafting.submit_order(by=buyer, order=shop.order(buyer, "psnb2b", 2)))
    assert [short.state, lost.state] == ["partial", "unknown"]
    return [short, lost]


@pytest.mark.requirement("R28")
@pytest.mark.parametrize("role", ["support", "finance"])
def test_support_and_finance_see_what_went_wrong_on_their_start_page(exceptions: list[Order], role: str) -> None:
    page = start_page(make_person("pat", role))
    assert [sentence for sentence in SENTENCES if sentence not in page] == []


def test_nobody_sees_exceptions_that_are_not_there(shop: Shop, finance: User) -> None:
    page = start_page(finance)
    assert [sentence for sentence in SENTENCES if sentence in page] == []
