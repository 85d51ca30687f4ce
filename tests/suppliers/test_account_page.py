"""What the account page and the list say of each state; limits in use; and the two keys of a rotation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.test import Client
from django.urls import reverse

from procurement.suppliers import budget
from procurement.suppliers.clients import SupplierProblem
from procurement.suppliers.models import SupplierAccount
from procurement.suppliers.rotating import hold_next_key
from procurement.suppliers.services import create_account, pause_account, read_balance
from procurement.suppliers.standing import standing_of
from procurement.work.services import make_due
from tests.suppliers.conftest import KEYS, Script, make_account
from tests.suppliers.test_accounts import BALANCE, REFUSED_KEY
from tests.suppliers.test_pages import once_mark, signed_in

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
NEW = "sk_next_CANARY_0009"


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as coordinates:
        yield coordinates


def detail(account: SupplierAccount, person: Any) -> str:
    client = Client()
    client.force_login(person)
    return client.get(reverse("suppliers:account_detail", args=[account.pk])).content.decode()


def listed(person: Any) -> str:
    client = Client()
    client.force_login(person)
    return client.get(reverse("suppliers:account_list")).content.decode()


def failing(account: SupplierAccount, times: int, answer: Any) -> None:
    for _ in range(times):
        with pytest.raises(SupplierProblem):
            read_balance(account, transport=Script(answer))


def pause(account: SupplierAccount, admin: Any) -> None:
    pause_account(by=admin, account=account, reason="Stock count.")


def refuse(account: SupplierAccount, admin: Any) -> None:
    failing(account, 1, REFUSED_KEY)


def break_down(account: SupplierAccount, admin: Any) -> None:
    failing(account, 5, httpx.ReadTimeout("x"))


def fail_twice(account: SupplierAccount, admin: Any) -> None:
    failing(account, 2, httpx.ReadTimeout("x"))


def throttle(account: SupplierAccount, admin: Any) -> None:
    failing(account, 1, httpx.Response(429, json={}, headers={"Retry-After": "30"}))


@pytest.mark.requirement("R25", "R41")
@pytest.mark.parametrize(
    ("befall", "title", "text"),
    [
        (pause, "Paused", "Ada Admin: “Stock count.” No order is sent until somebody resumes it."),
        (refuse, "Key refused", "No order is sent until a new one is set."),
        (break_down, "Down", "5 calls in a row failed."),
        (fail_twice, "2 calls failed in a row", "At 5 in a row orders wait"),
        (throttle, "Asked to wait", "The supplier wants no call now. Next call"),
    ],
)
def test_each_trouble_is_said_with_its_reason_and_time(
    befall: Callable[[SupplierAccount, Any], None],
    title: str,
    text: str,
    psnb2b: SupplierAccount,
    admin: Any,
) -> None:
    assert "</svg>In use</span>" in detail(psnb2b, admin)
    befall(psnb2b, admin)
    page = detail(psnb2b, admin)
    assert f"</svg>{title}</span>" in page
    assert text in page
    assert f"</svg>{title}</span>" in listed(admin)


def test_a_supplier_that_is_down_has_its_next_probe_on_the_page(psnb2b: SupplierAccount, admin: Any) -> None:
    break_down(psnb2b, admin)
    psnb2b.refresh_from_db()
    standing = standing_of(psnb2b)
    assert (standing.since, standing.next_at) == (NOW, psnb2b.probe_at)
    assert "12:00:15" in detail(psnb2b, admin)


@pytest.mark.requirement("R108")
def test_an_account_of_the_other_environment_and_one_without_key_say_that_nothing_is_sent(admin: Any) -> None:
    live = make_account("psnb2b", environment="live")
    create_account(
        by=admin, code="bare", name="Bare", dialect="alpha", base_url="https://a.example", settlement_currency="USD"
    )
    assert "This is a sandbox installation: nothing is sent to the account." in detail(live, admin)
    page = listed(admin)
    assert "No API key" in page
    for name, environment in (("PSN:B2B", "Live"), ("Bare", "Sandbox")):
        assert f'{name}</a> <span class="tag">{environment}</span>' in page


@pytest.mark.requirement("R41", "R44", "R45")
def test_limits_in_use_and_who_waits_are_told_in_words(admin: Any) -> None:
    account = make_account("psnb2b", settings={})
    for _ in range(7):
        ticket = budget.take(account, budget.PLACING)
        assert isinstance(ticket, tuple)
        budget.ended(ticket, answered=True)
    for number in range(3):
        make_due("order.hint", f"{account.pk}:{number}")
    read_balance(account, transport=Script(httpx.Response(200, json=BALANCE, headers={"X-RateLimit-Remaining": "41"})))
    page = detail(account, admin)
    assert "<b>7 of 10</b> orders used in the last 60 s, 3 free" in page
    assert "<b>8 of 58</b> calls used in the last 60 s, 50 free" in page
    assert "<b>0 of 30</b> readings of order states used" in page
    assert "<dd>41</dd>" in page
    assert "3 orders to be read" in page


class TestTwoKeys:
    def post(self, client: Client, account: SupplierAccount, **data: Any) -> Any:
        url = reverse("suppliers:account_key", args=[account.pk])
        return client.post(url, {"once": once_mark(client, url), "kind": "api_key", "api_key-value": NEW, **data})

    def act(self, client: Client, account: SupplierAccount, act: str) -> Any:
        mark = once_mark(client, reverse("suppliers:account_key", args=[account.pk]))
        return client.post(reverse("suppliers:account_next_key", args=[account.pk]), {"once": mark, "act": act})

    @pytest.mark.requirement("R101", "R102", "R100")
    def test_a_key_for_later_is_shown_by_last_four_and_time_and_cancelled(
        self, psnb2b: SupplierAccount, admin: Any, settings: Any
    ) -> None:
        settings.SUPPLIER_TRANSPORT = lambda account: Script((200, BALANCE))
        client = signed_in(admin)
        answer = self.post(client, psnb2b, **{"api_key-switch_at": "2026-11-23T09:30"})
        assert answer.status_code == 303
        psnb2b.refresh_from_db()
        assert psnb2b.next_key_from == datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
        for page in (
            detail(psnb2b, admin),
            listed(admin),
            client.get(reverse("suppliers:account_key", args=[psnb2b.pk])).content.decode(),
        ):
            assert "0009" in page
            assert KEYS["psnb2b"][-4:] in page
            assert "23 Nov 09:30" in page
            assert NEW not in page
        assert self.act(client, psnb2b, "cancel").status_code == 303
        kept = SupplierAccount.objects.get()
        assert (kept.next_key_from, kept.api_key_last4) == (None, KEYS["psnb2b"][-4:])

    @pytest.mark.requirement("R102")
    def test_a_held_key_is_used_at_once_on_demand(self, psnb2b: SupplierAccount, admin: Any, settings: Any) -> None:
        settings.SUPPLIER_TRANSPORT = lambda account: Script((200, BALANCE))
        hold_next_key(by=admin, account=psnb2b, key=NEW, switch_at=NOW + timedelta(days=1))
        assert self.act(signed_in(admin), psnb2b, "use").status_code == 303
        psnb2b.refresh_from_db()
        assert (psnb2b.api_key_last4, psnb2b.next_key_from) == ("0009", None)

    @pytest.mark.parametrize("at", ["2026-11-21T11:00", "2026-12-01T00:00", "soon"])
    def test_a_time_that_cannot_be_is_refused_and_nothing_stored(
        self, at: str, psnb2b: SupplierAccount, admin: Any, settings: Any
    ) -> None:
        settings.SUPPLIER_TRANSPORT = lambda account: Script((200, BALANCE))
        before = SupplierAccount.objects.values().get()
        answer = self.post(signed_in(admin), psnb2b, **{"api_key-switch_at": at})
        assert answer.status_code == 422
        assert NEW not in answer.content.decode()
        assert SupplierAccount.objects.values().get() == before

    def test_others_may_not(self, psnb2b: SupplierAccount, finance: Any, admin: Any) -> None:
        hold_next_key(
            by=admin, account=psnb2b, key=NEW, switch_at=NOW + timedelta(days=1), transport=Script((200, BALANCE))
        )
        url = reverse("suppliers:account_next_key", args=[psnb2b.pk])
        assert signed_in(finance).post(url, {"act": "cancel"}).status_code == 403
        psnb2b.refresh_from_db()
        assert psnb2b.next_key_last4 == "0009"
