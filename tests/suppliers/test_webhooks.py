"""Webhooks in: only a genuine, fresh and new message wakes an order; everything is kept, nothing else changes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from procurement.errors import NotAllowed, Refused
from procurement.suppliers import receiving
from procurement.suppliers.models import RefusedCount, SupplierAccount, WebhookEvent
from procurement.suppliers.queries import event_body, unmatched_events
from procurement.suppliers.receiving import mark_event_applied, mark_event_unmatched, replay_event
from procurement.suppliers.schemes import read_scheme
from procurement.suppliers.services import set_webhook_secret
from procurement.work.models import DueWork
from tests.suppliers.conftest import HOOK_SECRETS, make_account

pytestmark = pytest.mark.django_db


def stamp(seconds_ago: float = 0) -> str:
    return (timezone.now() - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def alpha_message(seconds_ago: float = 0, secret: str = HOOK_SECRETS["alpha"], **fields: Any) -> bytes:
    data = {
        "event": "order.fulfilled",
        "event_id": "evt_1",
        "order_id": "ord_1",
        "status": "completed",
        "timestamp": stamp(seconds_ago),
        **fields,
    }
    body = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    signed = f"{data['timestamp']}.{body}".encode()
    signature = "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    return json.dumps({**data, "signature": signature}).encode()


def psnb2b_message(seconds_ago: float = 0, **fields: Any) -> bytes:
    data = {
        "event": "order.status_changed",
        "order_id": "psb_1",
        "status": "delivered",
        "timestamp": stamp(seconds_ago),
    }
    return json.dumps({**data, **fields}).encode()


def sign(raw: bytes, secret: str = HOOK_SECRETS["psnb2b"]) -> str:
    return hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()


def post(account: SupplierAccount, raw: bytes, content_type: str = "application/json", **headers: str) -> Any:
    url = reverse("suppliers:hook", args=[account.hook_slug])
    return Client(enforce_csrf_checks=True).post(url, raw, content_type=content_type, headers=headers)


def post_signed(account: SupplierAccount, raw: bytes) -> Any:
    return post(account, raw, **{"X-PSNB2B-Signature": sign(raw)})


def nothing_woke() -> bool:
    return not DueWork.objects.exists()


def test_a_message_without_tls_is_refused_and_not_redirected(psnb2b: SupplierAccount, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True

    answer = post_signed(psnb2b, psnb2b_message())

    assert (answer.status_code, answer.json()) == (403, {"taken": False})
    assert nothing_woke()
    assert not WebhookEvent.objects.exists()


@pytest.mark.requirement("R46", "R50", "R55")
def test_genuine_alpha_message_wakes_its_order(alpha: SupplierAccount) -> None:
    answer = post(alpha, alpha_message(), **{"User-Agent": "alpha/1"})
    assert (answer.status_code, answer.json()) == (200, {"taken": True})
    event = WebhookEvent.objects.get()
    assert (event.event_type, event.event_id, event.remote_order_id) == ("order.fulfilled", "evt_1", "ord_1")
    assert (event.remote_status, event.result) == ("completed", "being_handled")
    assert [check["name"] for check in event.checks] == ["Signature", "Time"]
    work = DueWork.objects.get()
    assert (work.kind, work.ref) == ("order.hint", f"{alpha.pk}:ord_1")


@pytest.mark.requirement("R51", "R52")
@pytest.mark.parametrize("prefix", ["", "sha256="])
def test_genuine_psnb2b_message_wakes_its_order(prefix: str, psnb2b: SupplierAccount) -> None:
    raw = psnb2b_message()
    assert post(psnb2b, raw, **{"X-PSNB2B-Signature": prefix + sign(raw)}).status_code == 200
    event = WebhookEvent.objects.get()
    assert (event.remote_order_id, event.remote_status) == ("psb_1", "delivered")
    assert sign(raw) not in json.dumps(event.headers)
    assert DueWork.objects.get().ref == f"{psnb2b.pk}:psb_1"


@pytest.mark.parametrize("name", ["Zoë – ünïcode", "tab\there", 'quote"\\', "🎮"])
def test_signature_holds_for_text_of_any_kind(name: str, alpha: SupplierAccount) -> None:
    assert post(alpha, alpha_message(name=name, amounts=[1, "50.00", None, True, {"b": 1, "a": 2}])).status_code == 200


@pytest.mark.requirement("R47", "R50")
@pytest.mark.parametrize(
    "change",
    [
        {"signature": ...},
        {"signature": ""},
        {"signature": None},
        {"signature": 5},
        {"signature": ["sha256=00"]},
        {"signature": "sha256="},
        {"signature": "sha256=" + "0" * 64},
        {"signature": "md5=" + "0" * 32},
        {"signature": "sha256=ünicode"},
        {"signature": "sha256=" + "g" * 64},
        {"order_id": "ord_2"},
        {"status": "refunded"},
        {"extra": 1},
        {"timestamp": "2026-01-01T00:00:00Z"},
    ],
)
def test_changed_alpha_message_is_refused_and_changes_nothing(change: dict[str, Any], alpha: SupplierAccount) -> None:
    data = json.loads(alpha_message())
    data = {name: value for name, value in {**data, **change}.items() if value is not ...}
    answer = post(alpha, json.dumps(data).encode())
    assert (answer.status_code, answer.json()) == (401, {"taken": False})
    assert WebhookEvent.objects.get().result == "bad_signature"
    assert nothing_woke()


@pytest.mark.requirement("R50")
def test_alpha_signature_without_its_prefix_is_refused(alpha: SupplierAccount) -> None:
    data = json.loads(alpha_message())
    data["signature"] = data["signature"].removeprefix("sha256=")
    assert post(alpha, json.dumps(data).encode()).status_code == 401
    assert nothing_woke()


@pytest.mark.requirement("R47", "R51")
@pytest.mark.parametrize(
    "signature", ["", "0" * 64, "sha256=" + "0" * 64, "é" * 20, "x" * 5000, "sha256=sha256=" + "0" * 64]
)
def test_wrong_header_signature_is_refused_and_changes_nothing(signature: str, psnb2b: SupplierAccount) -> None:
    answer = post(psnb2b, psnb2b_message(), **{"X-PSNB2B-Signature": signature})
    assert answer.status_code == 401
    assert nothing_woke()


def test_signature_made_with_another_accounts_secret_is_refused(psnb2b: SupplierAccount) -> None:
    other = make_account("psnb2b", code="second", name="Second")
    set_webhook_secret(by=None, account=other, secret="another-secret-0001")
    raw = psnb2b_message()
    assert post(other, raw, **{"X-PSNB2B-Signature": sign(raw)}).status_code == 200  # seven days of overlap
    SupplierAccount.objects.filter(pk=other.pk).update(webhook_previous_sealed=b"", webhook_previous_until=None)
    raw = psnb2b_message(status="paid")
    assert post(other, raw, **{"X-PSNB2B-Signature": sign(raw)}).status_code == 401


def test_account_without_a_secret_takes_nothing(psnb2b: SupplierAccount) -> None:
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(webhook_secret_sealed=b"")
    raw = psnb2b_message()
    for secret in (HOOK_SECRETS["psnb2b"], ""):
        assert post(psnb2b, raw, **{"X-PSNB2B-Signature": sign(raw, secret)}).status_code == 401
    assert nothing_woke()


@pytest.mark.requirement("R102")
def test_secret_before_is_valid_for_seven_days_and_no_longer(psnb2b: SupplierAccount) -> None:
    set_webhook_secret(by=None, account=psnb2b, secret="brand-new-secret-0009")
    old, new = psnb2b_message(status="paid"), psnb2b_message(status="delivered")
    assert post_signed(psnb2b, old).status_code == 200
    assert post(psnb2b, new, **{"X-PSNB2B-Signature": sign(new, "brand-new-secret-0009")}).status_code == 200
    said = sorted(event.checks[0]["outcome"] for event in WebhookEvent.objects.all())
    assert said == ["Fits the present secret", "Fits the previous secret"]
    assert psnb2b.webhook_previous_until is not None
    assert psnb2b.webhook_previous_until <= timezone.now() + timedelta(days=7)
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(webhook_previous_until=timezone.now() - timedelta(seconds=1))
    assert post_signed(psnb2b, psnb2b_message(status="failed")).status_code == 401


@pytest.mark.requirement("R48")
@pytest.mark.parametrize(("age", "status"), [(0, 200), (290, 200), (310, 401), (90_000, 401), (-290, 200), (-310, 401)])
def test_alpha_message_older_than_five_minutes_is_refused(age: int, status: int, alpha: SupplierAccount) -> None:
    assert post(alpha, alpha_message(age)).status_code == status
    assert WebhookEvent.objects.get().result == ("being_handled" if status == 200 else "too_old")
    assert nothing_woke() is (status == 401)


@pytest.mark.requirement("R48", "R53")
@pytest.mark.parametrize(("age", "status"), [(86_400, 200), (87_000, 401), (-310, 401)])
def test_psnb2b_repeats_for_a_day_so_its_event_may_be_that_old(age: int, status: int, psnb2b: SupplierAccount) -> None:
    assert post_signed(psnb2b, psnb2b_message(age)).status_code == status


@pytest.mark.parametrize("written", ["", "yesterday", "2026-11-21T09:00:00", 1763700000, None, "9" * 40])
def test_time_that_cannot_be_read_is_refused(written: Any, psnb2b: SupplierAccount) -> None:
    assert post_signed(psnb2b, psnb2b_message(timestamp=written)).status_code == 401
    assert WebhookEvent.objects.get().result == "too_old"
    assert nothing_woke()


@pytest.mark.requirement("R53", "R49")
def test_repeated_message_is_counted_and_does_nothing_again(psnb2b: SupplierAccount, alpha: SupplierAccount) -> None:
    raw = psnb2b_message()
    for _ in range(4):
        assert post_signed(psnb2b, raw).status_code == 200
    for _ in range(3):  # the same event, sent anew with a new time
        assert post(alpha, alpha_message(random.Random(1).randint(1, 200))).status_code == 200
    assert sorted(WebhookEvent.objects.values_list("account__code", "duplicates")) == [("alpha", 2), ("psnb2b", 3)]
    assert DueWork.objects.count() == 2


@pytest.mark.requirement("R47")
def test_forgery_cannot_take_the_place_of_the_real_event(alpha: SupplierAccount) -> None:
    assert post(alpha, alpha_message(secret="wrong-secret")).status_code == 401
    assert post(alpha, alpha_message()).status_code == 200
    assert DueWork.objects.count() == 1


@pytest.mark.requirement("R49")
def test_refused_rows_are_bounded_and_still_counted(psnb2b: SupplierAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receiving, "REFUSED_ROWS_A_DAY", 5)
    for _ in range(12):
        assert post(psnb2b, b"x" * 5000).status_code == 401
    assert WebhookEvent.objects.count() == 5
    assert RefusedCount.objects.get().count == 12
    assert all(len(bytes(event.body_sealed)) < 2048 + 100 for event in WebhookEvent.objects.all())


def test_signed_rubbish_is_kept_and_not_sent_again(psnb2b: SupplierAccount) -> None:
    for raw in (b"not json", b"[]", b'"x"', b"{", b"\xff\xfe", b'{"order_id":"a","order_id":"b"}', b"[" * 5000):
        assert post_signed(psnb2b, raw).status_code == 200
    assert set(WebhookEvent.objects.values_list("result", flat=True)) == {"error"}
    assert nothing_woke()


@pytest.mark.parametrize("order_id", [None, "", "two words", 5.5, {"a": 1}, "x" * 91, "nul\u0000", "ünï"])
def test_signed_message_without_an_order_is_an_error(order_id: Any, psnb2b: SupplierAccount) -> None:
    assert post_signed(psnb2b, psnb2b_message(order_id=order_id)).status_code == 200
    assert WebhookEvent.objects.get().result == "error"
    assert nothing_woke()


def test_longest_order_id_fits_the_reference_of_its_work(psnb2b: SupplierAccount) -> None:
    assert post_signed(psnb2b, psnb2b_message(order_id="x" * 90)).status_code == 200
    assert len(DueWork.objects.get().ref) <= (DueWork._meta.get_field("ref").max_length or 0)


def test_size_type_method_and_address_are_checked_before_reading(psnb2b: SupplierAccount) -> None:
    url = reverse("suppliers:hook", args=[psnb2b.hook_slug])
    client = Client(enforce_csrf_checks=True)
    answers = [
        (client.get(url), 405),
        (client.put(url, b"{}", content_type="application/json"), 405),
        (client.post("/hooks/not-a-slug/", b"{}", content_type="application/json"), 404),
        (client.post(url, b"{}", content_type="text/plain"), 415),
        (client.post(url, {"a": "b"}), 415),
        (client.post(url, b"x" * (256 * 1024 + 1), content_type="application/json"), 413),
        (client.generic("POST", url, b"{}", content_type="application/json", CONTENT_LENGTH=""), 411),
        (client.generic("POST", url, b"{}", content_type="application/json", CONTENT_LENGTH="-5"), 411),
    ]
    for answer, status in answers:
        assert (answer.status_code, answer.json()) == (status, {"taken": False})
        assert "Set-Cookie" not in answer.headers
    assert set(WebhookEvent.objects.values_list("result", flat=True)) == {"error"}
    assert nothing_woke()


@pytest.mark.requirement("R62")
def test_stored_message_is_sealed_and_shown_without_codes(psnb2b: SupplierAccount) -> None:
    raw = psnb2b_message(codes=[{"code": "TST0-CANA-RY99"}], signature="sha256=CANARY")
    post_signed(psnb2b, raw)
    event = WebhookEvent.objects.get()
    assert b"CANA" not in bytes(event.body_sealed)
    assert "CANA" not in event_body(event)
    assert "psb_1" in event_body(event)


@pytest.mark.requirement("R58")
def test_event_of_an_unknown_order_is_kept_and_matched_later(psnb2b: SupplierAccount) -> None:
    post_signed(psnb2b, psnb2b_message())
    now = timezone.now()
    assert mark_event_unmatched(psnb2b.pk, "psb_1") == 1
    assert unmatched_events(psnb2b.pk, now - timedelta(hours=1), now + timedelta(hours=1)).count() == 1
    assert mark_event_applied(psnb2b.pk, "psb_1", note="Delivered") == 1
    event = WebhookEvent.objects.get()
    assert (event.result, event.result_note) == ("applied", "Delivered")
    assert event.applied_at is not None


class TestReplay:
    def test_admin_replays_what_was_not_applied(self, psnb2b: SupplierAccount, admin: Any) -> None:
        post_signed(psnb2b, psnb2b_message())
        mark_event_unmatched(psnb2b.pk, "psb_1")
        DueWork.objects.all().delete()
        replay_event(by=admin, event=WebhookEvent.objects.get())
        assert DueWork.objects.count() == 1

    def test_refused_and_applied_events_cannot_be_replayed(self, psnb2b: SupplierAccount, admin: Any) -> None:
        post(psnb2b, psnb2b_message())
        post_signed(psnb2b, psnb2b_message())
        mark_event_applied(psnb2b.pk, "psb_1")
        DueWork.objects.all().delete()
        for event in WebhookEvent.objects.all():
            with pytest.raises(Refused):
                replay_event(by=admin, event=event)
        assert nothing_woke()

    def test_others_may_not(self, psnb2b: SupplierAccount, finance: Any) -> None:
        post_signed(psnb2b, psnb2b_message())
        DueWork.objects.all().delete()
        with pytest.raises(NotAllowed):
            replay_event(by=finance, event=WebhookEvent.objects.get())
        assert nothing_woke()


STAMPED, AT = "{timestamp}.{body}", {"location": "header", "name": "X-At"}
SCHEMES: list[dict[str, Any]] = [
    {"location": "header", "name": "X-Sig", "encoding": "base64"},
    {"location": "header", "name": "X-Sig", "template": STAMPED, "timestamp": {**AT, "format": "unix_s"}},
    {"location": "header", "name": "X-Sig", "template": STAMPED, "timestamp": {**AT, "format": "unix_ms"}},
    {"location": "header", "name": "X-Sig", "secret_encoding": "hex", "prefix": "v1,", "prefix_required": True},
]  # fmt: skip


@pytest.mark.parametrize("scheme", SCHEMES)
def test_other_schemes_are_data_not_code(scheme: dict[str, Any], psnb2b: SupplierAccount) -> None:
    found = read_scheme(scheme)
    secret = "00112233445566778899aabbccddeeff"
    set_webhook_secret(by=None, account=psnb2b, secret=secret)
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(webhook_scheme=found.model_dump())
    at = str(int(timezone.now().timestamp() * (1000 if found.timestamp.format == "unix_ms" else 1)))
    raw = psnb2b_message()
    signed = f"{at}.".encode() + raw if found.template != "{body}" else raw
    key = bytes.fromhex(secret) if found.secret_encoding == "hex" else secret.encode()
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode() if found.encoding == "base64" else digest.hex()
    assert post(psnb2b, raw, **{"X-Sig": found.prefix + signature, "X-At": at}).status_code == 200
    assert post(psnb2b, raw + b" ", **{"X-Sig": found.prefix + signature, "X-At": at}).status_code == 401


def test_scheme_with_a_wrong_setting_is_refused_by_name() -> None:
    for wrong in (
        {"location": "cookie", "name": "x"},
        {"location": "body"},
        {"location": "body", "name": "x", "more": 1},
    ):
        with pytest.raises(Refused, match=r"location|name|more"):
            read_scheme(wrong)


def mutations(raw: bytes, count: int, seed: int) -> list[bytes]:
    """`count` different hostile variations of a genuine message."""
    chance = random.Random(seed)
    text = raw.decode()
    pieces = [
        b"",
        b"\x00",
        b"\xff",
        b"{",
        b"}",
        b'"',
        b"[" * 200,
        b"1e999",
        b"NaN",
        b"9" * 5000,
        b"\xed\xa0\x80",
        b"null",
        b",",
    ]
    found: set[bytes] = set()
    while len(found) < count:
        kind, at = chance.randrange(7), chance.randrange(len(raw))
        if kind == 0:
            found.add(raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :])
        elif kind == 1:
            found.add(raw[:at] + chance.choice(pieces) + raw[at:])
        elif kind == 2:
            found.add(raw[:at])
        elif kind == 3:
            found.add(raw[:at] + raw[at + chance.randrange(1, 20) :])
        elif kind == 4:
            found.add(chance.randbytes(chance.randrange(0, 400)))
        elif kind == 5:
            data = json.loads(text)
            data[chance.choice(list(data))] = chance.choice(
                [None, 5, -1, [], {}, "x" * 3000, "\u202e", True, [[[]]], {"a": {}}]
            )
            found.add(json.dumps(data).encode())
        else:
            found.add(text.replace('"', chance.choice(["'", "“", '\\"', '""']), chance.randrange(1, 9)).encode())
    return [variation for variation in sorted(found) if variation != raw]


@pytest.mark.requirement("R47", "R49")
@pytest.mark.parametrize("dialect", ["alpha", "psnb2b"])
def test_hostile_messages_never_break_the_receiver_nor_wake_an_order(
    dialect: str, request: pytest.FixtureRequest
) -> None:
    """Several hundred variations: no answer of 500 or above, no forgery taken, and every one is counted."""
    account = request.getfixturevalue(dialect)
    raw = alpha_message() if dialect == "alpha" else psnb2b_message()
    genuine = sign(raw)
    corpus = mutations(raw, 400, seed=7)
    for variation in corpus:
        answer = post(account, variation, **{"X-PSNB2B-Signature": genuine})
        # A variation of an alpha message may be the same message written with other white space.
        same = dialect == "alpha" and answer.status_code == 200
        assert answer.status_code in {401, 411} or (same and json.loads(variation) == json.loads(raw)), variation
    taken = WebhookEvent.objects.filter(result="being_handled").count()
    assert taken == DueWork.objects.count() <= (dialect == "alpha")
    repeated = sum(WebhookEvent.objects.values_list("duplicates", flat=True))
    assert RefusedCount.objects.get().count + taken + repeated == len(corpus)


@pytest.mark.requirement("R49")
def test_signed_hostile_messages_never_break_the_receiver(psnb2b: SupplierAccount) -> None:
    """Somebody who holds the secret and sends rubbish: still no answer of 500 or above."""
    for variation in mutations(psnb2b_message(), 400, seed=11):
        assert post_signed(psnb2b, variation).status_code in {200, 401, 411}


def test_a_nul_in_a_header_is_refused_and_kept_as_a_mark(psnb2b: SupplierAccount) -> None:
    answer = post(psnb2b, psnb2b_message(), **{"X-PSNB2B-Signature": "\x00", "User-Agent": "a\x00b"})
    event = WebhookEvent.objects.get()
    assert (answer.status_code, event.result) == (401, "bad_signature")
    assert (event.headers["User-Agent"], event.headers["X-PSNB2B-Signature"]) == ("a\ufffdb", "\ufffd…")
    assert nothing_woke()
