"""Changing an account's address, limits and key window; and where an account is when nobody says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.suppliers import budget
from procurement.suppliers.clients import client_for, problems
from procurement.suppliers.clients.types import NotPlaced, Unknown
from procurement.suppliers.configuring import change_account, settings_of
from procurement.suppliers.key_window import key_window
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.services import create_account, pause_account, read_balance, set_webhook_secret
from procurement.suppliers.states import LIVE
from tests.suppliers.conftest import HOOK_SECRETS, KEYS, Script, make_account
from tests.suppliers.test_accounts import BALANCE
from tests.suppliers.test_pages import once_mark, signed_in
from tests.suppliers.test_webhooks import post_signed, psnb2b_message

pytestmark = pytest.mark.django_db
MOVED = "https://api2.psnb2b.example/v1"


@pytest.fixture
def account(db: None) -> SupplierAccount:
    return make_account("psnb2b", settings={"posting_lag_minutes": 20})


def change(account: SupplierAccount, by: Any, **changes: Any) -> bool:
    return change_account(by=by, account=account, **{**settings_of(account), "reason": "Agreed", **changes})


def stored(account: SupplierAccount) -> dict[str, Any]:
    return dict(SupplierAccount.objects.values().get(pk=account.pk))


@pytest.mark.requirement("R105")
def test_the_address_is_the_published_one_unless_another_is_given(admin: Any) -> None:
    details = {"by": admin, "dialect": "psnb2b", "settlement_currency": "USD"}
    usual = create_account(**details, code="a", name="A")
    other = create_account(**details, code="b", name="B", base_url="https://b.example/v1")
    assert (usual.base_url, other.base_url) == ("https://psnb2b.com/api/v1", "https://b.example/v1")


@pytest.mark.requirement("R105")
def test_the_form_leaves_the_address_to_the_supplier(admin: Any) -> None:
    client, url = signed_in(admin), reverse("suppliers:account_new")
    data = {"name": "P", "code": "p", "environment": "sandbox", "settlement_currency": "USD", "dialect": "alpha"}
    refused = client.post(url, {**data, "once": once_mark(client, url)})
    assert refused.status_code == 422
    assert not SupplierAccount.objects.exists()
    client.post(url, {**data, "dialect": "psnb2b", "once": once_mark(client, url)})
    assert SupplierAccount.objects.get().base_url == "https://psnb2b.com/api/v1"


def test_limits_and_key_window_change_with_a_reason_and_the_rest_stays(account: SupplierAccount, admin: Any) -> None:
    assert change(account, admin, orders=5, key_window_hours=12) is False
    assert account.settings["posting_lag_minutes"] == 20
    assert (budget.limit_for(account, budget.ORDERS).calls, key_window(account)) == (5, timedelta(hours=12))
    event = AuditEvent.objects.get(action="account.changed")
    assert event.reason == "Agreed"
    assert event.facts == {"what": "orders a minute from 10 to 5; key window from 6 h to 12 h"}


@pytest.mark.requirement("R39", "R40")
@pytest.mark.parametrize(
    "wrong",
    [
        {"calls": 61},
        {"calls": 0},
        {"orders": 11},
        {"orders": 0},
        {"polls": 61},
        {"key_window_hours": 25},
        {"key_window_hours": -1},
        {"base_url": "ftp://psnb2b.example/v1"},
        {"base_url": "https://psnb2b.example/v1?key=1"},
        {"reason": "  "},
        {},
    ],
)
def test_what_cannot_be_kept_is_refused(wrong: dict[str, Any], account: SupplierAccount, admin: Any) -> None:
    before = stored(account)
    with pytest.raises(Refused):
        change(account, admin, **wrong)
    assert stored(account) == before
    assert not AuditEvent.objects.filter(action="account.changed").exists()


def test_a_live_account_stays_on_https(admin: Any) -> None:
    live = make_account("psnb2b", environment="live")
    with pytest.raises(Refused, match="https"):
        change(live, admin, base_url="http://psnb2b.example/v1")
    assert SupplierAccount.objects.get().base_url == live.base_url


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(account: SupplierAccount, admin: Any) -> None:
    shown = settings_of(account)
    change(account, admin, orders=5)
    with pytest.raises(StaleState):
        change_account(by=admin, account=account, **{**shown, "calls": 30, "reason": "Agreed"})
    assert settings_of(SupplierAccount.objects.get())["calls"] == 58


def test_only_administrators_change_an_account(account: SupplierAccount, manager: Any, finance: Any) -> None:
    before = stored(account)
    for person in (manager, finance):
        with pytest.raises(NotAllowed):
            change(account, person, orders=1)
    assert stored(account) == before


def test_another_path_at_the_same_host_keeps_the_key(account: SupplierAccount, admin: Any) -> None:
    assert change(account, admin, base_url="https://psnb2b.example/v2/") is False
    script = Script((200, BALANCE))
    read_balance(account, transport=script)
    assert str(script.requests[0].url).startswith("https://psnb2b.example/v2/")


@pytest.mark.requirement("R103", "R105")
class TestAnotherHost:
    def test_it_is_taken_for_a_paused_account_only(self, account: SupplierAccount, admin: Any) -> None:
        before = stored(account)
        with pytest.raises(Refused, match="paused"):
            change(account, admin, base_url=MOVED)
        assert stored(account) == before

    def test_the_stored_key_is_forgotten_and_never_sent_there(self, account: SupplierAccount, admin: Any) -> None:
        pause_account(by=admin, account=account, reason="Moving")
        assert change(account, admin, base_url=MOVED) is True
        assert (account.base_url, account.has_key, account.api_key_last4) == (MOVED, False, "")
        script = Script((200, BALANCE))
        with pytest.raises(problems.KeyRefused):
            read_balance(account, transport=script)
        assert isinstance(client_for(account, script).place_order(b"{}"), NotPlaced)
        assert script.requests == []
        facts = AuditEvent.objects.get(action="account.changed").facts
        assert facts["what"].endswith(f"the API key ending {KEYS['psnb2b'][-4:]} was forgotten")

    def test_messages_signed_with_both_webhook_secrets_are_still_taken(
        self, account: SupplierAccount, admin: Any
    ) -> None:
        set_webhook_secret(by=admin, account=account, secret="whsec_second_0009")
        pause_account(by=admin, account=account, reason="Moving")
        change(account, admin, base_url=MOVED)
        opened = {name: secret.expose() for name, secret in account.open_webhook_secrets(timezone.now()).items()}
        assert opened == {"present secret": "whsec_second_0009", "previous secret": HOOK_SECRETS["psnb2b"]}
        post_signed(account, psnb2b_message())
        assert WebhookEvent.objects.get().result == "being_handled"

    def test_no_order_that_could_be_sent_again_goes_to_it(self, admin: Any) -> None:
        keyed = make_account("alpha", settings={})
        lost = Script(httpx.ReadTimeout("x"))
        assert isinstance(client_for(keyed, lost).place_order(b'{"idempotency_key":"k"}'), Unknown)
        pause_account(by=admin, account=keyed, reason="Moving")
        with pytest.raises(Refused, match="24 hours"):
            change(keyed, admin, base_url=MOVED)
        assert SupplierAccount.objects.get().has_key
        with time_machine.travel(timezone.now() + timedelta(hours=24, minutes=1)):
            assert change(keyed, admin, base_url=MOVED) is True


@pytest.mark.requirement("R105")
def test_the_settings_page_shows_and_changes(account: SupplierAccount, admin: Any, finance: Any) -> None:
    url = reverse("suppliers:account_settings", args=[account.pk])
    client = signed_in(admin)
    page = client.get(url).content.decode()
    assert 'value="https://psnb2b.example/v1"' in page
    assert signed_in(finance).get(url).status_code == 403
    data = {**settings_of(account), "orders": 11, "reason": "More"}
    assert client.post(url, {**data, "once": once_mark(client, url)}).status_code == 422
    assert client.post(url, {**data, "orders": 9, "once": once_mark(client, url)}).status_code == 303
    account.refresh_from_db()
    assert (account.settings["limits"]["orders"], account.state) == ({"calls": 9}, LIVE)
    detail = reverse("suppliers:account_detail", args=[account.pk])
    assert "orders a minute from 10 to 9" in client.get(detail).content.decode()


def test_the_page_leads_to_the_key_after_another_host(account: SupplierAccount, admin: Any) -> None:
    pause_account(by=admin, account=account, reason="Moving")
    url, client = reverse("suppliers:account_settings", args=[account.pk]), Client()
    client.force_login(admin)
    data = {**settings_of(account), "base_url": MOVED, "reason": "They moved", "once": once_mark(client, url)}
    keys = client.post(url, data)["Location"]
    assert keys == reverse("suppliers:account_key", args=[account.pk])
    page = client.get(keys).content.decode()
    assert "set the key for the new host" in page
    assert "No key is set" in page
