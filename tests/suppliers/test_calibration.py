"""Calibration: deliveries prove which one scheme a supplier signs with; two people change it; nothing else ever does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from procurement.audit.models import AuditEvent
from procurement.errors import NotAllowed, Refused, StaleState
from procurement.suppliers import receiving
from procurement.suppliers.calibrating import (
    captured,
    confirm_scheme,
    last_pinned,
    open_calibration,
    propose_hints_only,
    propose_scheme,
    start_calibration,
    stop_calibration,
)
from procurement.suppliers.calibration import Delivery, calibrate
from procurement.suppliers.models import CapturedDelivery, SupplierAccount, WebhookCalibration, WebhookEvent
from procurement.suppliers.receiving import capture
from procurement.vault import Secret
from procurement.work.models import DueWork
from tests.conftest import make_person
from tests.suppliers.conftest import HOOK_SECRETS
from tests.suppliers.test_webhooks import post, psnb2b_message, sign, stamp

pytestmark = pytest.mark.django_db
SECRET = "whsec_calibration_0001"
Signer = Callable[[dict[str, Any], str], tuple[dict[str, str], bytes]]


def mac(signed: bytes) -> bytes:
    return hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()


def facts(number: int, at: str) -> dict[str, Any]:
    return {
        "event": "order.status_changed",
        "event_id": f"e{number}",
        "order_id": f"o{number}",
        "status": "paid",
        "timestamp": at,
    }


def body_of(data: dict[str, Any], number: int) -> str:
    """A body with something of everything, written as no serialiser of ours would."""
    extra = ', "price": 50.00' if number % 2 else ', "name": "Zo\\u00eb Größe"'
    return json.dumps(data)[:-1] + extra + "}"


def in_header(data: dict[str, Any], body: str) -> tuple[dict[str, str], bytes]:
    return {"X-Sig": mac(body.encode()).hex(), "Host": "us"}, body.encode()


def in_header_base64_stamped(data: dict[str, Any], body: str) -> tuple[dict[str, str], bytes]:
    at = str(int(datetime.fromisoformat(data["timestamp"]).timestamp()))
    digest = base64.b64encode(mac(f"{data['event_id']}.{at}.{body}".encode())).decode()
    return {"Sig": "v1," + digest, "Sent-At": at, "webhook-id": data["event_id"]}, body.encode()


def cut_out(data: dict[str, Any], body: str) -> tuple[dict[str, str], bytes]:
    return {}, f'{body[:-1]}, "signature": "sha256={mac(body.encode()).hex()}"}}'.encode()


def emptied(data: dict[str, Any], body: str) -> tuple[dict[str, str], bytes]:
    whole = f'{body[:-1]}, "hmac": ""}}'
    return {}, whole.replace('"hmac": ""', f'"hmac": "{mac(whole.encode()).hex()}"').encode()


def canonical(data: dict[str, Any], body: str) -> tuple[dict[str, str], bytes]:
    parts = sorted(f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=False)}" for name, value in data.items())
    signed = "{" + ",".join(parts) + "}"
    return {}, f'{{ {json.dumps(data)[1:-1]}, "signature": "{mac(signed.encode()).hex()}" }}'.encode()


def signed_by(signer: Signer, count: int = 5, plain: bool = False) -> list[Delivery]:
    """`count` deliveries, the last the first one sent again."""
    found = []
    for number in [*range(count - 1), 0]:
        data = facts(number, stamp(10))
        body = json.dumps(data) if plain else body_of(data, number)
        headers, raw = signer(data, body)
        found.append(Delivery({name.lower(): value for name, value in headers.items()}, raw, timezone.now()))
    return found


@pytest.mark.requirement("R50", "R51")
@pytest.mark.parametrize(
    ("signer", "wanted"),
    [
        (
            in_header,
            {
                "location": "header",
                "name": "x-sig",
                "signed_content": "raw_body",
                "template": "{body}",
                "encoding": "hex",
            },
        ),
        (
            in_header_base64_stamped,
            {
                "prefix": "v1,",
                "encoding": "base64",
                "template": "{id}.{timestamp}.{body}",
                "signed_content": "raw_body",
            },
        ),
        (
            cut_out,
            {
                "location": "body",
                "prefix": "sha256=",
                "prefix_required": True,
                "signed_content": "raw_body_without_member",
            },
        ),
        (emptied, {"location": "body", "name": "hmac", "signed_content": "member_emptied"}),
    ],
)
def test_one_scheme_of_all_fits(signer: Signer, wanted: dict[str, Any]) -> None:
    found = calibrate(signed_by(signer), {"present secret": Secret(SECRET)}, "psnb2b")
    assert found.scheme is not None, found.sentence
    assert {name: getattr(found.scheme, name) for name in wanted} == wanted
    assert found.tried > 20
    assert "Exactly one" in found.sentence


def test_rewritten_body_is_told_from_the_body_as_it_came() -> None:
    deliveries = []
    for number in (0, 1, 2, 3, 0):
        data = {**facts(number, stamp(10)), "name": "Zoë"}
        headers, raw = canonical(data, "")
        deliveries.append(Delivery(headers, raw, timezone.now()))
    found = calibrate(deliveries, {"s": Secret(SECRET)}, "alpha")
    assert [one.signed_content for one in found.fitting] == ["canonical_without_member"]
    assert found.missing == ["one with a number that has decimals"]
    assert found.scheme is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda found: found[:4], "more deliveries"),
        (lambda found: found, ""),
        (lambda found: signed_by(in_header, plain=True), "decimals"),
        (lambda found: signed_by(in_header)[:4] + signed_by(in_header, 6)[4:5], "sent twice"),
    ],
)
def test_too_little_variety_proves_nothing(change: Any, said: str) -> None:
    found = calibrate(change(signed_by(in_header)), {"s": Secret(SECRET)}, "psnb2b")
    assert (found.scheme is None) is bool(said)
    assert said in found.sentence


def test_one_forged_delivery_among_genuine_ones_fits_nothing() -> None:
    deliveries = signed_by(in_header)
    deliveries[2] = Delivery(deliveries[2].headers, deliveries[2].body + b" ", timezone.now())
    found = calibrate(deliveries, {"s": Secret(SECRET)}, "psnb2b")
    assert (found.scheme, found.partly) == (None, 4)
    assert "None of" in found.sentence


def test_wrong_secret_or_none_proves_nothing() -> None:
    deliveries = signed_by(in_header)
    assert calibrate(deliveries, {"s": Secret("another-secret")}, "psnb2b").fitting == []
    assert "No webhook secret" in calibrate(deliveries, {}, "psnb2b").sentence
    assert calibrate([], {"s": Secret(SECRET)}, "psnb2b").scheme is None


def test_a_repetition_decides_how_old_a_message_may_be() -> None:
    same = signed_by(in_header)
    stamps = []
    for deliveries in ([*same[:4], same[0]], signed_again_later()):
        scheme = calibrate(deliveries, {"s": Secret(SECRET)}, "psnb2b").scheme
        assert scheme is not None
        stamps.append((scheme.timestamp.semantics, scheme.timestamp.tolerance))
    assert stamps == [("event", 86_700), ("attempt", 300)]


def signed_again_later() -> list[Delivery]:
    deliveries = signed_by(in_header)
    data = facts(0, stamp(1))
    headers, raw = in_header(data, body_of(data, 0))
    return [*deliveries[:4], Delivery({name.lower(): value for name, value in headers.items()}, raw, timezone.now())]


@pytest.fixture
def other_admin(db: None) -> Any:
    return make_person("abe_admin", "admin")


def deliver(account: SupplierAccount) -> None:
    """Five genuine messages, with decimals, letters of other languages and a repetition."""
    for number in (1, 2, 3, 4, 1):
        raw = psnb2b_message(5, order_id=f"o{number}", note="Größe")[:-1] + b', "price": 50.00}'
        assert post(account, raw, **{"X-PSNB2B-Signature": sign(raw)}).status_code == 200


@pytest.mark.requirement("R56")
def test_captured_deliveries_are_proposed_by_one_and_confirmed_by_another(
    psnb2b: SupplierAccount, admin: Any, other_admin: Any
) -> None:
    SupplierAccount.objects.filter(pk=psnb2b.pk).update(webhook_scheme={})
    start_calibration(by=admin, account=psnb2b)
    deliver(psnb2b)
    calibration = open_calibration(psnb2b)
    assert calibration is not None
    assert len(captured(calibration)) == 5
    assert propose_scheme(by=admin, account=psnb2b).scheme is not None
    calibration.refresh_from_db()
    assert calibration.proposed_at is not None
    mark = {"calibration_id": str(calibration.pk), "proposed_at": calibration.proposed_at.isoformat()}
    with pytest.raises(NotAllowed, match="another administrator"):
        confirm_scheme(by=admin, account=psnb2b, **mark)
    with pytest.raises(StaleState):
        confirm_scheme(by=other_admin, account=psnb2b, **{**mark, "proposed_at": "2026-01-01"})
    psnb2b.refresh_from_db()
    assert psnb2b.webhook_scheme == {}
    confirm_scheme(by=other_admin, account=psnb2b, **mark)
    psnb2b.refresh_from_db()
    assert (psnb2b.webhook_scheme["name"], psnb2b.capture_until) == ("x-psnb2b-signature", None)
    assert not CapturedDelivery.objects.exists()
    proven = last_pinned(psnb2b)
    assert proven is not None
    assert (proven.proposed_by, proven.decided_by) == (admin, other_admin)
    raw = psnb2b_message(status="failed")
    assert post(psnb2b, raw, **{"X-PSNB2B-Signature": sign(raw)}).status_code == 200
    assert post(psnb2b, raw + b" ", **{"X-PSNB2B-Signature": sign(raw)}).status_code == 401
    actions = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"account.calibration_started", "account.scheme_proposed", "account.scheme_pinned"} <= actions


def test_only_administrators_calibrate(psnb2b: SupplierAccount, manager: Any, admin: Any) -> None:
    with pytest.raises(NotAllowed):
        start_calibration(by=manager, account=psnb2b)
    start_calibration(by=admin, account=psnb2b)
    for act in (propose_scheme, propose_hints_only, stop_calibration):
        with pytest.raises(NotAllowed):
            act(by=manager, account=psnb2b)
    calibration = WebhookCalibration.objects.get()
    assert (calibration.proposal, calibration.ended_at) == (None, None)


def test_second_calibration_waits_and_a_stopped_one_changes_nothing(psnb2b: SupplierAccount, admin: Any) -> None:
    before = psnb2b.webhook_scheme
    start_calibration(by=admin, account=psnb2b)
    with pytest.raises(Refused, match="under way"):
        start_calibration(by=admin, account=psnb2b)
    deliver(psnb2b)
    stop_calibration(by=admin, account=psnb2b)
    psnb2b.refresh_from_db()
    assert (psnb2b.webhook_scheme, psnb2b.capture_until) == (before, None)
    assert not CapturedDelivery.objects.exists()
    for act in (propose_scheme, propose_hints_only, stop_calibration):
        with pytest.raises(Refused, match="under way"):
            act(by=admin, account=psnb2b)


def test_hints_only_needs_two_people_too(psnb2b: SupplierAccount, admin: Any, other_admin: Any) -> None:
    start_calibration(by=admin, account=psnb2b)
    with pytest.raises(Refused, match="Not enough"):
        propose_scheme(by=admin, account=psnb2b)
    propose_hints_only(by=admin, account=psnb2b)
    calibration = WebhookCalibration.objects.get()
    assert calibration.proposed_at is not None
    mark = {"calibration_id": str(calibration.pk), "proposed_at": calibration.proposed_at.isoformat()}
    with pytest.raises(NotAllowed):
        confirm_scheme(by=admin, account=psnb2b, **mark)
    confirm_scheme(by=other_admin, account=psnb2b, **mark)
    psnb2b.refresh_from_db()
    assert post(psnb2b, psnb2b_message()).status_code == 200
    assert WebhookEvent.objects.get().result == "unverified"
    assert DueWork.objects.get().kind == "order.hint"


def test_capture_is_sealed_bounded_and_ends(
    psnb2b: SupplierAccount, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(receiving, "CAPTURED_AT_MOST", 3)
    start_calibration(by=admin, account=psnb2b)
    raw = psnb2b_message(note="CANARY")
    for _ in range(6):
        post(psnb2b, raw, **{"X-PSNB2B-Signature": sign(raw), "Authorization": "Bearer x", "Cookie": "a=b"})
    assert CapturedDelivery.objects.count() == 3
    row = CapturedDelivery.objects.first()
    assert row is not None
    assert b"CANARY" not in bytes(row.sealed)
    kept = captured(row.calibration)[0]
    assert kept.body == raw
    assert kept.headers["x-psnb2b-signature"] == sign(raw)
    assert not {"authorization", "cookie"} & set(kept.headers)
    CapturedDelivery.objects.all().delete()
    SupplierAccount.objects.update(capture_until=timezone.now() - timedelta(seconds=1))
    post(psnb2b, raw, **{"X-PSNB2B-Signature": sign(raw)})
    assert not CapturedDelivery.objects.exists()
    monkeypatch.setattr(receiving, "CAPTURED_BYTES", len(raw) - 1)
    capture(psnb2b, raw, {}, timezone.now())
    assert not CapturedDelivery.objects.exists()


def written(folder: Path, deliveries: list[Delivery]) -> list[str]:
    paths = []
    for number, one in enumerate(deliveries):
        path = folder / f"{number}.http"
        head = "".join(f"{name}: {value}\r\n" for name, value in one.headers.items())
        path.write_bytes(f"POST /hooks/x/ HTTP/1.1\r\n{head}\r\n".encode() + one.body)
        os.utime(path, (one.received_at.timestamp(),) * 2)
        paths.append(str(path))
    return paths


class TestCommand:
    def run(self, *arguments: str) -> str:
        out = StringIO()
        call_command("calibrate_webhooks", *arguments, stdout=out)
        return out.getvalue()

    def files(self, psnb2b: SupplierAccount, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        monkeypatch.setitem(globals(), "SECRET", HOOK_SECRETS["psnb2b"])
        return written(folder, signed_by(in_header))

    def test_files_are_proven_and_proposed(
        self, psnb2b: SupplierAccount, admin: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = self.files(psnb2b, tmp_path, monkeypatch)
        assert "HMAC-SHA256 in the header x-sig" in self.run("psnb2b", *files)
        assert not WebhookCalibration.objects.exists()
        assert "Another administrator confirms it" in self.run("psnb2b", *files, "--propose", admin.username)
        proposal = WebhookCalibration.objects.get().proposal
        assert proposal is not None
        assert proposal["name"] == "x-sig"
        psnb2b.refresh_from_db()
        assert psnb2b.webhook_scheme["name"] == "X-PSNB2B-Signature"

    def test_refusals_say_why_and_change_nothing(
        self, psnb2b: SupplierAccount, manager: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = self.files(psnb2b, tmp_path, monkeypatch)
        (tmp_path / "bad.http").write_bytes(b"no headers")
        for arguments, said in (
            (["nobody", *files], "no supplier account"),
            (["psnb2b"], "Name files"),
            (["psnb2b", *files, "--captured"], "Name files"),
            (["psnb2b", "--captured"], "under way"),
            (["psnb2b", *files[:3]], "No scheme can be proposed"),
            (["psnb2b", str(tmp_path / "bad.http")], "no empty line"),
            (["psnb2b", str(tmp_path / "none.http")], "cannot be read"),
            (["psnb2b", *files, "--propose", "nobody"], "no person"),
            (["psnb2b", *files, "--propose", manager.username], "This is for"),
        ):
            with pytest.raises(CommandError, match=said):
                self.run(*arguments)
        assert not WebhookCalibration.objects.exists()
