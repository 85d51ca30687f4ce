"""Connecting accounts, credentials that go in and never come out, pausing, and balances over time."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused
from procurement.suppliers import queries, tasks
from procurement.suppliers.clients import problems
from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount
from procurement.suppliers.services import (
    create_account,
    pause_account,
    read_balance,
    resume_account,
    set_api_key,
    set_webhook_secret,
)
from procurement.suppliers.states import KEY_REFUSED, LIVE
from procurement.vault import Purpose, open_sealed
from procurement.work.models import DueWork
from tests.suppliers.conftest import KEYS, Script, make_account

pytestmark = pytest.mark.django_db
BALANCE = {"balance": "1250.00", "currency": "USD", "tier": {"name": "Silver", "discount_percent": "2.50"}}
REFUSED_KEY = (401, {"error": {"code": "unauthorized", "message": "no"}})


def connect(by: Any, **changes: Any) -> SupplierAccount:
    details = {
        "code": "a",
        "name": "A",
        "dialect": "alpha",
        "base_url": "https://a.example/v1",
        "settlement_currency": "USD",
    }
    return create_account(by=by, **{**details, **changes})


def test_admin_connects_an_account(admin: Any) -> None:
    account = connect(admin, base_url="https://psnb2b.com/api/v1/", dialect="psnb2b")
    assert account.base_url == "https://psnb2b.com/api/v1"
    assert account.webhook_scheme["name"] == "X-PSNB2B-Signature"
    assert len(account.hook_slug) >= 22
    assert AuditEvent.objects.get().action == "account.created"


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://a.example/v1", "environment": "live"},
        {"base_url": "ftp://a.example/v1"},
        {"base_url": "https://user:pw@a.example/v1"},
        {"base_url": "https://a.example/v1?x=1"},
        {"base_url": "https://a.example/v1#x"},
        {"base_url": "https:///v1"},
    ],
)
def test_address_that_could_carry_the_key_elsewhere_is_refused(changes: dict[str, str], admin: Any) -> None:
    with pytest.raises(Refused, match="address"):
        connect(admin, **changes)
    assert not SupplierAccount.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.parametrize("address", ["https://b.example/v1", "https://a.example:8443/v1", "https://127.0.0.1/v1"])
def test_a_live_installation_takes_only_hosts_it_lists(address: str, admin: Any, settings: Any) -> None:
    settings.ENVIRONMENT, settings.SUPPLIER_HOSTS = "live", ["a.example"]
    with pytest.raises(Refused, match="COUNTERSIGN_SUPPLIER_HOSTS"):
        connect(admin, base_url=address, environment="live")
    assert not SupplierAccount.objects.exists()
    assert not AuditEvent.objects.exists()
    assert connect(admin, base_url="https://a.example/v1", environment="live").host == "a.example"


def test_same_short_name_twice_is_refused(admin: Any) -> None:
    connect(admin)
    with pytest.raises(Refused, match="already"):
        connect(admin)
    assert SupplierAccount.objects.count() == 1


def test_only_administrators_manage_accounts(alpha: SupplierAccount, finance: Any, manager: Any, buyer: Any) -> None:
    before = SupplierAccount.objects.values().get()
    for person in (finance, manager, buyer):
        for act in (
            lambda: connect(person),  # noqa: B023
            lambda: set_api_key(by=person, account=alpha, key="k" * 20),  # noqa: B023
            lambda: set_webhook_secret(by=person, account=alpha, secret="k" * 20),  # noqa: B023
            lambda: pause_account(by=person, account=alpha, reason="x"),  # noqa: B023
            lambda: resume_account(by=person, account=alpha, reason="x"),  # noqa: B023
        ):
            with pytest.raises(NotAllowed):
                act()
    assert SupplierAccount.objects.values().get() == before


@pytest.mark.requirement("R100", "R101")
class TestKeys:
    def test_stored_key_is_sealed_and_only_its_ending_is_known(self, alpha: SupplierAccount) -> None:
        row = SupplierAccount.objects.values().get()
        assert KEYS["alpha"] not in repr(row)
        assert alpha.api_key_last4 == KEYS["alpha"][-4:]
        opened = open_sealed(alpha.api_key_sealed, purpose=Purpose.SUPPLIER_API, context=alpha.context("api_key"))
        assert opened.expose() == KEYS["alpha"]
        assert all(KEYS["alpha"] not in repr(event) for event in AuditEvent.objects.values())

    @pytest.mark.parametrize(
        "key", ["short", "with space in it", "newline-in-key\nx", "ünïcode-key-0001", "x" * 513, ""]
    )
    def test_key_that_cannot_be_sent_is_refused_without_quoting_it(self, key: str, alpha: SupplierAccount) -> None:
        before = bytes(alpha.api_key_sealed)
        with pytest.raises(Refused) as caught:
            set_api_key(by=None, account=alpha, key=key)
        assert not key or key not in caught.value.sentence
        alpha.refresh_from_db()
        assert bytes(alpha.api_key_sealed) == before

    def test_tested_key_that_fails_leaves_the_old_one(self, psnb2b: SupplierAccount, admin: Any) -> None:
        before = bytes(psnb2b.api_key_sealed)
        with pytest.raises(problems.KeyRefused):
            set_api_key(by=admin, account=psnb2b, key="sk_new_CANARY_9", test=True, transport=Script(REFUSED_KEY))
        psnb2b.refresh_from_db()
        assert bytes(psnb2b.api_key_sealed) == before
        assert psnb2b.state == LIVE
        assert "CANARY_9" not in repr(Exchange.objects.values()) + repr(AuditEvent.objects.values())

    @pytest.mark.requirement("R102")
    def test_tested_key_that_works_is_used_from_then_on(self, psnb2b: SupplierAccount, admin: Any) -> None:
        SupplierAccount.objects.filter(pk=psnb2b.pk).update(state=KEY_REFUSED)
        script = Script((200, BALANCE))
        set_api_key(by=admin, account=psnb2b, key="sk_new_CANARY_9", test=True, transport=script)
        assert script.requests[0].headers["Authorization"] == "Bearer sk_new_CANARY_9"
        psnb2b.refresh_from_db()
        assert (psnb2b.state, psnb2b.api_key_last4) == (LIVE, "RY_9")
        read_balance(psnb2b, transport=script)
        assert script.requests[1].headers["Authorization"] == "Bearer sk_new_CANARY_9"

    def test_failed_call_quotes_no_key_anywhere(
        self, psnb2b: SupplierAccount, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        for answer in (httpx.ReadError(KEYS["psnb2b"]), (500, {"error": {"message": KEYS["psnb2b"]}}), REFUSED_KEY):
            with pytest.raises(problems.SupplierProblem) as caught:
                read_balance(psnb2b, transport=Script(answer))
            assert caught.value.__cause__ is None
            assert KEYS["psnb2b"] not in caught.value.sentence
        assert KEYS["psnb2b"] not in caplog.text + repr(Exchange.objects.values())


def test_pausing_needs_a_reason_and_is_recorded(alpha: SupplierAccount, admin: Any) -> None:
    with pytest.raises(Refused):
        pause_account(by=admin, account=alpha, reason="  ")
    alpha.refresh_from_db()
    assert alpha.state == LIVE
    pause_account(by=admin, account=alpha, reason="Stock count")
    alpha.refresh_from_db()
    assert (alpha.state, alpha.paused_reason) == ("paused", "Stock count")
    with pytest.raises(Refused):
        pause_account(by=admin, account=alpha, reason="again")
    resume_account(by=admin, account=alpha, reason="Counted")
    events = AuditEvent.objects.order_by("pk").values_list("action", "reason")
    assert list(events)[-2:] == [("account.paused", "Stock count"), ("account.resumed", "Counted")]


def test_unknown_state_is_refused_by_the_database(alpha: SupplierAccount) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        SupplierAccount.objects.filter(pk=alpha.pk).update(state="sleeping")


@pytest.mark.requirement("R85", "R86")
class TestBalances:
    def test_each_reading_is_kept_with_tier_and_request(self, psnb2b: SupplierAccount, finance: Any) -> None:
        reading = read_balance(psnb2b, by=finance, transport=Script((200, BALANCE)))
        snapshot = BalanceSnapshot.objects.get()
        assert (snapshot.currency, snapshot.available, snapshot.tier_name, snapshot.tier_discount_bp) == (
            "USD",
            125000,
            "Silver",
            250,
        )
        assert snapshot.request_id == uuid.UUID(reading.request_id) == Exchange.objects.get().request_id
        assert AuditEvent.objects.get(action="account.balance_read").facts["balance"] == "1,250.00 USD"

    def test_failed_reading_keeps_nothing(self, psnb2b: SupplierAccount) -> None:
        with pytest.raises(problems.NoAnswer):
            read_balance(psnb2b, transport=Script((500, {})))
        assert not BalanceSnapshot.objects.exists()

    @pytest.mark.requirement("R87")
    def test_changed_tier_is_announced_once(self, psnb2b: SupplierAccount) -> None:
        gold = {**BALANCE, "tier": {"name": "Gold", "discount_percent": "3"}}
        for answer in (BALANCE, BALANCE, gold, gold):
            read_balance(psnb2b, transport=Script((200, answer)))
        event = AuditEvent.objects.get(action="account.tier_changed")
        assert (event.facts["before"], event.facts["after"]) == ("Silver, 2.5 %", "Gold, 3 %")

    def test_every_currency_of_the_last_reading_is_shown(self, alpha: SupplierAccount) -> None:
        answer = {"balances": [{"currency": "USD", "available": "10"}, {"currency": "EUR", "available": "20"}]}
        read_balance(alpha, transport=Script((200, {"balances": [{"currency": "GBP", "available": "1"}]})))
        read_balance(alpha, transport=Script((200, answer)))
        assert [(one.currency, one.available) for one in queries.latest_balances(alpha)] == [
            ("EUR", 2000),
            ("USD", 1000),
        ]

    def test_support_may_not_read_it(self, psnb2b: SupplierAccount, support: Any) -> None:
        script = Script((200, BALANCE))
        with pytest.raises(NotAllowed):
            read_balance(psnb2b, by=support, transport=script)
        assert script.requests == []


class TestByItself:
    def test_one_reading_is_due_for_each_account_with_a_key_spread_in_time(self, alpha: SupplierAccount) -> None:
        make_account("psnb2b")
        connect(None, code="no-key")
        tasks.read_balances_task()
        due = list(DueWork.objects.order_by("due_at").values_list("kind", "due_at"))
        assert [kind for kind, _ in due] == ["account.balance"] * 2
        assert due[1][1] - due[0][1] == timedelta(seconds=15)

    def test_a_failing_supplier_is_tried_again_next_minute(self, psnb2b: SupplierAccount, settings: Any) -> None:
        settings.SUPPLIER_TRANSPORT = lambda account: Script(httpx.ConnectTimeout("x"))
        assert tasks.read_balance_task(str(psnb2b.pk)) is None
        assert tasks.read_balance_task(str(uuid.uuid4())) is None

    def test_refused_messages_go_after_ninety_days_and_others_stay(self, alpha: SupplierAccount) -> None:
        from procurement.suppliers.models import WebhookEvent

        with time_machine.travel(timezone.now() - timedelta(days=91)):
            for number, result in enumerate(["bad_signature", "applied"]):
                WebhookEvent.objects.create(
                    account=alpha, dedupe_key=str(number), result=result, body_sha256="", size=1
                )
        tasks.drop_old_refused_task()
        assert WebhookEvent.objects.get().result == "applied"
