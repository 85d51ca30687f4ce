"""Schemes as data: which bytes are signed, and which settings would leave something unsigned."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from django.utils import timezone

from procurement.errors import Refused
from procurement.suppliers.models import SupplierAccount, WebhookEvent
from procurement.suppliers.schemes import in_words, read_scheme
from procurement.suppliers.signed import NotSignable, member_emptied, without_member
from procurement.work.models import DueWork
from tests.suppliers.conftest import HOOK_SECRETS
from tests.suppliers.test_webhooks import post, stamp

pytestmark = pytest.mark.django_db
BODY = {"location": "body", "name": "signature", "event_id": ""}
CUT, EMPTIED = "raw_body_without_member", "member_emptied"


def pin(account: SupplierAccount, **scheme: Any) -> None:
    SupplierAccount.objects.filter(pk=account.pk).update(webhook_scheme=read_scheme(scheme).model_dump(mode="json"))


def mac(signed: bytes, account: str = "alpha") -> str:
    return hmac.new(HOOK_SECRETS[account].encode(), signed, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("raw", "cut", "emptied"),
    [
        ('{"a":1,"signature":"x"}', '{"a":1}', '{"a":1,"signature":""}'),
        ('{"signature":"x","a":1}', '{"a":1}', '{"signature":"","a":1}'),
        ('{"a": 1, "signature" : "x", "b": 2}', '{"a": 1, "b": 2}', '{"a": 1, "signature" : "", "b": 2}'),
        ('{"signature":"x"}', "{}", '{"signature":""}'),
        ('{ "signature": "x" , "a": 50.00}\n', '{ "a": 50.00}\n', '{ "signature": "" , "a": 50.00}\n'),
        (
            '{"é":"\\u00e9","in":{"signature":"y"},"signature":"x"}',
            '{"é":"\\u00e9","in":{"signature":"y"}}',
            '{"é":"\\u00e9","in":{"signature":"y"},"signature":""}',
        ),
    ],
)
def test_member_is_cut_or_emptied_and_every_other_byte_stays(raw: str, cut: str, emptied: str) -> None:
    assert without_member(raw.encode(), "signature").decode() == cut
    assert member_emptied(raw.encode(), "signature").decode() == emptied


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b'"signature"',
        b"{}",
        b'{"a":1}',
        b'{"in":{"signature":"x"}}',
        b'{"signature":"x","signature":"x"}',
        b'{"signature":"x","\\u0073ignature":"y"}',
        b'{"signature":"x"} {}',
        b'{"signature":"x"',
        b'{"signature":"x",}',
        b'{"signature"}',
        b'{"signature":"\xff"}',
        b"{1:2}",
        b'{"signature":' + b"[" * 100_000,
    ],
)
def test_member_that_is_missing_or_doubled_signs_nothing(raw: bytes) -> None:
    for cut in (without_member, member_emptied):
        with pytest.raises(NotSignable):
            cut(raw, "signature")


@pytest.mark.requirement("R47", "R50")
@pytest.mark.parametrize("content", [CUT, EMPTIED])
def test_signature_over_the_bytes_around_it(content: str, alpha: SupplierAccount) -> None:
    pin(alpha, **BODY, prefix="sha256=", prefix_required=True, signed_content=content)
    text = f'{{ "order_id":"ord_1", "price": 50.00,"name":"Zoë \\u00e9","timestamp":"{stamp()}"'
    signed = text + ("}" if content == CUT else ', "signature": ""}')
    whole = f'{text}, "signature": "sha256={mac(signed.encode())}"}}'.encode()
    assert post(alpha, whole).status_code == 200
    for changed in (
        whole.replace(b"50.00", b"50.0"),
        whole.replace(b'{ "', b'{"'),
        whole.replace(b"\\u00e9", "é".encode()),
    ):
        assert post(alpha, changed).status_code == 401
    twice = whole.replace(b'"price"', b'"signature": "x", "price"')
    assert post(alpha, twice).status_code == 401
    assert DueWork.objects.count() == 1


FIELDS = ("order_id", "status", "timestamp", "amount", "note")


@pytest.mark.requirement("R47")
def test_signature_over_a_list_of_fields(alpha: SupplierAccount) -> None:
    pin(alpha, **BODY, signed_content="field_list", fields=FIELDS, encoding="base64")
    at = stamp()
    data = {"note": "a:b\\c", "amount": None, "order_id": "ord_1", "status": "completed", "timestamp": at}
    signed = ":".join(["ord_1", "completed", at.replace(":", "\\:"), "", "a\\:b\\\\c"]).encode()
    signature = base64.b64encode(bytes.fromhex(mac(signed))).decode()
    assert post(alpha, json.dumps({**data, "signature": signature, "unsigned": 5}).encode()).status_code == 200
    for change in ({"status": "failed"}, {"order_id": "ord_2"}, {"note": {"a": 1}}, {"note": "a", "amount": "b\\c"}):
        assert post(alpha, json.dumps({**data, **change, "signature": signature}).encode()).status_code == 401
    assert DueWork.objects.count() == 1


@pytest.mark.requirement("R48", "R53")
def test_standard_webhooks_sign_id_time_and_body(psnb2b: SupplierAccount) -> None:
    pin(
        psnb2b, location="header", name="webhook-signature", prefix="v1,", prefix_required=True, encoding="base64",
        template="{id}.{timestamp}.{body}", event_id_location="header", event_id="webhook-id",
        timestamp={"location": "header", "name": "webhook-timestamp", "format": "unix_s"},
    )  # fmt: skip
    at, raw = str(int(timezone.now().timestamp())), b'{"order_id":"psb_1","status":"paid"}'

    def send(event_id: str, signed_id: str = "msg_1", sent_at: str = at) -> int:
        digest = bytes.fromhex(mac(f"{signed_id}.{at}.".encode() + raw, "psnb2b"))
        headers = {"webhook-id": event_id, "webhook-timestamp": sent_at}
        return int(
            post(psnb2b, raw, **headers, **{"webhook-signature": "v1," + base64.b64encode(digest).decode()}).status_code
        )

    assert [send("msg_1"), send("msg_1")] == [200, 200]
    assert [send("msg_2"), send(""), send("msg_1", sent_at=str(int(at) + 1)), send("é", "é")] == [401] * 4
    event = WebhookEvent.objects.get(result="being_handled")
    assert (event.event_id, event.duplicates, event.signed_by) == ("msg_1", 1, "present secret")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({**BODY, "signed_content": "raw_body"}, "cannot sign the body it stands in"),
        ({"location": "header", "name": "X", "signed_content": CUT}, "no member to cut"),
        (
            {"location": "header", "name": "X", "timestamp": {"location": "header", "name": "T"}},
            "must be in the template",
        ),
        (
            {"location": "header", "name": "X", "event_id_location": "header", "event_id": "I"},
            "must be in the template",
        ),
        ({"location": "header", "name": "X", "event_id": "", "template": "{id}.{body}"}, "no event id"),
        ({"location": "header", "name": "X", "template": "{timestamp}"}, "must hold"),
        ({"location": "header", "name": "X", "template": "{body}{body}"}, "must hold"),
        ({"location": "header", "name": "X", "template": "{key}.{body}"}, "must hold"),
        ({"location": "header", "name": "X", "template": "{body}}"}, "must hold"),
        ({**BODY, "signed_content": "field_list", "fields": ["order_id", "timestamp"]}, "leaves status unsigned"),
        ({**BODY, "signed_content": "field_list", "fields": [*FIELDS, "signature"]}, "names the signature itself"),
        ({"location": "header", "name": "X", "trust": "verified_may_advance"}, "trust"),
    ],
)
def test_scheme_that_leaves_something_unsigned_is_refused(wrong: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        read_scheme(wrong)


@pytest.mark.requirement("R47", "R49")
def test_without_a_scheme_a_message_is_a_hint_and_never_evidence(alpha: SupplierAccount) -> None:
    SupplierAccount.objects.filter(pk=alpha.pk).update(webhook_scheme={})
    for raw in (b'{"order_id":"ord_1","status":"completed"}', b'{"order_id":5.5}', b"not json"):
        assert post(alpha, raw).status_code == 200
    assert sorted(WebhookEvent.objects.values_list("result", flat=True)) == ["error", "error", "unverified"]
    assert DueWork.objects.get().ref == f"{alpha.pk}:ord_1"
    assert not WebhookEvent.objects.exclude(signed_by="").exists()


def test_scheme_is_read_out_in_words(alpha: SupplierAccount) -> None:
    words = dict(in_words(read_scheme(alpha.webhook_scheme)))
    assert words["Signature"] == "HMAC-SHA256 in the member signature of the body, hex, always after “sha256=”"
    assert words["Signs"].startswith("{timestamp}.{body}, where {body} is the body without signature")
