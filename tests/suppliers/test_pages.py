"""Pages of supplier accounts and webhooks: who sees them, what is never in them, what their buttons do."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from django.test import Client
from django.urls import reverse

from procurement.suppliers.models import BalanceSnapshot, Exchange, SupplierAccount, WebhookEvent
from procurement.suppliers.receiving import mark_event_unmatched
from procurement.suppliers.services import read_balance
from procurement.work.models import DueWork
from tests.suppliers.conftest import HOOK_SECRETS, KEYS, Script
from tests.suppliers.test_webhooks import post, post_signed, psnb2b_message

pytestmark = pytest.mark.django_db
BALANCE = {"balance": "1250.00", "currency": "USD", "tier": {"name": "Silver", "discount_percent": "2.50"}}


def signed_in(person: Any) -> Client:
    client = Client()
    client.force_login(person)
    return client


def once_mark(client: Client, url: str, which: int = 0) -> str:
    return re.findall(r'name="once" value="([^"]+)"', client.get(url).content.decode())[which]


def url(name: str, account: SupplierAccount) -> str:
    return reverse(f"suppliers:{name}", args=[account.pk])


@pytest.fixture
def used(psnb2b: SupplierAccount) -> SupplierAccount:
    read_balance(psnb2b, transport=Script((200, BALANCE)))
    post_signed(psnb2b, psnb2b_message())
    post(psnb2b, psnb2b_message())
    return psnb2b


def every_page(account: SupplierAccount) -> list[str]:
    event, exchange = WebhookEvent.objects.earliest("received_at"), Exchange.objects.first()
    assert exchange is not None
    return [
        reverse("suppliers:account_list"),
        url("account_detail", account),
        reverse("suppliers:exchange_detail", args=[exchange.request_id]),
        reverse("suppliers:webhook_list"),
        reverse("suppliers:webhook_list") + "?view=refused&result=bad_signature&account=psnb2b&q=psb&day=2026-11-21",
        reverse("suppliers:webhook_detail", args=[event.pk]),
    ]


@pytest.mark.requirement("R100", "R63")
def test_no_page_shows_a_key_or_a_secret(used: SupplierAccount, admin: Any) -> None:
    client = signed_in(admin)
    pages = [*every_page(used), url("account_key", used), url("account_pause", used), reverse("suppliers:account_new")]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        for secret in (KEYS["psnb2b"], HOOK_SECRETS["psnb2b"]):
            assert secret not in answer.content.decode()


@pytest.mark.requirement("R63")
def test_nobody_without_the_permission_sees_or_does_anything(
    used: SupplierAccount, support: Any, outsider: Any
) -> None:
    for person in (support, outsider):
        client = signed_in(person)
        for page in every_page(used):
            assert client.get(page).status_code == 403
    for name in ("account_key", "account_pause", "account_resume", "account_balance"):
        assert signed_in(support).post(url(name, used)).status_code == 403
    for page in every_page(used):
        assert Client().get(page).status_code == 302
    used.refresh_from_db()
    assert used.state == "live"
    assert BalanceSnapshot.objects.count() == 1


def test_reader_sees_no_button_that_would_be_refused(used: SupplierAccount, auditor: Any) -> None:
    page = signed_in(auditor).get(url("account_detail", used)).content.decode()
    assert "Pause account" not in page
    assert used.hook_slug not in page
    assert "Rotate key" not in page


def test_account_page_answers_its_questions(used: SupplierAccount, admin: Any) -> None:
    page = signed_in(admin).get(url("account_detail", used)).content.decode()
    for words in ("1,250.00", "Silver", used.hook_slug, KEYS["psnb2b"][-4:], "balance.read", "In use"):
        assert words in page


@pytest.mark.requirement("R85", "R115")
def test_check_balance_button(used: SupplierAccount, buyer: Any, settings: Any) -> None:
    settings.SUPPLIER_TRANSPORT = lambda account: Script((200, {**BALANCE, "balance": "900.00"}))
    answer = signed_in(buyer).post(url("account_balance", used))
    assert (answer.status_code, answer["Location"]) == (303, url("account_detail", used))
    assert BalanceSnapshot.objects.latest("pk").available == 90000


def test_check_balance_of_a_silent_supplier_says_so(used: SupplierAccount, buyer: Any, settings: Any) -> None:
    settings.SUPPLIER_TRANSPORT = lambda account: Script(httpx.ReadTimeout("x"))
    answer = signed_in(buyer).post(url("account_balance", used))
    assert answer.status_code == 503
    assert "did not answer" in answer.content.decode()
    assert BalanceSnapshot.objects.count() == 1


class TestSettingAKey:
    def send(self, client: Client, account: SupplierAccount, kind: str, value: str) -> Any:
        mark = once_mark(client, url("account_key", account), 0 if kind == "api_key" else 1)
        return client.post(url("account_key", account), {"once": mark, "kind": kind, f"{kind}-value": value})

    @pytest.mark.requirement("R101", "R102")
    def test_tested_key_is_stored(self, used: SupplierAccount, admin: Any, settings: Any) -> None:
        settings.SUPPLIER_TRANSPORT = lambda account: Script((200, BALANCE))
        answer = self.send(signed_in(admin), used, "api_key", "sk_new_CANARY_77")
        assert answer.status_code == 303
        used.refresh_from_db()
        assert used.api_key_last4 == "Y_77"

    @pytest.mark.requirement("R100")
    def test_key_that_fails_is_not_stored_nor_shown_back(
        self, used: SupplierAccount, admin: Any, settings: Any
    ) -> None:
        settings.SUPPLIER_TRANSPORT = lambda account: Script((401, {"error": {"code": "unauthorized"}}))
        answer = self.send(signed_in(admin), used, "api_key", "sk_new_CANARY_77")
        assert answer.status_code == 422
        assert "refuses our key" in answer.content.decode()
        assert "CANARY_77" not in answer.content.decode()
        used.refresh_from_db()
        assert used.api_key_last4 == KEYS["psnb2b"][-4:]

    def test_webhook_secret_is_stored(self, used: SupplierAccount, admin: Any) -> None:
        assert self.send(signed_in(admin), used, "webhook", "whsec_new_CANARY_78").status_code == 303
        used.refresh_from_db()
        assert used.webhook_secret_last4 == "Y_78"
        assert used.webhook_previous_until is not None

    def test_nothing_entered_changes_nothing(self, used: SupplierAccount, admin: Any) -> None:
        for kind in ("api_key", "webhook"):
            assert self.send(signed_in(admin), used, kind, "").status_code == 422
        used.refresh_from_db()
        assert used.api_key_last4 == KEYS["psnb2b"][-4:]


@pytest.mark.requirement("R25")
def test_pause_and_resume(used: SupplierAccount, admin: Any) -> None:
    client = signed_in(admin)
    page = url("account_pause", used)
    assert client.post(page, {"once": once_mark(client, page), "reason": ""}).status_code == 422
    assert client.post(page, {"once": once_mark(client, page), "reason": "Stock count"}).status_code == 303
    assert "Stock count" in client.get(url("account_detail", used)).content.decode()
    used.refresh_from_db()
    assert used.state == "paused"
    page = url("account_resume", used)
    assert client.post(page, {"once": once_mark(client, page), "reason": ""}).status_code == 422
    used.refresh_from_db()
    assert used.state == "paused"
    assert client.post(page, {"once": once_mark(client, page), "reason": "They are back"}).status_code == 303
    used.refresh_from_db()
    assert used.state == "live"


def test_connecting_an_account_leads_to_its_keys(admin: Any) -> None:
    client = signed_in(admin)
    page = reverse("suppliers:account_new")
    data = {
        "name": "Alpha PSN",
        "code": "alpha",
        "dialect": "alpha",
        "environment": "sandbox",
        "base_url": "http://127.0.0.1:8300/alpha/v1",
        "settlement_currency": "USD",
    }
    wrong = client.post(page, {**data, "once": once_mark(client, page), "settlement_currency": "dollar"})
    assert wrong.status_code == 422
    assert not SupplierAccount.objects.exists()
    answer = client.post(page, {**data, "once": once_mark(client, page)})
    assert answer["Location"] == url("account_key", SupplierAccount.objects.get())


@pytest.mark.requirement("R56")
def test_registration_note(used: SupplierAccount, admin: Any) -> None:
    client = signed_in(admin)
    answer = client.post(reverse("suppliers:account_registration", args=[used.pk]), {"note": "Ticket 4711, registered"})
    assert answer.status_code == 303
    assert "Ticket 4711" in client.get(url("account_detail", used)).content.decode()


def test_first_account_has_an_empty_list_before_it(admin: Any) -> None:
    page = signed_in(admin).get(reverse("suppliers:account_list")).content.decode()
    assert "No supplier account is connected." in page


@pytest.mark.requirement("R108")
def test_an_account_is_named_with_its_environment(used: SupplierAccount, admin: Any) -> None:
    client, exchange = signed_in(admin), Exchange.objects.get()
    for page in (
        reverse("suppliers:account_list"),
        reverse("suppliers:webhook_list"),
        reverse("suppliers:exchange_detail", args=[exchange.request_id]),
    ):
        named = re.search(r'PSN:B2B(</a>)? <span class="tag">Sandbox</span>', client.get(page).content.decode())
        assert named, page


@pytest.mark.requirement("R49")
def test_webhook_log_says_what_was_refused_and_why(used: SupplierAccount, finance: Any) -> None:
    client = signed_in(finance)
    page = client.get(reverse("suppliers:webhook_list")).content.decode()
    assert "Bad signature" in page
    assert "1 event refused today" in page
    refused = WebhookEvent.objects.get(result="bad_signature")
    assert "Missing or wrong" in client.get(reverse("suppliers:webhook_detail", args=[refused.pk])).content.decode()


def test_admin_replays_an_unmatched_event(used: SupplierAccount, admin: Any, finance: Any) -> None:
    mark_event_unmatched(used.pk, "psb_1")
    DueWork.objects.all().delete()
    event = WebhookEvent.objects.get(result="order_not_found")
    detail, replay = (reverse(f"suppliers:webhook_{name}", args=[event.pk]) for name in ("detail", "replay"))
    assert "Look at the order again" not in signed_in(finance).get(detail).content.decode()
    assert signed_in(finance).post(replay).status_code == 403
    assert not DueWork.objects.exists()
    client = signed_in(admin)
    assert client.post(replay, {"once": once_mark(client, detail)}).status_code == 303
    assert DueWork.objects.get().kind == "order.hint"
