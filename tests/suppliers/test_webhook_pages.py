"""Pages of webhooks: the scheme in words, calibrating by two people, replay of several, export, and events that are late."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.suppliers import fallback
from procurement.suppliers.fallback import Waiting
from procurement.suppliers.models import CapturedDelivery, SupplierAccount, WebhookCalibration, WebhookEvent
from procurement.suppliers.receiving import mark_event_applied, mark_event_unmatched
from procurement.work.models import DueWork
from tests.conftest import make_person
from tests.suppliers.test_calibration import deliver
from tests.suppliers.test_pages import once_mark, signed_in
from tests.suppliers.test_webhooks import post, post_signed, psnb2b_message

pytestmark = pytest.mark.django_db


def page_of(account: SupplierAccount) -> str:
    return reverse("suppliers:account_webhooks", args=[account.pk])


def act(client: Client, account: SupplierAccount, name: str) -> Any:
    """Press a button as the page offers it, with the hidden fields of its form."""
    text = client.get(page_of(account)).content.decode()
    form = next((one for one in text.split("<form")[1:] if f'name="act" value="{name}"' in one), "")
    assert form, f"the page offers no {name}"
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', form.split("</form>")[0]))
    return followed(client, client.post(page_of(account), fields))


def followed(client: Client, answer: Any) -> Any:
    """The page a finished form leads to; the answer itself where it leads nowhere."""
    return client.get(answer["Location"]) if answer.status_code == 303 else answer


@pytest.mark.requirement("R47", "R56")
def test_two_administrators_calibrate_on_the_page(psnb2b: SupplierAccount, admin: Any) -> None:
    first, second = signed_in(admin), signed_in(make_person("abe_admin", "admin"))
    before = first.get(page_of(psnb2b)).content.decode()
    assert "no delivery has proven it yet" in before
    assert "the header X-PSNB2B-Signature" in before
    assert "How messages are checked has not changed" in act(first, psnb2b, "start").content.decode()
    too_few = act(first, psnb2b, "propose")
    assert too_few.status_code == 422
    assert "Not enough to tell schemes apart: 5 more deliveries" in too_few.content.decode()
    deliver(psnb2b)
    assert "Exactly one of" in act(first, psnb2b, "propose").content.decode()
    assert 'value="confirm"' not in first.get(page_of(psnb2b)).content.decode()
    assert "Confirmed. Messages are checked this way" in act(second, psnb2b, "confirm").content.decode()
    psnb2b.refresh_from_db()
    assert psnb2b.webhook_scheme["name"] == "x-psnb2b-signature"
    assert "Ada Admin proposed and Abe Admin confirmed" in first.get(page_of(psnb2b)).content.decode()
    assert not CapturedDelivery.objects.exists()


def test_others_read_the_scheme_and_change_nothing(psnb2b: SupplierAccount, finance: Any, outsider: Any) -> None:
    client = signed_in(finance)
    answer = client.get(page_of(psnb2b))
    assert answer.status_code == 200
    assert 'name="act"' not in answer.content.decode()
    assert psnb2b.hook_slug not in answer.content.decode()
    for name in ("start", "propose", "hints", "confirm", "stop"):
        assert client.post(page_of(psnb2b), {"act": name, "once": ""}).status_code >= 400
    assert signed_in(outsider).get(page_of(psnb2b)).status_code == 403
    assert not WebhookCalibration.objects.exists()


def test_stopping_says_what_stays(psnb2b: SupplierAccount, admin: Any) -> None:
    client = signed_in(admin)
    act(client, psnb2b, "start")
    deliver(psnb2b)
    assert "5 messages of at most 50 captured" in client.get(page_of(psnb2b)).content.decode()
    assert "the scheme is the same as before" in act(client, psnb2b, "stop").content.decode()
    assert not CapturedDelivery.objects.exists()


@pytest.mark.requirement("R58")
def test_all_that_was_not_applied_is_replayed_at_once(psnb2b: SupplierAccount, admin: Any, finance: Any) -> None:
    for number in (1, 2, 3):
        post_signed(psnb2b, psnb2b_message(order_id=f"psb_{number}"))
    post(psnb2b, psnb2b_message(order_id="psb_forged"))
    mark_event_unmatched(psnb2b.pk, "psb_2")
    mark_event_applied(psnb2b.pk, "psb_3")
    DueWork.objects.all().delete()
    log = reverse("suppliers:webhook_list") + "?view=waiting"
    assert "replay-waiting" not in signed_in(finance).get(log).content.decode()
    client = signed_in(admin)
    mark = once_mark(client, log)
    answer = followed(client, client.post(reverse("suppliers:webhook_replay_waiting"), {"once": mark}))
    assert "2 orders are being looked at again" in answer.content.decode()
    assert sorted(DueWork.objects.values_list("ref", flat=True)) == [f"{psnb2b.pk}:psb_1", f"{psnb2b.pk}:psb_2"]
    DueWork.objects.all().delete()
    assert signed_in(finance).post(reverse("suppliers:webhook_replay_waiting")).status_code == 403
    assert not DueWork.objects.exists()


@pytest.mark.requirement("R46", "R49")
def test_log_is_exported_with_its_checks(psnb2b: SupplierAccount, finance: Any) -> None:
    post_signed(psnb2b, psnb2b_message())
    post(psnb2b, psnb2b_message(order_id="psb_forged"))
    answer = signed_in(finance).get(reverse("suppliers:webhook_list") + "?format=csv")
    text = b"".join(answer.streaming_content if answer.streaming else [answer.content]).decode()  # type: ignore[attr-defined]
    assert "present secret" in text
    assert "Signature: Missing or wrong" in text
    assert "psb_forged" not in text


@pytest.mark.requirement("R54")
@pytest.mark.parametrize(
    ("minutes", "orders", "found", "words"),
    [
        (12, 4, 3, "PSN:B2B: no event for 12 min while 4 orders wait; polling found news of 3."),
        (12, 1, 0, "PSN:B2B: no event for 12 min while 1 order waits; polling found nothing new either."),
        (9, 4, 3, ""),
        (300, 2, 1, "PSN:B2B: no event for 5 h while 2 orders wait; polling found news of 1."),
    ],
)
def test_late_events_are_named(
    minutes: int,
    orders: int,
    found: int,
    words: str,
    psnb2b: SupplierAccount,
    finance: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = Waiting(timezone.now() - timedelta(minutes=minutes, seconds=5), orders, found)
    monkeypatch.setattr(fallback, "_counters", [lambda account, since: waiting])
    text = signed_in(finance).get(reverse("suppliers:webhook_list")).content.decode()
    assert (words in text) if words else ("no event for" not in text)
    post_signed(psnb2b, psnb2b_message())
    assert fallback.late_words() == []
    WebhookEvent.objects.update(received_at=timezone.now() - timedelta(days=3))
    assert bool(fallback.late_words()) is bool(words)


def test_late_words_are_silent_when_nothing_waits(psnb2b: SupplierAccount) -> None:
    assert fallback.late_words() == []
