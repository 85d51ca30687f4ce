"""A flood at a webhook address costs a counter: bounded memory, bounded rows, and others are not slowed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse

from procurement.suppliers import throttle
from procurement.suppliers.models import RefusedCount, SupplierAccount, WebhookEvent
from procurement.web.http import sender_of
from tests.suppliers.conftest import make_account
from tests.suppliers.test_webhooks import alpha_message, nothing_woke, post, post_signed, psnb2b_message

pytestmark = pytest.mark.django_db


@pytest.mark.requirement("R49")
def test_flood_at_one_address_is_counted_and_leaves_no_rows(
    psnb2b: SupplierAccount, alpha: SupplierAccount, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_LIMITS = {"address": (0.001, 5), "sender": (1000.0, 1000)}
    monkeypatch.setattr(throttle, "NOTE_EVERY", 0.0)
    answers = [post(psnb2b, b"{}").status_code for _ in range(25)]
    assert answers == [401] * 5 + [429] * 20
    assert post(alpha, alpha_message()).status_code == 200
    found = RefusedCount.objects.get(account=psnb2b)
    assert (found.count, found.throttled) == (5, 20)
    assert WebhookEvent.objects.filter(account=psnb2b).count() == 5


def test_genuine_message_in_a_flood_is_turned_away_unread(psnb2b: SupplierAccount, settings: Any) -> None:
    settings.WEBHOOK_LIMITS = {"address": (0.001, 1), "sender": (1000.0, 1000)}
    post(psnb2b, b"{}")
    answer = post_signed(psnb2b, psnb2b_message())
    assert (answer.status_code, answer.json()) == (429, {"taken": False})
    assert nothing_woke()


def test_the_first_message_finds_an_empty_bucket_whatever_the_time() -> None:
    times = [1_000.0 + number / 7 for number in range(500)]
    assert [throttle.Buckets().take("a", 0.001, 1, now) for now in times] == [True] * len(times)


def test_one_sender_is_stopped_at_every_address(psnb2b: SupplierAccount, settings: Any) -> None:
    settings.WEBHOOK_LIMITS = {"address": (1000.0, 1000), "sender": (0.001, 3)}
    client, url = Client(), reverse("suppliers:hook", args=[psnb2b.hook_slug])
    addresses = ["/hooks/a/", "/hooks/b/", url, url, "/hooks/c/"]
    codes = [client.post(one, b"{}", content_type="application/json").status_code for one in addresses]
    assert codes == [404, 404, 401, 429, 429]
    other = client.post(url, b"{}", content_type="application/json", REMOTE_ADDR="203.0.113.9")
    assert other.status_code == 401


@pytest.mark.parametrize(
    ("proxies", "told", "sender"),
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (2, "198.51.100.7, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "127.0.0.1"),
        (1, "", "127.0.0.1"),
    ],
)
def test_sender_behind_proxies_cannot_choose_its_address(proxies: int, told: str, sender: str, settings: Any) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert sender_of(RequestFactory().post("/", HTTP_X_FORWARDED_FOR=told)) == sender


def test_memory_is_bounded(settings: Any) -> None:
    for number in range(throttle.MOST_BUCKETS + 500):
        assert throttle.buckets.take(f"ip {number}", 1.0, 1, 0.0)
    assert len(throttle.buckets.tat) == throttle.MOST_BUCKETS


def test_bucket_fills_again(settings: Any) -> None:
    taken = [throttle.buckets.take("key", 2.0, 3, now) for now in (0.0, 0.0, 0.0, 0.0, 0.4, 0.5, 0.6, 9.0)]
    assert taken == [True, True, True, False, False, True, False, True]


def test_counts_are_written_once_a_second(psnb2b: SupplierAccount) -> None:
    other = make_account("alpha")
    for account in (psnb2b, other, other):
        throttle.turned.away(account.pk)
    assert throttle.turned.take_due(100.0) == {psnb2b.pk: 1, other.pk: 2}
    throttle.turned.away(other.pk)
    assert [throttle.turned.take_due(now) for now in (100.5, 101.0)] == [{}, {other.pk: 1}]
